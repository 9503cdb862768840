/** BERT with sentence-transformers' head, written for reading: one text at a time, nested lists, doubles. */

import type { BertConfig } from '../../../src/meaning/bert.js';

export type Matrix = readonly (readonly number[])[];

export class BertTwin {
  constructor(
    private readonly config: BertConfig,
    private readonly weights: ReadonlyMap<string, Matrix>,
  ) {}

  /** The vector of length 1 of one text. */
  embed(ids: readonly number[]): number[] {
    const words = this.#matrix('embeddings.word_embeddings.weight');
    const positions = this.#matrix('embeddings.position_embeddings.weight');
    const [firstType] = this.#matrix('embeddings.token_type_embeddings.weight');
    let x = ids.map((id, position) => add(add(row(words, id), row(positions, position)), firstType ?? []));
    x = x.map((token) => this.#norm('embeddings.LayerNorm', token));
    for (let layer = 0; layer < this.config.layers; layer++) x = this.#layer(`encoder.layer.${layer}`, x);
    const mean = x.reduce((sum, token) => add(sum, token)).map((sum) => sum / x.length);
    const length = Math.hypot(...mean);
    return mean.map((value) => value / length);
  }

  #layer(name: string, x: number[][]): number[][] {
    const project = (part: string) => x.map((token) => this.#dense(`${name}.attention.self.${part}`, token));
    const [query, key, value] = [project('query'), project('key'), project('value')];
    const width = this.config.hiddenSize / this.config.heads;
    return x.map((token, s) => {
      const seen: number[] = [];
      for (let start = 0; start < this.config.hiddenSize; start += width) {
        const head = (of: readonly number[]) => of.slice(start, start + width);
        const scores = key.map((k) => Math.exp(dot(head(query[s] ?? []), head(k)) / Math.sqrt(width)));
        const total = scores.reduce((a, b) => a + b);
        const mixed = value.map((v, t) => head(v).map((number) => (number * (scores[t] ?? 0)) / total));
        seen.push(...mixed.reduce((a, b) => add(a, b)));
      }
      const attended = add(this.#dense(`${name}.attention.output.dense`, seen), token);
      const middle = this.#norm(`${name}.attention.output.LayerNorm`, attended);
      const wide = this.#dense(`${name}.intermediate.dense`, middle).map(gelu);
      return this.#norm(`${name}.output.LayerNorm`, add(this.#dense(`${name}.output.dense`, wide), middle));
    });
  }

  #dense(name: string, x: readonly number[]): number[] {
    const [bias] = this.#matrix(`${name}.bias`);
    return this.#matrix(`${name}.weight`).map((weights, i) => dot(weights, x) + (bias?.[i] ?? 0));
  }

  #norm(name: string, x: readonly number[]): number[] {
    const [[scale], [bias]] = [this.#matrix(`${name}.weight`), this.#matrix(`${name}.bias`)];
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    return x.map(
      (v, i) =>
        ((v - mean) / Math.sqrt(variance + this.config.layerNormEpsilon)) * (scale?.[i] ?? 0) + (bias?.[i] ?? 0),
    );
  }

  #matrix(name: string): Matrix {
    const matrix = this.weights.get(name);
    if (!matrix) throw new Error(`The twin has no ${name}.`);
    return matrix;
  }
}

function row(matrix: Matrix, index: number): readonly number[] {
  return matrix[index] ?? [];
}

function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + (b[i] ?? 0));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** x·Φ(x), Φ by Simpson's rule over the normal density: slow, and nothing to get wrong. */
function gelu(x: number): number {
  const steps = 2000;
  const width = x / steps;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density(i * width) * (i % 2 === 1 ? 4 : 2);
  return x * (0.5 + (sum * width) / 3);
}
