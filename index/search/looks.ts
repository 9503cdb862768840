/**
 * Which pictures of the library look like what is asked in words, and how surely.
 *
 * A cosine says nothing by itself: of a text with a picture that it describes it is small, and differs between models. So only what the
 * checkpoint was trained to say is believed (`PictureScale`). SigLIP gives a probability of the pair. CLIP chooses among texts: the question has
 * to describe the picture better than all of `OTHER_TEXTS` together. How often either is right about film is not measured.
 */

import type { Awaitable } from '../../src/awaitable.js';
import type { PictureEmbedder, PictureScale } from '../../src/meaning/picture-embedder.js';
import type { Library, PointHit, Retrieval, SearchScope } from '../library.js';
import type { EventRecord } from '../store/records.js';

/** What a picture has to do with the question. */
export interface Look {
  /** 0..1: the checkpoint's own probability, see `PictureScale`. */
  readonly likelihood: number;
  /** Whether it is an answer by itself. */
  readonly matches: boolean;
  /** For a person, e.g. `looks like it 0.42`. */
  readonly says: string;
}

export interface LookHit extends Look {
  readonly event: EventRecord;
  /** Place among the pictures that were found, from 0. */
  readonly rank: number;
}

/**
 * From which probability on a picture is an answer. SigLIP was trained to find one right text among tens of thousands, so it is sparing: what it
 * gives a tenth it would choose from a library that is smaller than that. CLIP must hold the question for likelier than all else together.
 */
export const LEAST_LIKELIHOOD: Readonly<Record<PictureScale['kind'], number>> = { pair: 0.1, among: 0.5 };

/**
 * What a picture may show instead: kinds of pictures and of what is in them, coarse enough that a question is seldom one of them. The more there
 * are, the harder an answer is; none is a thing that somebody would look for.
 */
export const OTHER_TEXTS: readonly string[] = [
  'a photo',
  'a blurry picture',
  'a dark picture',
  'a bright picture',
  'a black screen',
  'a white background',
  'a close-up',
  'a view from far away',
  'a drawing',
  'an animation',
  'a computer screen',
  'text on a screen',
  'a logo',
  'a person',
  'two people talking',
  'a group of people',
  'a face',
  'a hand',
  'an animal',
  'a plant',
  'food on a table',
  'a room',
  'a building',
  'a street',
  'a vehicle',
  'a machine',
  'a landscape',
  'the sky',
  'water',
  'a forest',
  'a stage',
  'a sports field',
];

/** Pictures that are looked through. */
const DEPTH = 200;

export class Looks {
  #others: Promise<Float32Array[]> | undefined;

  constructor(
    private readonly library: Pick<Library, 'holds'>,
    private readonly retrieval: Retrieval,
    private readonly embedder: PictureEmbedder,
  ) {}

  /** Whether there is anything to look at. The model is not opened for nothing. */
  any(): Awaitable<boolean> {
    return this.library.holds(this.embedder.id);
  }

  /** The nearest pictures, answers or not, best first. @throws {LongwatchError} as `PictureEmbedder.embedTexts` */
  async find(text: string, scope: SearchScope | undefined, signal: AbortSignal | undefined): Promise<LookHit[]> {
    const { scale, id } = this.embedder;
    const [vector] = await this.embedder.embedTexts([text], signal);
    if (!vector) return [];
    const judged = (hits: readonly (PointHit | Omit<PointHit, 'vector'>)[], judge: (index: number) => number) =>
      hits
        .map(({ event }, index) => ({ event, ...lookOf(judge(index), scale) }))
        .sort((a, b) => b.likelihood - a.likelihood)
        .map((look, rank) => ({ ...look, rank }));
    if (scale.kind === 'pair') {
      const hits = await this.retrieval.nearest(id, vector, DEPTH, scope);
      return judged(hits, (index) => pairLikelihood(hits[index]?.similarity ?? -1, scale));
    }
    const hits = await this.retrieval.nearestPoints(id, vector, DEPTH, scope);
    const others = unlike(vector, await this.#otherTexts());
    return judged(hits, (index) => {
      const picture = hits[index]?.vector ?? vector;
      return amongLikelihood(
        dot(vector, picture),
        others.map((other) => dot(other, picture)),
        scale.factor,
      );
    });
  }

  /** Embedded once. A failure is not remembered. They belong to all questions, so one that is given up does not end them. */
  #otherTexts(): Promise<Float32Array[]> {
    this.#others ??= this.embedder.embedTexts(OTHER_TEXTS).catch((error: unknown) => {
      this.#others = undefined;
      throw error;
    });
    return this.#others;
  }
}

function lookOf(likelihood: number, { kind }: PictureScale): Look {
  const shown = likelihood.toFixed(2);
  const says =
    kind === 'pair' ? `looks like it ${shown}` : `looks like it ${shown} among ${OTHER_TEXTS.length + 1} texts`;
  return { likelihood, matches: likelihood >= LEAST_LIKELIHOOD[kind], says };
}

/** Zhai et al. 2023, arXiv:2303.15343, eq. 1. */
export function pairLikelihood(cosine: number, { factor, bias }: PictureScale & { kind: 'pair' }): number {
  return 1 / (1 + Math.exp(-(factor * cosine + bias)));
}

/** Softmax over the question and the other texts: Radford et al. 2021, arXiv:2103.00020, section 3.1. @returns the question's share */
export function amongLikelihood(cosine: number, others: readonly number[], factor: number): number {
  return 1 / others.reduce((sum, other) => sum + Math.exp(factor * (other - cosine)), 1);
}

/**
 * Without those that say what the question says: a question must not compete with itself. As near as no two of them are to each other counts as
 * the same.
 */
export function unlike(question: Float32Array, others: readonly Float32Array[]): Float32Array[] {
  const nearest = others.reduce(
    (most, one, i) => others.slice(i + 1).reduce((best, other) => Math.max(best, dot(one, other)), most),
    -1,
  );
  return others.filter((other) => dot(question, other) <= nearest);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
