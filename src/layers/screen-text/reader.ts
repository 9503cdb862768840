/** Finds lines of text in pictures and reads them: what the layer asks of its models. */

import { ModelThread, operatorThreads, requireRuntime } from '../../onnx/model-thread.js';
import type { Reading } from './ctc.js';
import type { SlantedBox } from './geometry.js';
import type { RgbPixels } from './pixels.js';
import { checkedPpOcr, findPpOcr } from './ppocr-package.js';
import type { ReaderCalls } from './reader-thread.js';
import type { TextRegion } from './text-regions.js';

export interface TextReader {
  /**
   * Where lines of text are, the surest first.
   * @param picture both sides are multiples of 32
   * @throws {LongwatchError} `overloaded`, `model_failed`, `cancelled`
   */
  find(picture: RgbPixels, signal?: AbortSignal): Promise<readonly TextRegion[]>;
  /** What stands in each box. @throws {LongwatchError} as `find` */
  recognise(picture: RgbPixels, boxes: readonly SlantedBox[], signal?: AbortSignal): Promise<readonly Reading[]>;
  close(): Promise<void>;
}

export interface ReaderOptions {
  /** Folder of the two ONNX files. @default the installed npm package */
  readonly directory?: string | undefined;
  /** Threads that one operator may use, 1 or more. @default half the cores, at least 1 and at most 4 */
  readonly threads?: number | undefined;
}

/** PP-OCR in a thread of its own. */
export class PpOcrReader implements TextReader {
  readonly #thread = new ModelThread<ReaderCalls>(new URL('./reader-thread.js', import.meta.url), import.meta.url);

  private constructor() {}

  /**
   * @throws {LongwatchError} `part_missing` when the weights or onnxruntime-node are not installed, `bad_weights` when the files are not the
   * known ones, `model_failed` when the runtime cannot load them
   */
  static async open({ directory = findPpOcr(), threads }: ReaderOptions = {}): Promise<PpOcrReader> {
    const files = await checkedPpOcr(directory);
    const reader = new PpOcrReader();
    try {
      const options = { threads: operatorThreads(threads), providers: ['cpu'], varyingShapes: true };
      await reader.#thread.ask('open', { files, options });
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  find({ width, height, rgb }: RgbPixels, signal?: AbortSignal): Promise<readonly TextRegion[]> {
    return this.#thread.ask('find', { width, height, rgb }, [], signal);
  }

  async recognise(
    { width, height, rgb }: RgbPixels,
    boxes: readonly SlantedBox[],
    signal?: AbortSignal,
  ): Promise<readonly Reading[]> {
    if (boxes.length === 0) return [];
    return this.#thread.ask('recognise', { picture: { width, height, rgb }, boxes }, [], signal);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

/**
 * A reader whose weights are checked now and loaded when it is first asked for something. A failure to load them is tried again by the next call.
 * @throws {LongwatchError} `part_missing` when the weights or onnxruntime-node are not installed, `bad_weights` when the files are not the known ones
 */
export async function openReaderWhenNeeded(options: ReaderOptions = {}): Promise<TextReader> {
  requireRuntime();
  await checkedPpOcr(options.directory ?? findPpOcr());
  let opening: Promise<PpOcrReader> | undefined;
  const opened = () => {
    opening ??= PpOcrReader.open(options).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    find: async (...asked) => (await opened()).find(...asked),
    recognise: async (...asked) => (await opened()).recognise(...asked),
    close: async () => (await opening)?.close(),
  };
}
