/**
 * From logits to a token: repetition penalty, mask, temperature, top-k, top-p, in the order and with the meaning of Hugging Face's
 * `generate`. Pure over typed arrays; functions that change their logits say so.
 */

import { LongwatchError } from '../errors.js';

export interface SamplingOptions {
  /** 0 takes the most likely token; above 0 one is drawn from softmax(logits / temperature). @default 0 */
  readonly temperature?: number;
  /** Draws among this many of the most likely tokens, and whatever is as likely as the last of them. @default all */
  readonly topK?: number;
  /** Draws among the fewest most likely tokens that together have at least this probability, (0, 1]. @default 1 */
  readonly topP?: number;
  /**
   * Above 1 makes tokens of the prompt and of the answer less likely: positive logits are divided, negative ones multiplied by it.
   * It counts the digits and quotes of structured answers too, so it is best left at 1 with a grammar. @default 1
   */
  readonly repetitionPenalty?: number;
}

/** @throws {LongwatchError} `invalid_input` */
export function checkSampling({ temperature, topK, topP, repetitionPenalty }: SamplingOptions): void {
  const refuse = (name: string, value: number, wanted: string) => {
    throw new LongwatchError('invalid_input', `"${name}" cannot be ${value}.`, { hint: `It must be ${wanted}.` });
  };
  if (temperature !== undefined && !(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    refuse('temperature', temperature, '0 or more');
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) refuse('topK', topK, 'a whole number, 1 or more');
  if (topP !== undefined && !(topP > 0 && topP <= 1)) refuse('topP', topP, 'above 0 and at most 1');
  if (repetitionPenalty !== undefined && !(repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY))
    refuse('repetitionPenalty', repetitionPenalty, 'above 0');
}

/** Changes `logits`: each token that was seen, however often, is penalised once. Keskar et al. 2019, arXiv:1909.05858, section 4.1. */
export function penalizeRepetition(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  if (penalty === 1) return;
  for (const id of seen) {
    const logit = logits[id];
    if (logit !== undefined) logits[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

const LEAST = -3.4028234663852886e38;

/**
 * Changes `logits`: what the mask (bit `id & 31` of word `id >>> 5`) leaves out becomes −∞; what it allows stays finite, so that an
 * allowed token is chosen even where the model gives none a chance.
 */
export function applyMask(logits: Float32Array, mask: Uint32Array): void {
  for (let id = 0; id < logits.length; id++) {
    const allowed = ((mask[id >>> 5] as number) >>> (id & 31)) & 1;
    if (!allowed) logits[id] = Number.NEGATIVE_INFINITY;
    else if (logits[id] === Number.NEGATIVE_INFINITY) logits[id] = LEAST;
  }
}

/** The token with the largest logit, the first of equals. @throws {LongwatchError} `model_failed` when one is not a number. */
export function mostLikely(logits: Float32Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit > most) {
      most = logit;
      best = id;
    } else if (Number.isNaN(logit)) throw notANumber();
  }
  if (best < 0) throw notANumber();
  return best;
}

/**
 * One token by the options; `random` gives numbers in [0, 1).
 * @throws {LongwatchError} `model_failed` when a logit is not a number
 */
export function chooseToken(logits: Float32Array, options: SamplingOptions, random: () => number): number {
  const { temperature = 0, topK = logits.length, topP = 1 } = options;
  const likeliest = mostLikely(logits);
  if (temperature === 0) return likeliest;
  const most = logits[likeliest] as number;
  const least = topK < logits.length ? kthLargest(logits, topK) : Number.NEGATIVE_INFINITY;
  const ids: number[] = [];
  const weights: number[] = [];
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit < least || logit === Number.NEGATIVE_INFINITY) continue;
    const weight = Math.exp((logit - most) / temperature);
    ids.push(id);
    weights.push(weight);
    total += weight;
  }
  return topP < 1 ? drawNucleus(ids, weights, total, topP, random) : draw(ids, weights, total, random);
}

/** Holtzman et al. 2019, arXiv:1904.09751, section 3.1: the smallest set of the most likely that has probability p or more. */
function drawNucleus(ids: number[], weights: number[], total: number, topP: number, random: () => number): number {
  // What lies below this together has less than 1 - p, so it is outside; only the rest is worth sorting.
  const floor = ((1 - topP) / weights.length) * total;
  const order = weights.flatMap((weight, i) => (weight >= floor ? i : []));
  order.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
  const kept: number[] = [];
  let sum = 0;
  for (const i of order) {
    kept.push(i);
    sum += weights[i] as number;
    if (sum >= topP * total) break;
  }
  return draw(
    kept.map((i) => ids[i] as number),
    kept.map((i) => weights[i] as number),
    sum,
    random,
  );
}

function draw(ids: readonly number[], weights: readonly number[], total: number, random: () => number): number {
  let left = random() * total;
  let last = ids[0] as number;
  for (let i = 0; i < ids.length; i++) {
    const weight = weights[i] as number;
    // What has no weight is not drawn, not even where rounding leaves a rest after the last weight.
    if (weight === 0) continue;
    last = ids[i] as number;
    left -= weight;
    if (left < 0) return last;
  }
  return last;
}

/** The k-th largest value, 1 ≤ k ≤ length: the root of a heap that holds the k largest, its least on top. */
function kthLargest(values: Float32Array, k: number): number {
  const heap = values.slice(0, k).sort();
  for (let i = k; i < values.length; i++) {
    const value = values[i] as number;
    if (value <= (heap[0] as number)) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= value) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = value;
  }
  return heap[0] as number;
}

/** ln softmax(logits)[id], summed in doubles. */
export function logProbability(logits: Float32Array, id: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - most);
  return (logits[id] as number) - most - Math.log(total);
}

/** Numbers in [0, 1) of 53 bits, the same for the same seed on every machine. SplitMix64: Steele, Lea & Flood, OOPSLA 2014. */
export function seededRandom(seed: number): () => number {
  let state = BigInt.asUintN(64, BigInt(Math.trunc(seed)));
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    mixed ^= mixed >> 31n;
    return Number(mixed >> 11n) / 2 ** 53;
  };
}

function notANumber(): LongwatchError {
  return new LongwatchError('model_failed', 'The model gave no numbers.', {
    hint: 'The weights may be damaged: run `longwatch models verify`; or build the model with another dtype.',
  });
}
