/** Fits the map from scores to a confidence (`index/search/confidence.ts`) and says how it does on hits that it has not seen. */

import { writeFile } from 'node:fs/promises';
import { confidenceOf, hasMeasuredEvidence, rivalsOf } from '../../../index/search/confidence.js';
import { CONFIDENCE_MAP } from '../../../index/search/confidence-map.js';
import { fuse, type Match, rank } from '../../../index/search/fuse.js';
import type { Embedder } from '../../../src/meaning/embedder.js';
import type { Asked, Layer, Place } from './gather.js';

/** Hits that a search shows unless it is asked for more. */
const SHOWN = 10;

export const EVIDENCES = ['words and meaning', 'meaning alone', 'words alone', 'one word or a guessed one'] as const;
type Evidence = (typeof EVIDENCES)[number];

export interface JudgedHit {
  readonly set: string;
  readonly film: number;
  readonly layer: Layer;
  readonly place: Place;
  readonly evidence: Evidence;
  readonly score: number;
  readonly rival: number;
  readonly right: boolean;
  /** By the map that stands in the source. */
  readonly confidence: number | undefined;
}

export type ConfidenceParameters = Record<'score' | 'rival' | 'constant' | 'ceiling', number>;

export function judgedHits(asked: Asked, { scale, id }: Embedder): JudgedHit[] {
  const rivals = rivalsOf(rank(asked.candidates, scale));
  if (!rivals) return [];
  return fuse(asked.candidates, scale)
    .slice(0, SHOWN)
    .map((hit) => ({
      set: asked.set,
      film: asked.film,
      layer: asked.layer,
      place: asked.place,
      evidence: evidenceOf(hit),
      score: hit.score,
      rival: rivals.score,
      right: asked.isRight(hit),
      confidence: confidenceOf(hit, rivals, id),
    }));
}

function evidenceOf(hit: Match): Evidence {
  if (hasMeasuredEvidence(hit)) return 'words and meaning';
  if (hit.coverage === 0) return 'meaning alone';
  return hit.similarity === undefined ? 'words alone' : 'one word or a guessed one';
}

export function confidenceBy({ score, rival, constant, ceiling }: ConfidenceParameters, hit: JudgedHit): number {
  return ceiling / (1 + Math.exp(-(score * hit.score + rival * hit.rival + constant)));
}

const STEPS = 6000;
const RATE = 0.05;

/** Least log loss, every set of films weighing as much as another. Adam (Kingma & Ba 2015) over all hits; the same hits give the same numbers. */
export function fitConfidence(hits: readonly JudgedHit[]): ConfidenceParameters {
  const counts = new Map<string, number>();
  for (const { set } of hits) counts.set(set, (counts.get(set) ?? 0) + 1);
  const weights = Float64Array.from(hits, ({ set }) => 1 / ((counts.get(set) ?? 1) * counts.size));
  // The ceiling is kept between 0 and 1 as a logistic function of the last.
  const parameters = [8, -4, -4, 1];
  const first = [0, 0, 0, 0];
  const second = [0, 0, 0, 0];
  for (let step = 1; step <= STEPS; step++) {
    const slope = [0, 0, 0, 0];
    const [a = 0, b = 0, c = 0, d = 0] = parameters;
    const ceiling = logistic(d);
    for (let i = 0; i < hits.length; i++) {
      const hit = hits[i] as JudgedHit;
      const part = logistic(a * hit.score + b * hit.rival + c);
      const p = Math.min(1 - 1e-9, Math.max(1e-9, ceiling * part));
      const toP = ((weights[i] ?? 0) * (p - (hit.right ? 1 : 0))) / (p * (1 - p));
      const toZ = toP * ceiling * part * (1 - part);
      slope[0] = (slope[0] ?? 0) + toZ * hit.score;
      slope[1] = (slope[1] ?? 0) + toZ * hit.rival;
      slope[2] = (slope[2] ?? 0) + toZ;
      slope[3] = (slope[3] ?? 0) + toP * part * ceiling * (1 - ceiling);
    }
    for (let k = 0; k < parameters.length; k++) {
      const value = slope[k] ?? 0;
      first[k] = 0.9 * (first[k] ?? 0) + 0.1 * value;
      second[k] = 0.999 * (second[k] ?? 0) + 0.001 * value * value;
      const mean = (first[k] ?? 0) / (1 - 0.9 ** step);
      const spread = Math.sqrt((second[k] ?? 0) / (1 - 0.999 ** step));
      parameters[k] = (parameters[k] ?? 0) - (RATE * mean) / (spread + 1e-8);
    }
  }
  const [score = 0, rival = 0, constant = 0, last = 0] = parameters.map((value) => Math.round(value * 100) / 100);
  return { score, rival, constant, ceiling: Math.round(100 * logistic(last)) / 100 };
}

function logistic(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** Sets and films that hits come from, counted. */
export function filmsOf(hits: readonly JudgedHit[]): number {
  return new Set(hits.map(({ set, film }) => `${set} ${film}`)).size;
}

export async function writeMap(
  file: string,
  parameters: ConfidenceParameters,
  hits: readonly JudgedHit[],
): Promise<void> {
  await writeFile(
    file,
    `/** Written by \`npm run eval:retrieval -- --published FOLDER --fit\`; see docs/accuracy.md. Not edited by hand. */

export const CONFIDENCE_MAP = {
  /** Only scores of this embedder were measured. */
  embedder: '${CONFIDENCE_MAP.embedder}',
  fitted: '${new Date().toISOString().slice(0, 10)}',
  /** Hits and films that it was fitted on. */
  hits: ${String(hits.length).replace(/\B(?=(\d{3})+$)/g, '_')},
  films: ${filmsOf(hits)},
  /** See \`confidenceOf\`. */
  score: ${parameters.score},
  rival: ${parameters.rival},
  constant: ${parameters.constant},
  ceiling: ${parameters.ceiling},
} as const;
`,
  );
}

/** 95 % interval of a share (Wilson 1927). */
export function wilson(right: number, count: number): readonly [low: number, high: number] {
  const z = 1.96;
  const share = right / count;
  const middle = share + (z * z) / (2 * count);
  const reach = z * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count));
  const scale = 1 + (z * z) / count;
  return [(middle - reach) / scale, (middle + reach) / scale];
}
