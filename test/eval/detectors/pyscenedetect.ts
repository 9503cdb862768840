/** PySceneDetect's detectors at many thresholds, in a Python that has `requirements.txt` beside this. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pictures } from './pictures.js';

export interface PySceneDetectCuts {
  readonly version: string;
  /** Frames, by threshold. */
  readonly cuts: Readonly<Record<'content' | 'adaptive', Readonly<Record<string, readonly number[]>>>>;
}

const SCRIPT = path.join(
  fileURLToPath(new URL('../../../../', import.meta.url)),
  'test/eval/detectors/pyscenedetect.py',
);

export async function pySceneDetectCuts(
  python: string,
  { width, height, fps, frames }: Pictures,
  thresholds: Readonly<Record<'content' | 'adaptive', readonly number[]>>,
): Promise<PySceneDetectCuts> {
  const args = [SCRIPT, String(width), String(height), String(fps), JSON.stringify(thresholds)];
  const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const printed: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => printed.push(bytes));
  const ended = once(child, 'close');
  for (const rgb of frames()) if (!child.stdin.write(rgb)) await once(child.stdin, 'drain');
  child.stdin.end();
  await ended;
  return JSON.parse(Buffer.concat(printed).toString()) as PySceneDetectCuts;
}
