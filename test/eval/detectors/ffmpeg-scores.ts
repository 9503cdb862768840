/** What ffmpeg's two filters for scene changes give every frame: `scdet` (0..100) and `select`'s `scene` (0..1). */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Pictures } from './pictures.js';

export interface FfmpegScores {
  readonly scdet: readonly number[];
  readonly scene: readonly number[];
}

/** `scdet` scores every frame whatever its threshold, `select` is given one that every frame reaches. */
const GRAPH = "format=yuv420p,scdet=t=100,select='gte(scene,0)',metadata=print:file=-";

export async function ffmpegScores(ffmpeg: string, { width, height, fps, frames }: Pictures): Promise<FfmpegScores> {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', '-'];
  const child = spawn(ffmpeg, ['-v', 'error', ...input, '-vf', GRAPH, '-f', 'null', '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const scores = { 'lavfi.scd.score': [] as number[], 'lavfi.scene_score': [] as number[] };
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [key, value] = line.split('=');
    if (key === 'lavfi.scd.score' || key === 'lavfi.scene_score') scores[key].push(Number(value));
  });
  const ended = Promise.all([once(child, 'close'), once(lines, 'close')]);
  for (const rgb of frames()) if (!child.stdin.write(rgb)) await once(child.stdin, 'drain');
  child.stdin.end();
  await ended;
  return { scdet: scores['lavfi.scd.score'], scene: scores['lavfi.scene_score'] };
}
