/**
 * Ingest against the time that ffmpeg needs just to decode the same file, by decoder: `npm run bench [-- FILE...]`.
 * Each figure is the median of `RUNS` after one run that does not count; both sides take turns, so that a machine that slows down slows both.
 */

import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FILM, FILM_60_FPS } from '../../fixtures/real/clips.js';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { WasmEngine } from '../../ingest/video/wasm-engine.js';
import { loadConfig } from '../../src/config.js';
import type { Milliseconds } from '../../src/time.js';

const RUNS = 3;
const run = promisify(execFile);
const once = fileURLToPath(new URL('./ingest-once.js', import.meta.url));
const native = await findNativeFfmpeg(loadConfig().searchPath);
const files = process.argv.length > 2 ? process.argv.slice(2).map((file) => path.resolve(file)) : [FILM, FILM_60_FPS];

interface Ingest {
  readonly took: Milliseconds;
  readonly duration: number;
  readonly events: number;
  readonly segments: number;
  readonly peakRssKb: number;
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, native ffmpeg ${native?.version ?? 'not installed'}; median of ${RUNS}\n`,
);
console.log(
  '| file | decoder | ffmpeg, decoding only | ingest | ingest / decoding | x realtime | peak RSS of Longwatch |',
);
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: |');
for (const file of files) {
  for (const decoder of native ? (['native', 'wasm'] as const) : (['wasm'] as const)) {
    const decodes: Milliseconds[] = [];
    const ingests: Ingest[] = [];
    for (let i = -1; i < RUNS; i += 1) {
      const decode = await (decoder === 'native' ? decodeNative(file) : decodeWasm(file));
      const { stdout } = await run(process.execPath, [once, decoder, file]);
      if (i < 0) continue;
      decodes.push(decode);
      ingests.push(JSON.parse(stdout));
    }
    const decode = median(decodes);
    const ingest = median(ingests.map(({ took }) => took));
    const { duration } = ingests[0] as Ingest;
    const rss = Math.max(...ingests.map(({ peakRssKb }) => peakRssKb)) / 1024;
    console.log(
      `| ${path.basename(file)} | ${decoder} | ${seconds(decode)} | ${seconds(ingest)} | ${(ingest / decode).toFixed(2)} | ${(duration / (ingest / 1000)).toFixed(1)} | ${rss.toFixed(0)} MB |`,
    );
  }
}

async function decodeNative(file: string): Promise<Milliseconds> {
  const started = performance.now();
  await run(native?.ffmpeg ?? 'ffmpeg', ['-v', 'error', '-nostdin', '-i', file, '-map', '0:v:0', '-f', 'null', '-']);
  return performance.now() - started;
}

async function decodeWasm(file: string): Promise<Milliseconds> {
  const started = performance.now();
  const command = {
    tool: 'ffmpeg',
    path: file,
    outputs: 0,
    args: (input: string) => ['-v', 'error', '-i', input, '-map', '0:v:0', '-f', 'null', '-'],
  } as const;
  for await (const message of new WasmEngine().run(command, { stallLimit: 600 })) {
    if (message.kind === 'exit' && message.code !== 0 && message.log.lineCount > 1)
      throw new Error(message.log.lines.join('\n'));
  }
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function seconds(time: Milliseconds): string {
  return `${(time / 1000).toFixed(2)} s`;
}
