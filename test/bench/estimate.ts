/**
 * What `longwatch estimate` says beside what the ingest then takes: `npm run bench:estimate`.
 *
 * Both sides run one after the other in processes of their own, so that a machine that others keep busy slows both, though not equally: the processor
 * time of the ingest, its decoder included, says how much work there was, and the load average how far the times are to be believed.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FILM, FILM_60_FPS } from '../../fixtures/real/clips.js';
import { loopedFilm } from '../../fixtures/real/looped-film.js';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { loadConfig } from '../../src/config.js';
import { childCpu } from './child-cpu.js';

const run = promisify(execFile);
const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const native = await findNativeFfmpeg(loadConfig().searchPath);
if (!native) throw new Error('This bench needs a native ffmpeg.');
const long = await loopedFilm(native.ffmpeg, FILM, 10);
const CASES = [
  [FILM, 'native', 'fast'],
  [FILM, 'wasm', 'fast'],
  [long, 'native', 'fast'],
  [long, 'wasm', 'fast'],
  [FILM_60_FPS, 'native', 'fast'],
  [FILM, 'native', 'standard'],
  [FILM, 'wasm', 'standard'],
  [long, 'native', 'standard'],
] as const;

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, native ffmpeg ${native.version}; load average ${os.loadavg()[0]?.toFixed(1)}\n`,
);
console.log('| film | decoder | profile | estimate | ingest | ingest / estimate | processor time of both | load |');
console.log('| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |');
for (const [file, decoder, profile] of CASES) {
  const estimate = await measure(decoder, ['estimate', file, '--profile', profile]);
  const ingest = await measure(decoder, ['ingest', file, '--profile', profile]);
  const said = Number(estimate.document.estimates?.[0]?.took_ms) / 1000;
  const took = Number(ingest.document.videos?.[0]?.took_ms) / 1000;
  console.log(
    `| ${path.basename(file)} | ${decoder} | ${profile} | ${said.toFixed(1)} s | ${took.toFixed(1)} s | ${(took / said).toFixed(2)} | ${estimate.cpu.toFixed(1)} and ${ingest.cpu.toFixed(1)} s | ${os.loadavg()[0]?.toFixed(1)} |`,
  );
}

interface Said {
  readonly estimates?: readonly { readonly took_ms: number }[];
  readonly videos?: readonly { readonly took_ms: number }[];
}

/** One command in a library of its own, with the processor seconds of it and all that it started. */
async function measure(decoder: string, args: readonly string[]): Promise<{ document: Said; cpu: number }> {
  const library = await mkdtemp(path.join(os.tmpdir(), 'longwatch-bench-'));
  const before = childCpu();
  try {
    const { stdout } = await run(process.execPath, [cli, ...args, '--library', library, '--json'], {
      env: { ...process.env, LONGWATCH_DECODER: decoder },
    });
    return { document: JSON.parse(stdout) as Said, cpu: childCpu() - before };
  } finally {
    await rm(library, { recursive: true, force: true });
  }
}
