/** Both graphs of a tiny model, open, with feeds in the shape of plain rows. */

import type { Tensor } from '../../../src/onnx/element-type.js';
import { modelBytes } from '../../../src/onnx/model-proto.js';
import { type Tensors as Results, Session } from '../../../src/onnx/session.js';
import type { QwenConfig } from '../../../src/qwen/config.js';
import { decoderGraph } from '../../../src/qwen/graphs/decoder.js';
import { patchValues, visionGraph } from '../../../src/qwen/graphs/vision.js';
import { mropeTable } from '../../../src/qwen/mrope.js';
import { type PatchGrid, visionLayout } from '../../../src/qwen/vision-layout.js';
import type { Dtype } from '../../../src/qwen/weight-format.js';
import { type Tensors, weightSource } from './tiny-checkpoint.js';
import type { Row } from './twin.js';

export function float32(shape: readonly number[], data: Float32Array): Tensor {
  return { type: 'float32', shape, data };
}

export function rowsOf(tensor: Tensor | undefined, width: number): number[][] {
  if (tensor?.type !== 'float32') throw new Error(`Expected float32, got ${tensor?.type}.`);
  return Array.from({ length: tensor.data.length / width }, (_, row) => [
    ...tensor.data.subarray(row * width, (row + 1) * width),
  ]);
}

/** Largest difference in units of the expected numbers' root mean square. */
export function relativeError(actual: readonly Row[], expected: readonly Row[]): number {
  const [a, e] = [actual.flat(), expected.flat()];
  if (a.length !== e.length) return Number.POSITIVE_INFINITY;
  const unit = Math.sqrt(e.reduce((sum, value) => sum + value * value, 0) / e.length);
  return Math.max(...e.map((value, i) => Math.abs(value - (a[i] ?? Number.NaN)))) / unit;
}

/** Root mean square of the differences, in the same units: what rounding that goes either way does to a result as a whole. */
export function meanError(actual: readonly Row[], expected: readonly Row[]): number {
  const [a, e] = [actual.flat(), expected.flat()];
  if (a.length !== e.length) return Number.POSITIVE_INFINITY;
  const square = (values: readonly number[]) => values.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(e.map((value, i) => value - (a[i] ?? Number.NaN))) / square(e));
}

export class GraphSession {
  private constructor(
    readonly config: QwenConfig,
    readonly visionSession: Session,
    readonly decoderSession: Session,
  ) {}

  static async open(config: QwenConfig, tensors: Tensors, dtype: Dtype = 'fp32'): Promise<GraphSession> {
    const source = weightSource(tensors);
    const [vision, decoder] = [visionGraph(config.vision, source, dtype), decoderGraph(config.text, source, dtype)];
    return new GraphSession(
      config,
      await Session.open(await modelBytes(vision), { threads: 1 }),
      await Session.open(await modelBytes(decoder), { threads: 1 }),
    );
  }

  async close(): Promise<void> {
    await this.visionSession.close();
    await this.decoderSession.close();
  }

  /** @param pairs per frame pair: a row per patch in the reference's order @returns per pair: merged tokens in raster order */
  async vision(grid: PatchGrid, pairs: readonly (readonly Row[])[]): Promise<number[][][]> {
    const { vision } = this.config;
    const layout = visionLayout(grid, vision);
    const { windows: W, patchesPerWindow: P, source } = layout;
    const values = patchValues(vision);
    const patches = new Float32Array(pairs.length * W * P * values);
    pairs.forEach((pair, t) => {
      source.forEach((patch, slot) => {
        if (patch >= 0) patches.set(pair[patch] ?? [], (t * W * P + slot) * values);
      });
    });
    const { embeddings } = await this.visionSession.run({
      patches: float32([pairs.length, W, P, values], patches),
      cos: float32([W * P, vision.headDim], layout.cos),
      sin: float32([W * P, vision.headDim], layout.sin),
      key_bias: float32([W, P], layout.keyBias),
    });
    const rows = rowsOf(embeddings, vision.outHiddenSize);
    const slots = (W * P) / vision.spatialMergeSize ** 2;
    return pairs.map((_, t) => [...layout.mergedSlots].map((slot) => rows[t * slots + slot] ?? []));
  }

  /**
   * @param batch sequences of equal length
   * @param past results of an earlier run, whose keys and values come first
   */
  async decoder(
    batch: readonly (readonly Row[])[],
    positions: readonly (readonly [number, number, number])[],
    options: { readonly past?: readonly Results[]; readonly logitRows?: readonly number[] } = {},
  ) {
    const { text } = this.config;
    const [B, S] = [batch.length, positions.length];
    const ids = Int32Array.from([0, 1, 2].flatMap((axis) => positions.map((position) => position[axis] ?? 0)));
    const { cos, sin } = mropeTable(ids, text);
    const repeated = (table: Float32Array) =>
      Float32Array.from({ length: B * table.length }, (_, i) => table[i % table.length] ?? 0);
    const logitRows = options.logitRows ?? positions.map((_, i) => i);
    const results = await this.decoderSession.run({
      inputs_embeds: float32([B, S, text.hiddenSize], Float32Array.from(batch.flat(2))),
      cos: float32([B, S, text.headDim], repeated(cos)),
      sin: float32([B, S, text.headDim], repeated(sin)),
      logit_rows: { type: 'int64', shape: [logitRows.length], data: BigInt64Array.from(logitRows, BigInt) },
      ...pastFeeds(this.config, B, options.past ?? []),
    });
    return {
      results,
      logits: rowsOf(results['logits'], text.vocabSize),
      hidden: rowsOf(results['hidden'], text.hiddenSize),
    };
  }
}

/** The keys and values of several runs, one after the other, as the past of the next. */
export function pastFeeds({ text }: QwenConfig, B: number, runs: readonly Results[]): Record<string, Tensor> {
  const { kvHeads: K, headDim: D } = text;
  const feeds: Record<string, Tensor> = {};
  for (let layer = 0; layer < text.layers; layer++)
    for (const kind of ['key', 'value']) {
      const parts = runs.map((run) => rowsOf(run[`new_${kind}.${layer}`], D));
      // [B, K, S, D] each: rows of one head lie together.
      const heads = Array.from({ length: B * K }, (_, head) =>
        parts.flatMap((part) => part.slice((head * part.length) / (B * K), ((head + 1) * part.length) / (B * K))),
      );
      const past = heads[0]?.length ?? 0;
      feeds[`past_${kind}.${layer}`] = float32([B, K, past, D], Float32Array.from(heads.flat(2)));
    }
  return feeds;
}
