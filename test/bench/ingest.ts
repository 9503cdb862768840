/**
 * Ingest against the time that ffmpeg needs just to decode the same file, picture and sound as ingest does, by decoder: `npm run bench [-- FILE...]`.
 *
 * Without files: the sample film of half a minute (the median of `RUNS` after one run that does not count) and films that repeat it for minutes, one run
 * each. What a short film pays once, such as opening models, is told apart by the two: the ratio beyond set-up is that of the differences.
 */

import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FILM, FILM_1080P } from '../../fixtures/real/clips.js';
import { loopedFilm } from '../../fixtures/real/looped-film.js';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { WasmEngine } from '../../ingest/video/wasm-engine.js';
import { loadConfig } from '../../src/config.js';
import type { Milliseconds } from '../../src/time.js';
import { childCpu } from './child-cpu.js';

const RUNS = 3;
const run = promisify(execFile);
const once = fileURLToPath(new URL('./ingest-once.js', import.meta.url));
const native = await findNativeFfmpeg(loadConfig().searchPath);

type DecoderName = 'native' | 'wasm';

/** A film, and a long one made of it. */
interface Course {
  readonly file: string;
  readonly decoder: DecoderName;
  /** How often the long one repeats it. @default no long one */
  readonly times?: number;
}

const given = process.argv.slice(2).map((file) => path.resolve(file));
const decoders: readonly DecoderName[] = native ? ['native', 'wasm'] : ['wasm'];
/** 10 minutes; less where WebAssembly decodes 1080p, so that all of it ends in a few minutes. */
const COURSES: readonly Course[] =
  given.length > 0
    ? given.flatMap((file) => decoders.map((decoder) => ({ file, decoder })))
    : [
        { file: FILM, decoder: 'native', times: 20 },
        { file: FILM, decoder: 'wasm', times: 20 },
        { file: FILM_1080P, decoder: 'native', times: 20 },
        { file: FILM_1080P, decoder: 'wasm', times: 4 },
      ];

interface Ingest {
  readonly took: Milliseconds;
  readonly duration: number;
  readonly events: number;
  readonly segments: number;
  readonly peakRssKb: number;
}

interface Measured {
  readonly decode: Milliseconds;
  readonly ingest: Milliseconds;
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, native ffmpeg ${native?.version ?? 'not installed'}; load average ${os.loadavg()[0]?.toFixed(1)}\n`,
);
console.log(
  '| film | decoder | decoding only | ingest | ingest / decoding | beyond set-up | set-up | x realtime | processor time of both | peak RSS of Longwatch |',
);
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const { file, decoder, times } of COURSES) {
  if (decoder === 'native' && !native) continue;
  const short = await measure(file, decoder, RUNS, undefined);
  if (times !== undefined && native) await measure(await loopedFilm(native.ffmpeg, file, times), decoder, 0, short);
}

/** Prints a row. @param runs how often, after one that does not count; 0 for a single run that does */
async function measure(
  file: string,
  decoder: DecoderName,
  runs: number,
  short: Measured | undefined,
): Promise<Measured> {
  const decodes: Milliseconds[] = [];
  const ingests: Ingest[] = [];
  const cpu = { decode: 0, ingest: 0 };
  for (let i = runs > 0 ? -1 : 0; i < Math.max(1, runs); i += 1) {
    const start = cpuSeconds();
    const decode = await (decoder === 'native' ? decodeNative(file) : decodeWasm(file));
    const between = cpuSeconds();
    const { stdout } = await run(process.execPath, [once, decoder, file, 'fast']);
    if (i < 0) continue;
    cpu.decode += between - start;
    cpu.ingest += cpuSeconds() - between;
    decodes.push(decode);
    ingests.push(JSON.parse(stdout));
  }
  const decode = median(decodes);
  const ingest = median(ingests.map(({ took }) => took));
  const { duration } = ingests[0] as Ingest;
  const rss = Math.max(...ingests.map(({ peakRssKb }) => peakRssKb)) / 1024;
  const slope = short ? (ingest - short.ingest) / (decode - short.decode) : undefined;
  const row = [
    `${path.basename(file)}, ${(duration / 60).toFixed(1)} min`,
    decoder,
    seconds(decode),
    seconds(ingest),
    (ingest / decode).toFixed(2),
    slope === undefined ? '' : slope.toFixed(2),
    short && slope !== undefined ? seconds(short.ingest - slope * short.decode) : '',
    (duration / (ingest / 1000)).toFixed(1),
    `${(cpu.decode / ingests.length).toFixed(1)} and ${(cpu.ingest / ingests.length).toFixed(1)} s`,
    `${rss.toFixed(0)} MB`,
  ];
  console.log(`| ${row.join(' | ')} |`);
  return { decode, ingest };
}

/** Of this process, in which the WebAssembly decoder runs alone, and of its children. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + childCpu();
}

function toNothing(input: string): string[] {
  return ['-i', input, '-map', '0:v:0', '-map', '0:a:0?', '-f', 'null', '-'];
}

async function decodeNative(file: string): Promise<Milliseconds> {
  const started = performance.now();
  await run(native?.ffmpeg ?? 'ffmpeg', ['-v', 'fatal', '-nostdin', ...toNothing(file)]);
  return performance.now() - started;
}

async function decodeWasm(file: string): Promise<Milliseconds> {
  const started = performance.now();
  const command = {
    tool: 'ffmpeg',
    path: file,
    outputs: 0,
    args: (input: string) => ['-v', 'fatal', ...toNothing(input)],
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
