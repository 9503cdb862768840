/**
 * What several engines on one video save and cost: `npm run bench:slices [-- --workers 1,2,4] [--decoder wasm,native] [FILE]`. One run each, in a
 * process of its own; every row must have the frames of the first.
 *
 * Only decoding is measured, with pictures as a model is shown them. Processor time is Linux's and has the native engine's in it.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { FILM_60_FPS } from '../../fixtures/real/clips.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import { loadConfig } from '../../src/config.js';
import type { Milliseconds } from '../../src/time.js';

const PICTURES = { width: 448, height: 252, interval: 0.25 };
/** Processor time is counted in hundredths of a second there. */
const JIFFY: Milliseconds = 10;

const { values, positionals } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2,4' },
    decoder: { type: 'string', default: 'wasm,native' },
    once: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const file = positionals[0] ?? FILM_60_FPS;

interface Run {
  readonly took: Milliseconds;
  readonly processor: Milliseconds;
  readonly peakRssKb: number;
  readonly frames: string;
}

async function decodeOnce(kind: 'wasm' | 'native', workers: number): Promise<Run> {
  const decoder = await chooseDecoder({ kind, workers, searchPath: loadConfig().searchPath });
  const frames = createHash('sha256');
  const probe = await decoder.probe(file);
  const started = performance.now();
  const pictures: { index: number; rgb: Uint8Array }[] = [];
  for await (const frame of decoder.decode(file, probe, { pictures: PICTURES })) {
    // Pictures lag their thumbnails, on one engine more than on the other, so they are counted by themselves.
    if (frame.kind === 'picture') pictures.push(frame);
    else frames.update(`${frame.index} ${frame.pts} ${frame.time}`).update(frame.rgb);
  }
  const took = performance.now() - started;
  for (const { index, rgb } of pictures) frames.update(`${index}`).update(rgb);
  const [utime, stime, childUtime, childStime] = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
    .slice(11, 15)
    .map(Number) as [number, number, number, number];
  const processor = (utime + stime + childUtime + childStime) * JIFFY;
  return { took, processor, peakRssKb: process.resourceUsage().maxRSS, frames: frames.digest('hex') };
}

async function main(): Promise<void> {
  const load = os.loadavg()[0]?.toFixed(1);
  console.log(
    `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}; load average ${load}\n`,
  );
  console.log('| decoder | workers | time | processor time | peak RSS of Longwatch |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const decoder of values.decoder.split(',')) {
    let expected: string | undefined;
    for (const workers of values.workers.split(',')) {
      const argv = [fileURLToPath(import.meta.url), '--once', '--decoder', decoder, '--workers', workers, file];
      const { stdout } = await promisify(execFile)(process.execPath, argv);
      const { took, processor, peakRssKb, frames }: Run = JSON.parse(stdout);
      expected ??= frames;
      if (frames !== expected) throw new Error(`${workers} workers gave other frames than one.`);
      const cells = [decoder, workers, seconds(took), seconds(processor), `${(peakRssKb / 1024).toFixed(0)} MB`];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

function seconds(time: Milliseconds): string {
  return `${(time / 1000).toFixed(2)} s`;
}

if (values.once) {
  console.log(
    JSON.stringify(await decodeOnce(values.decoder === 'native' ? 'native' : 'wasm', Number(values.workers))),
  );
} else {
  await main();
}
