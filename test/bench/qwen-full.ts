/**
 * A Qwen2.5-VL of the 3B shape with random weights on this machine: build, load, one window of ten seconds, 32 tokens, next to what
 * memory and arithmetic allow, and next to llama.cpp. `npm run bench:qwen -- [--layers N] [--vision-depth N] [--dtype q4] [--threads N]
 * [--llama PYTHON] [--built DIR]` prints tables in Markdown.
 *
 * It needs 11 GB on the disk of the folder for temporary files and takes some minutes; build and run are processes of their own, so that
 * each has its own peak of memory. `--llama` names a Python that has what test/bench/llama/requirements.txt lists. `--built` is a folder
 * to build into and to leave there, or one that is built already and is only run.
 *
 * Others may use the machine, and wait for each other in other ways than we do. So of what takes a tenth of a second the fastest of many
 * stands beside the median, and the fastest is what is compared with the roofline, which is the best of many as well.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Session } from '../../src/onnx/session.js';
import { buildModel } from '../../src/qwen/build.js';
import { openBuiltModel } from '../../src/qwen/built-model.js';
import type { QwenConfig } from '../../src/qwen/config.js';
import { DecoderSession, type Sequence } from '../../src/qwen/decoder-session.js';
import { patchValues } from '../../src/qwen/graphs/vision.js';
import { mropePositions, mropeTable } from '../../src/qwen/mrope.js';
import { visionLayout } from '../../src/qwen/vision-layout.js';
import { DTYPES, type Dtype, LINEAR_FORMATS } from '../../src/qwen/weight-format.js';
import { writeRandomCheckpoint } from './random-checkpoint.js';
import { productsPerSecond, readBytesPerSecond } from './roofline.js';

/** Ten seconds at one frame per second, 448 × 252 pixels. */
const GRID = { rows: 18, columns: 32 };
const PAIR_TIMES = [0, 2, 4, 6, 8];
/** Instructions before and after the video. */
const TEXT_TOKENS = [15, 45] as const;
const ANSWER_TOKENS = 32;

interface Built {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly fileBytes: number;
}

interface Ran {
  readonly loadSeconds: number;
  readonly loadedBytes: number;
  readonly peakBytes: number;
  readonly visionSeconds: number;
  readonly promptTokens: number;
  /** The better of two. */
  readonly prefillSeconds: number;
  readonly steps: Steps;
}

/** Seconds of a step of one token. */
interface Steps {
  readonly median: number;
  readonly fastest: number;
}

/** What llama.py prints. */
interface Llama {
  readonly version: string;
  readonly system: string;
  readonly bytes_per_token: number;
  readonly load_s: number;
  readonly prefill_s: number;
  readonly step_s: number;
  readonly fastest_step_s: number;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: 'string', default: '36' },
    'vision-depth': { type: 'string', default: '32' },
    dtype: { type: 'string', default: 'q4' },
    threads: { type: 'string', default: String(availableParallelism()) },
    llama: { type: 'string' },
    built: { type: 'string' },
  },
});
const dtype = DTYPES.find((known) => known === options.dtype) ?? 'q4';
const threads = Number(options.threads);

async function build(from: string, to: string): Promise<Built> {
  const start = performance.now();
  const manifest = await buildModel(from, to, { dtype, selfTest: false });
  const fileBytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  return { seconds: secondsSince(start), peakBytes: process.resourceUsage().maxRSS * 1024, fileBytes };
}

async function run(directory: string): Promise<Ran> {
  const loading = performance.now();
  const { config, graphs } = await openBuiltModel(directory);
  const vision = await Session.open(graphs.vision, { threads });
  const decoder = await DecoderSession.open(graphs.decoder, config.text, { threads, providers: ['cpu'] });
  const [loadSeconds, loadedBytes] = [secondsSince(loading), process.memoryUsage.rss()];

  const encoding = performance.now();
  const embeddings = await encode(vision, config);
  const visionSeconds = secondsSince(encoding);
  await vision.close();

  const [before, after] = TEXT_TOKENS;
  const spans = [
    { kind: 'text', length: before },
    { kind: 'video', grid: GRID, pairTimes: PAIR_TIMES },
    { kind: 'text', length: after },
  ] as const;
  const { ids, next } = mropePositions(spans, config.vision.tokensPerSecond, config.vision.spatialMergeSize);
  const promptTokens = ids.length / 3;
  const C = config.text.hiddenSize;
  const prompt = new Float32Array(promptTokens * C).map(() => 0.02 * (Math.random() - 0.5));
  prompt.set(embeddings, before * C);
  const sequence = await decoder.begin(promptTokens + ANSWER_TOKENS);
  const readings: number[] = [];
  for (let reading = 0; reading < 2; reading++) {
    sequence.truncate(0);
    const start = performance.now();
    await step(sequence, config, prompt, ids);
    readings.push(secondsSince(start));
  }
  const prefillSeconds = Math.min(...readings);
  const steps: number[] = [];
  for (let token = 0; token < ANSWER_TOKENS; token++) {
    const start = performance.now();
    await step(sequence, config, prompt.slice(0, C), Int32Array.of(next + token, next + token, next + token));
    steps.push(secondsSince(start));
  }
  await decoder.close();
  const median = steps.sort((a, b) => a - b)[ANSWER_TOKENS >> 1] ?? Number.NaN;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return {
    loadSeconds,
    loadedBytes,
    peakBytes,
    visionSeconds,
    promptTokens,
    prefillSeconds,
    steps: { median, fastest: Math.min(...steps) },
  };
}

