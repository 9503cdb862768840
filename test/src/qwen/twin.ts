/**
 * Qwen2.5-VL written for reading: one token, one head, one key at a time, in doubles, without windows as a batch, padding or a cache.
 * Tokens of a picture stand in the reference's order (merged tokens in raster order, their four patches inside), and two patches see
 * each other in a windowed block when they lie in the same square of the picture.
 */

import { type QwenConfig, VISION_NORM_EPS, VISION_ROPE_THETA } from '../../../src/qwen/config.js';
import type { PatchGrid } from '../../../src/qwen/vision-layout.js';
import type { Tensors } from './tiny-checkpoint.js';

export type Row = readonly number[];

export class Twin {
  /** What the last call of `vision` gave to the merger. */
  lastHidden: readonly Row[] = [];

  constructor(
    private readonly config: QwenConfig,
    private readonly tensors: Tensors,
  ) {}

  /** @param patches one frame pair, a row of pixel values per patch, in the reference's order @returns merged tokens in raster order */
  vision(grid: PatchGrid, patches: readonly Row[]): number[][] {
    const { vision } = this.config;
    const { heads, headDim, spatialMergeSize: merge } = vision;
    const places = placesOf(grid, merge);
    const side = vision.windowSize / vision.patchSize;
    const windowOf = ({ row, column }: Place) => `${Math.floor(row / side)},${Math.floor(column / side)}`;
    const angles = places.map((place) => visionAngles(place, headDim));
    let x = patches.map((patch) => this.#times('visual.patch_embed.proj.weight', patch));
    for (let block = 0; block < vision.depth; block++) {
      const name = `visual.blocks.${block}`;
      const full = vision.fullAttentionBlocks.includes(block);
      const qkv = x.map((token) =>
        this.#dense(`${name}.attn.qkv`, this.#norm(`${name}.norm1`, token, VISION_NORM_EPS)),
      );
      const width = heads * headDim;
      const part = (index: number) => qkv.map((token) => token.slice(index * width, (index + 1) * width));
      const [query, key] = [0, 1].map((index) =>
        part(index).map((token, t) => turn(token, angles[t] ?? [], headDim)),
      ) as [number[][], number[][]];
      const seen = attend(
        query,
        key,
        part(2),
        { heads, keyHeads: heads, headDim },
        (q, k) => full || windowOf(places[q] as Place) === windowOf(places[k] as Place),
      );
      x = x.map((token, t) => add(token, this.#dense(`${name}.attn.proj`, seen[t] ?? [])));
      x = x.map((token) =>
        add(token, this.#mlp(`${name}.mlp`, this.#norm(`${name}.norm2`, token, VISION_NORM_EPS), true)),
      );
    }
    this.lastHidden = x;
    const merged: number[][] = [];
    for (let start = 0; start < x.length; start += merge ** 2) {
      const group = x.slice(start, start + merge ** 2);
      const joined = group.flatMap((token) => this.#norm('visual.merger.ln_q', token, VISION_NORM_EPS));
      merged.push(this.#dense('visual.merger.mlp.2', this.#dense('visual.merger.mlp.0', joined).map(gelu)));
    }
    return merged;
  }

  /** @param positions per token: time, row, column @returns the last norm's output and the logits of every token */
  decoder(embeddings: readonly Row[], positions: readonly (readonly [number, number, number])[]) {
    const { text } = this.config;
    const { heads, kvHeads, headDim } = text;
    const angles = positions.map((position) => textAngles(position, this.config));
    let x = embeddings.map((row) => [...row]);
    for (let layer = 0; layer < text.layers; layer++) {
      const name = `model.layers.${layer}`;
      const normed = x.map((token) => this.#norm(`${name}.input_layernorm`, token, text.rmsNormEps));
      const project = (part: string) => normed.map((token) => this.#dense(`${name}.self_attn.${part}`, token));
      const turned = (part: string) => project(part).map((token, t) => turn(token, angles[t] ?? [], headDim));
      const seen = attend(
        turned('q_proj'),
        turned('k_proj'),
        project('v_proj'),
        { heads, keyHeads: kvHeads, headDim },
        (q, k) => k <= q,
      );
      x = x.map((token, t) => add(token, this.#times(`${name}.self_attn.o_proj.weight`, seen[t] ?? [])));
      x = x.map((token) =>
        add(
          token,
          this.#mlp(`${name}.mlp`, this.#norm(`${name}.post_attention_layernorm`, token, text.rmsNormEps), false),
        ),
      );
    }
    const hidden = x.map((token) => this.#norm('model.norm', token, text.rmsNormEps));
    const head = text.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    return { hidden, logits: hidden.map((token) => this.#times(head, token)) };
  }

  #mlp(name: string, x: Row, bias: boolean): number[] {
    const dense = (part: string, of: Row) =>
      bias ? this.#dense(`${name}.${part}`, of) : this.#times(`${name}.${part}.weight`, of);
    const [gate, up] = [dense('gate_proj', x), dense('up_proj', x)];
    return dense(
      'down_proj',
      gate.map((value, i) => (value / (1 + Math.exp(-value))) * (up[i] ?? 0)),
    );
  }

  #norm(name: string, x: Row, epsilon: number): number[] {
    const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
    const scale = this.#values(`${name}.weight`);
    return x.map((value, i) => (value / root) * (scale[i] ?? 0));
  }

  #dense(name: string, x: Row): number[] {
    return add(this.#times(`${name}.weight`, x), [...this.#values(`${name}.bias`)]);
  }

  #times(name: string, x: Row): number[] {
    const weight = this.#values(name);
    return Array.from({ length: weight.length / x.length }, (_, out) =>
      x.reduce((sum, value, i) => sum + value * (weight[out * x.length + i] ?? 0), 0),
    );
  }

  #values(name: string): Float32Array {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`No tensor ${name}.`);
    return tensor.values;
  }
}

interface Place {
  readonly row: number;
  readonly column: number;
}

/** Where each patch lies in the picture, in the reference's order. */
function placesOf(grid: PatchGrid, merge: number): Place[] {
  const places: Place[] = [];
  for (let top = 0; top < grid.rows; top += merge)
    for (let left = 0; left < grid.columns; left += merge)
      for (let y = 0; y < merge; y++) for (let x = 0; x < merge; x++) places.push({ row: top + y, column: left + x });
  return places;
}

/** One angle per pair of channels: a half of them turns with the row, the other with the column. */
function visionAngles({ row, column }: Place, headDim: number): number[] {
  const count = headDim / 4;
  const of = (position: number) =>
    Array.from({ length: count }, (_, f) => position * VISION_ROPE_THETA ** (-f / count));
  return [...of(row), ...of(column)];
}

function textAngles(position: readonly [number, number, number], { text }: QwenConfig): number[] {
  const axis = text.mropeSection.flatMap((count, dimension) => Array<number>(count).fill(dimension));
  return axis.map((dimension, f) => (position[dimension] ?? 0) * text.ropeTheta ** (-f / (text.headDim / 2)));
}

/** Channel i of a head turns with channel i + D/2. */
function turn(x: Row, angles: Row, headDim: number): number[] {
  const half = headDim / 2;
  return x.map((value, i) => {
    const inHead = i % headDim;
    const angle = angles[inHead % half] ?? 0;
    const partner = inHead < half ? -(x[i + half] ?? 0) : (x[i - half] ?? 0);
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

function attend(
  query: readonly Row[],
  key: readonly Row[],
  value: readonly Row[],
  { heads, keyHeads, headDim }: { readonly heads: number; readonly keyHeads: number; readonly headDim: number },
  sees: (query: number, key: number) => boolean,
): number[][] {
  return query.map((q, t) =>
    Array.from({ length: heads }, (_, head) => {
      const keyHead = Math.floor((head * keyHeads) / heads);
      const inHead = (x: Row, h: number) => x.slice(h * headDim, (h + 1) * headDim);
      const seen = key.map((_, k) => k).filter((k) => sees(t, k));
      const scores = seen.map((k) => dot(inHead(q, head), inHead(key[k] ?? [], keyHead)) / Math.sqrt(headDim));
      const highest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - highest));
      const total = weights.reduce((a, b) => a + b, 0);
      return seen
        .map((k, i) => inHead(value[k] ?? [], keyHead).map((number) => (number * (weights[i] ?? 0)) / total))
        .reduce(add);
    }).flat(),
  );
}

function dot(a: Row, b: Row): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function add(a: Row, b: Row): number[] {
  return a.map((value, i) => value + (b[i] ?? 0));
}

/** x·Φ(x); erf by Abramowitz & Stegun 7.1.5, summed until nothing changes. */
function gelu(x: number): number {
  const z = x / Math.SQRT2;
  if (Math.abs(z) > 5) return Math.max(x, 0);
  let term = z;
  let sum = z;
  for (let n = 1; n < 200; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (x * (1 + (2 / Math.sqrt(Math.PI)) * sum)) / 2;
}
