/**
 * Damages small clips and ingests them until the time is over:
 *
 *   npm run fuzz -- [--seconds N] [--seed N] [--first N] [--count N] [--decoder native|wasm] [--out DIR]
 *
 * Each finding is kept in DIR (default: fuzz-findings) as `DECODER-SEED-NUMBER-NAME` beside what went wrong; `--seed S --first N --count 1`
 * does it again. Without a native ffmpeg the WebAssembly decoder is taken. Ends with 1 when something was found.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { HostileClips } from '../../fixtures/hostile/clips.js';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { loadConfig } from '../../src/config.js';
import { fuzz } from './fuzzer.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    count: { type: 'string' },
    decoder: { type: 'string' },
    out: { type: 'string', default: 'fuzz-findings' },
  },
});
const native = await findNativeFfmpeg(loadConfig().searchPath);
const engine = values.decoder === 'wasm' || !native ? 'wasm' : 'native';
const count = values.count === undefined ? Number.POSITIVE_INFINITY : Number(values.count);
const end = performance.now() + 1000 * Number(values.seconds);

const report = await fuzz({
  engine,
  seed: Number(values.seed),
  first: Number(values.first),
  goOn: (tried) => tried < count && performance.now() < end,
  clips: await HostileClips.open(),
  onFinding({ seed, number, name, input, what }) {
    mkdirSync(values.out, { recursive: true });
    const place = path.join(values.out, `${engine}-${seed}-${number}-${name}`);
    writeFileSync(place, input);
    writeFileSync(`${place}.txt`, `${what}\n`);
    console.log(`${place}: ${what.split('\n')[0]}`);
  },
});

const refusals = Object.entries(report.refused).map(([code, times]) => `${code} ${times}`);
console.log(
  `${report.tried} inputs (${engine}, seed ${values.seed}): ${report.read} read, ${refusals.join(', ')}; ` +
    `at most ${Math.round(report.peakMb)} MB and ${report.slowest.toFixed(1)} s; ${report.findings.length} findings.`,
);
process.exitCode = report.findings.length > 0 ? 1 : 0;