/** The same text model in llama.cpp; the file that it writes is removed. */
function runLlama(python: string, layers: number, promptTokens: number, scratch: string): Llama {
  const script = fileURLToPath(new URL('../../../test/bench/llama/llama.py', import.meta.url));
  const file = path.join(scratch, 'model.gguf');
  const args = { layers, threads, prompt: promptTokens, answer: ANSWER_TOKENS };
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  try {
    const output = execFileSync(python, [script, '--file', file, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(output.toString()) as Llama;
  } finally {
    rmSync(file, { force: true });
  }
}

async function encode(session: Session, { vision }: QwenConfig): Promise<Float32Array> {
  const layout = visionLayout(GRID, vision);
  const { windows: W, patchesPerWindow: P } = layout;
  const slots = (W * P) / vision.spatialMergeSize ** 2;
  const C = vision.outHiddenSize;
  const merged = new Float32Array(PAIR_TIMES.length * layout.mergedSlots.length * C);
  for (const pair of PAIR_TIMES.keys()) {
    const { embeddings } = await session.run({
      patches: float32([1, W, P, patchValues(vision)], new Float32Array(W * P * patchValues(vision)).map(Math.random)),
      cos: float32([W * P, vision.headDim], layout.cos),
      sin: float32([W * P, vision.headDim], layout.sin),
      key_bias: float32([W, P], layout.keyBias),
    });
    if (
      embeddings?.type !== 'float32' ||
      embeddings.data.length !== slots * C ||
      !embeddings.data.every(Number.isFinite)
    )
      throw new Error('The vision encoder gave no embeddings.');
    const { data } = embeddings;
    layout.mergedSlots.forEach((slot, token) => {
      merged.set(data.subarray(slot * C, (slot + 1) * C), (pair * layout.mergedSlots.length + token) * C);
    });
  }
  return merged;
}

async function step(
  sequence: Sequence,
  { text }: QwenConfig,
  embeddings: Float32Array,
  ids: Int32Array,
): Promise<void> {
  const tokens = ids.length / 3;
  const { cos, sin } = mropeTable(ids, text);
  const { logits } = await sequence.step({ tokens, embeddings: embeddings.slice(), cos, sin, rows: [tokens - 1] });
  if (!logits.every(Number.isFinite)) throw new Error('The decoder gave no numbers.');
}

function float32(shape: readonly number[], data: Float32Array) {
  return { type: 'float32', shape, data } as const;
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

/** Bytes of an `[out, in]` weight, zero points left out since they are a hundredth. */
function weightBytes(of: Dtype, kind: 'decoder' | 'head', out: number, input: number): number {
  const format = LINEAR_FORMATS[of][kind];
  if (format.store !== 'blocks') return out * input * 4;
  return out * Math.ceil(input / format.block) * ((format.block * format.bits) / 8 + 4);
}

/** Weights of the decoder's layers, per layer, and of its head; all of them are read for every token. */
function decoderWeights(layers: number) {
  const [C, I, K, V] = [2048, 11_008, 256, 151_936];
  const shapes = [
    [C, C],
    [K, C],
    [K, C],
    [C, C],
    [I, C],
    [I, C],
    [C, I],
  ] as const;
  const layer = shapes.reduce((sum, [out, input]) => sum + weightBytes(dtype, 'decoder', out, input), 0);
  const products = shapes.reduce((sum, [out, input]) => sum + out * input, 0);
  return { bytesPerToken: layers * layer + weightBytes(dtype, 'head', V, C), productsPerToken: layers * products };
}

/** Multiplications of the vision encoder's matrices for one patch; attention comes on top, a tenth at this size. */
function visionProducts(depth: number): number {
  const [C, I] = [1280, 3420];
  const merger = ((4 * C) ** 2 + 4 * C * 2048) / 4;
  return 1176 * C + depth * (4 * C * C + 3 * C * I) + merger;
}

function child<T>(...args: readonly string[]): T {
  const script = fileURLToPath(import.meta.url);
  const shared = ['--dtype', dtype, '--threads', String(threads)];
  const output = execFileSync(process.execPath, [script, ...args, ...shared], { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(output.toString()) as T;
}

async function main(): Promise<void> {
  const shape = { layers: Number(options.layers), visionDepth: Number(options['vision-depth']) };
  const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-qwen-full-'));
  try {
    const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${gigabytes(totalmem())}`;
    console.log(`${machine}, load average ${loadavg()[0]?.toFixed(1)}, Node ${process.version}, ${threads} threads\n`);
    const [checkpoint, target] = [path.join(scratch, 'checkpoint'), options.built ?? path.join(scratch, 'built')];
    const building: [string, string][] = [];
    if (!existsSync(target)) {
      building.push(['checkpoint', gigabytes(await writeRandomCheckpoint(checkpoint, shape))]);
      const built = child<Built>('build', checkpoint, target);
      rmSync(checkpoint, { recursive: true });
      building.push(['build', `${built.seconds.toFixed(0)} s, peak RSS ${gigabytes(built.peakBytes)}`]);
      building.push(['built folder', gigabytes(built.fileBytes)]);
    }
    const before = await readBytesPerSecond(threads);
    const ran = child<Ran>('run', target);
    const { bytesPerToken, productsPerToken } = decoderWeights(shape.layers);
    const patches = PAIR_TIMES.length * GRID.rows * GRID.columns;
    const visionSpeed = (2 * patches * visionProducts(shape.visionDepth)) / ran.visionSeconds;
    const speedOf = (seconds: number) => (2 * ran.promptTokens * productsPerToken) / seconds;
    const prefill = (seconds: number) =>
      `${seconds.toFixed(1)} s, ${(ran.promptTokens / seconds).toFixed(1)} tokens/s, ${giga(speedOf(seconds))}FLOP/s`;
    // Each table as soon as it is there: a run that is stopped has told something.
    table(`${dtype}, ${shape.layers} layers, ${shape.visionDepth} vision blocks`, [
      ...building,
      ['load, hashes included', `${ran.loadSeconds.toFixed(1)} s, then RSS ${gigabytes(ran.loadedBytes)}`],
      ['peak RSS of the run', gigabytes(ran.peakBytes)],
    ]);
    table(
      `A window: ${PAIR_TIMES.length} frame pairs of ${GRID.rows} × ${GRID.columns} patches, ${ran.promptTokens} tokens`,
      [
        ['vision', `${ran.visionSeconds.toFixed(1)} s, ${giga(visionSpeed)}FLOP/s`],
        ['prefill', prefill(ran.prefillSeconds)],
        ['decode, fastest and median step', rates(ran.steps)],
      ],
    );
    const between = await readBytesPerSecond(threads);
    const llama = options.llama ? runLlama(options.llama, shape.layers, ran.promptTokens, scratch) : undefined;
    if (llama)
      table(`llama.cpp (llama-cpp-python ${llama.version}), the same text model in Q4_0`, [
        ['prefill', prefill(llama.prefill_s)],
        ['decode, fastest and median step', rates({ fastest: llama.fastest_step_s, median: llama.step_s })],
        ['compiled for', llama.system.replaceAll(' |', ',').replace(/,$/, '')],
      ]);
    const bandwidth = Math.max(before, between, await readBytesPerSecond(threads));
    const float = await productsPerSecond('fp32', 512, threads);
    const own = await productsPerSecond(dtype, 512, threads);
    const ceiling = bandwidth / bytesPerToken;
    table('Beside what the machine can do', [
      ['vision / float32 product', share(visionSpeed, float)],
      ['prefill / float32 product', share(speedOf(ran.prefillSeconds), float)],
      [`prefill / ${dtype} product`, share(speedOf(ran.prefillSeconds), own)],
      [
        'roofline of decoding',
        `${ceiling.toFixed(2)} tokens/s (${giga(bandwidth)}B/s over ${gigabytes(bytesPerToken)} a token)`,
      ],
      ['fastest step / roofline', share(1 / ran.steps.fastest, ceiling)],
      ...(llama
        ? ([
            [
              `llama.cpp's fastest step / its roofline (${gigabytes(llama.bytes_per_token)} a token)`,
              share(1 / llama.fastest_step_s, bandwidth / llama.bytes_per_token),
            ],
          ] as const)
        : []),
      ['float32 product, 512 rows × 2,048 × 11,008', `${giga(float)}FLOP/s`],
      [`${dtype} product, the same`, `${giga(own)}FLOP/s`],
    ]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function table(title: string, rows: readonly (readonly [string, string])[]): void {
  console.log(`| ${title} | |\n| --- | ---: |`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  console.log('');
}

function rates({ fastest, median }: Steps): string {
  const tokens = [fastest, median].map((seconds) => (1 / seconds).toFixed(2));
  return `${(1000 * fastest).toFixed(0)} and ${(1000 * median).toFixed(0)} ms a token, ${tokens.join(' and ')} tokens/s`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

function giga(value: number): string {
  return `${(value / 1e9).toFixed(1)} G`;
}

function share(value: number, of: number): string {
  return (value / of).toFixed(2);
}

const [part, ...paths] = positionals;
if (part === 'build') console.log(JSON.stringify(await build(paths[0] ?? '', paths[1] ?? '')));
else if (part === 'run') console.log(JSON.stringify(await run(paths[0] ?? '')));
else await main();
