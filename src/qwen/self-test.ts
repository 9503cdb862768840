/**
 * A small fixed input through both graphs of a built model, and what came out in a few numbers: written down when the model is built
 * and compared later, so that a runtime, a device or a disk that computes something else is found before it answers a question.
 * It says that the model computes as it did, not that it computes right; for that there is `longwatch models compare`.
 */

import { LongwatchError } from '../errors.js';
import type { Tensor } from '../onnx/element-type.js';
import { Session, type SessionOptions, type Tensors } from '../onnx/session.js';
import type { QwenConfig } from './config.js';
import { patchesPerWindow, patchValues } from './graphs/vision.js';
import { mropeTable } from './mrope.js';
import { visionLayout } from './vision-layout.js';
import type { Dtype } from './weight-format.js';

/** Of one output tensor: the root mean square, then values at equal distances. */
export type Digest = readonly number[];
export type SelfTest = Readonly<Record<string, Digest>>;

const SAMPLES = 8;
/** Enough that devices take the kernels they take for real prompts: from 32 queries on, WebGPU's attention is another program. */
const PROMPT_TOKENS = 40;
/**
 * Largest difference, in units of the root mean square. Products of blocks round their inputs to 8 bits, and where two processors
 * round differently a hundredth or two are expected after 36 layers; a wrong kernel is off by one or more.
 */
const TOLERANCE: Readonly<Record<Dtype, number>> = { fp32: 2e-3, fp16: 2e-2, int8: 0.15, q4: 0.15 };

export interface GraphFiles {
  readonly vision: string;
  readonly decoder: string;
}

/** Runs both graphs, one after the other so that only one is in memory. @throws {LongwatchError} as `Session` does. */
export async function runSelfTest(
  files: GraphFiles,
  config: QwenConfig,
  options: SessionOptions = {},
): Promise<SelfTest> {
  const vision = await withSession(files.vision, options, (session) => session.run(visionFeeds(config)));
  const decoder = await withSession(files.decoder, options, async (session) => {
    const prompt = await session.run(promptFeeds(config));
    const step = await session.run(stepFeeds(config, pastOf(config, prompt)));
    return { 'prompt.logits': prompt['logits'], 'prompt.hidden': prompt['hidden'], 'step.logits': step['logits'] };
  });
  return { 'vision.embeddings': digest(vision['embeddings']), ...mapValues(decoder, digest) };
}

/**
 * @throws {LongwatchError} `model_failed` when an output differs from what was written down, with both numbers.
 */
export function compareSelfTest(found: SelfTest, expected: SelfTest, dtype: Dtype): void {
  for (const [name, numbers] of Object.entries(expected)) {
    const unit = Math.max(Math.abs(numbers[0] ?? 0), Number.MIN_VALUE);
    numbers.forEach((number, i) => {
      const other = found[name]?.[i] ?? Number.NaN;
      if (!(Math.abs(other - number) / unit <= TOLERANCE[dtype]))
        throw new LongwatchError(
          'model_failed',
          `The self-test gives ${other} for ${name}[${i}], and gave ${number} when the model was built.`,
          {
            hint: 'Build the model again; if it stays, this device or runtime computes it wrongly, so choose another device.',
          },
        );
    });
  }
}

async function withSession<T>(
  file: string,
  options: SessionOptions,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await Session.open(file, options);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** Two frame pairs of a ragged grid, so that windows, padding and full blocks all take part. */
function visionFeeds({ vision }: QwenConfig): Tensors {
  const merge = vision.spatialMergeSize;
  const layout = visionLayout({ rows: 3 * merge, columns: 5 * merge }, vision);
  const [P, values, pairs] = [patchesPerWindow(vision), patchValues(vision), 2];
  const patches = noise(pairs * layout.windows * P * values, 1);
  for (let slot = 0; slot < pairs * layout.windows * P; slot++)
    if (layout.source[slot % (layout.windows * P)] === -1) patches.fill(0, slot * values, (slot + 1) * values);
  const table = [layout.windows * P, vision.headDim];
  return {
    patches: float32([pairs, layout.windows, P, values], patches),
    cos: float32(table, layout.cos),
    sin: float32(table, layout.sin),
    key_bias: float32([layout.windows, P], layout.keyBias),
  };
}

function promptFeeds(config: QwenConfig): Tensors {
  const { text } = config;
  const positions = Array.from({ length: PROMPT_TOKENS }, (_, i) => i);
  const empty = () => float32([1, text.kvHeads, 0, text.headDim], new Float32Array(0));
  return {
    ...tokens(config, positions, 2),
    logit_rows: { type: 'int64', shape: [1], data: BigInt64Array.of(BigInt(PROMPT_TOKENS - 1)) },
    ...Object.fromEntries(
      layers(config).flatMap((layer) => [
        [`past_key.${layer}`, empty()],
        [`past_value.${layer}`, empty()],
      ]),
    ),
  };
}

/** The prompt's keys and values, given back as the past of the next token. */
function pastOf(config: QwenConfig, results: Tensors): Tensors {
  return Object.fromEntries(
    layers(config).flatMap((layer) => [
      [`past_key.${layer}`, results[`new_key.${layer}`] as Tensor],
      [`past_value.${layer}`, results[`new_value.${layer}`] as Tensor],
    ]),
  );
}

function stepFeeds(config: QwenConfig, past: Tensors): Tensors {
  return {
    ...tokens(config, [PROMPT_TOKENS], 3),
    logit_rows: { type: 'int64', shape: [1], data: BigInt64Array.of(0n) },
    ...past,
  };
}

function tokens({ text }: QwenConfig, positions: readonly number[], seed: number) {
  const S = positions.length;
  const { cos, sin } = mropeTable(Int32Array.from([...positions, ...positions, ...positions]), text);
  return {
    inputs_embeds: float32([1, S, text.hiddenSize], noise(S * text.hiddenSize, seed)),
    cos: float32([1, S, text.headDim], cos),
    sin: float32([1, S, text.headDim], sin),
  };
}

function layers({ text }: QwenConfig): number[] {
  return Array.from({ length: text.layers }, (_, layer) => layer);
}

function float32(shape: readonly number[], data: Float32Array): Tensor {
  return { type: 'float32', shape, data };
}

/** The same numbers from −1 to 1 everywhere: a linear congruential generator (Knuth's MMIX constants would need 64 bits; these are C's). */
export function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) / 0x3f_ffff - 1;
  });
}

/** @throws {LongwatchError} `model_failed` for what is no tensor of finite numbers */
export function digest(tensor: Tensor | undefined): Digest {
  if (tensor?.type !== 'float32' || tensor.data.length === 0)
    throw new LongwatchError('model_failed', 'The model answered with a tensor of another kind.');
  const { data } = tensor;
  const square = data.reduce((sum, value) => sum + value * value, 0);
  const numbers = [
    Math.sqrt(square / data.length),
    ...Array.from({ length: SAMPLES }, (_, i) => data[Math.floor((i * data.length) / SAMPLES)] as number),
  ];
  // JSON has no word for these, and a model that gives them is broken whatever was expected.
  if (!numbers.every(Number.isFinite))
    throw new LongwatchError('model_failed', 'The model computes numbers that are infinite or not numbers.', {
      hint: 'Build it as fp32 or q4; if it stays, the checkpoint is damaged.',
    });
  return numbers;
}

function mapValues<V, T>(record: Readonly<Record<string, V>>, map: (value: V) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
