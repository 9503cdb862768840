/**
 * A library of any size whose texts and vectors have the structure of real ones, written by the library's own statements in larger transactions.
 *
 * Every video is about a few topics, every window about one or two of them. A vector is a mix of topics in a space of 32 hidden causes, laid into
 * 384 numbers with noise (independent random numbers have no neighbourhoods, and no index finds what is not there). Half of a caption's words are of
 * its topic, half of everybody's; both are drawn by Zipf's law, so the commonest word is in a third of all captions.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom } from '../../fixtures/film/random.js';
import { Database } from '../../index/store/database.js';
import { Embeddings } from '../../index/store/embeddings.js';
import { Events } from '../../index/store/events.js';
import { Makings } from '../../index/store/makings.js';
import type { EventWrite } from '../../index/store/records.js';
import { DATABASE_FILE } from '../../index/store/sqlite-library.js';
import { Videos } from '../../index/store/videos.js';
import { Windows } from '../../index/store/windows.js';
import type { EventKind } from '../../src/event.js';
import { MINILM_ID } from '../../src/meaning/minilm.js';
import type { Seconds } from '../../src/time.js';

export const EMBEDDER = MINILM_ID;
export const DIM = 384;
const CAUSES = 32;
const TOPICS = 400;
const TOPIC_WORDS = 80;
const VOCABULARY = 30_000;
/** Length of the noise beside a vector of length 1. */
const NOISE = 0.35;
const WINDOWS_A_VIDEO = 120;
const WINDOW: Seconds = 30;
/** Windows in one transaction. */
const BATCH = 500;

/** What signals say, as often as in a film. */
const SIGNALS: readonly (readonly [EventKind, string, number])[] = [
  ['cut', 'cut', 0.62],
  ['motion', 'fast motion', 0.2],
  ['dissolve', 'dissolve', 0.06],
  ['fade', 'fade to black', 0.05],
  ['black', 'black screen', 0.04],
  ['flash', 'flash of light', 0.03],
];

export class DrawnWorld {
  readonly #words: readonly string[];
  readonly #topicWords: readonly (readonly string[])[];
  readonly #centres: readonly Float32Array[];
  readonly #mixing: Float32Array;

  constructor() {
    const random = randomFrom(11);
    this.#words = distinctWords(VOCABULARY, random);
    this.#topicWords = Array.from({ length: TOPICS }, () =>
      Array.from({ length: TOPIC_WORDS }, () => this.#words[200 + Math.floor(random() * (VOCABULARY - 200))] ?? ''),
    );
    this.#centres = Array.from({ length: TOPICS }, () => Float32Array.from({ length: CAUSES }, () => normal(random)));
    this.#mixing = Float32Array.from({ length: CAUSES * DIM }, () => normal(random) / Math.sqrt(DIM));
  }

  /** The word of this rank among everybody's words, from 0: the commonest. */
  word(rank: number): string {
    return this.#words[rank] ?? '';
  }

  topicWord(topic: number, rank: number): string {
    return this.#topicWords[topic]?.[rank] ?? '';
  }

  topicsOfVideo(random: () => number): readonly number[] {
    return Array.from({ length: 6 }, () => Math.floor(random() * TOPICS));
  }

  caption(topics: readonly number[], random: () => number): string {
    const length = 8 + Math.floor(random() * 7);
    return Array.from({ length }, () =>
      random() < 0.5
        ? this.word(zipf(VOCABULARY, random))
        : this.topicWord(pick(topics, random), zipf(TOPIC_WORDS, random)),
    ).join(' ');
  }

  /** Of length 1. */
  vector(topics: readonly number[], random: () => number): Float32Array {
    const hidden = Array.from(
      { length: CAUSES },
      (_, cause) =>
        topics.reduce((sum, topic) => sum + (this.#centres[topic]?.[cause] ?? 0), 0) / topics.length +
        0.5 * normal(random),
    );
    const vector = new Float32Array(DIM);
    for (let cause = 0; cause < CAUSES; cause++) {
      const weight = hidden[cause] as number;
      for (let d = 0; d < DIM; d++)
        vector[d] = (vector[d] as number) + weight * (this.#mixing[cause * DIM + d] as number);
    }
    const noise = (NOISE * Math.hypot(...vector)) / Math.sqrt(DIM);
    for (let d = 0; d < DIM; d++) vector[d] = (vector[d] as number) + noise * normal(random);
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  }
}

/**
 * The folder of a library of `segments` windows of 30 s, 120 to a video, each with a caption, its embedding and `signals` signals. It is written once
 * and kept below `cache`.
 */
export function drawnLibrary(cache: string, segments: number, signals: number, world: DrawnWorld): string {
  const directory = path.join(cache, `drawn-${segments}-${signals}`);
  const mark = path.join(directory, 'complete');
  if (existsSync(mark)) return directory;
  mkdirSync(directory, { recursive: true });
  const db = Database.open(path.join(directory, DATABASE_FILE), { create: true });
  const videos = new Videos(db);
  const embeddings = new Embeddings(db);
  const makings = new Makings(db, videos, embeddings);
  const windows = new Windows(db, videos, new Events(db, videos, embeddings), makings);
  const random = randomFrom(5);
  const films = filmsOf(cache, segments);
  const count = Math.ceil(segments / WINDOWS_A_VIDEO);
  let left = segments;
  for (let number = 0; number < count; number++) {
    const name = `video-${String(number).padStart(5, '0')}`;
    const { id } = videos.add({
      path: path.join(films, `${name}.mp4`),
      title: name,
      sha256: number.toString(16).padStart(12, '0').padEnd(64, '0'),
      sizeBytes: 1,
      modified: 1,
      fingerprint: 'drawn',
    });
    const own = world.topicsOfVideo(random);
    const length = Math.min(WINDOWS_A_VIDEO, left);
    left -= length;
    for (let from = 0; from < length; from += BATCH) {
      db.write(() => {
        for (let index = from; index < Math.min(length, from + BATCH); index++) {
          const start = index * WINDOW;
          const events = eventsOf(start, own, signals, world, random);
          windows.write(
            id,
            { window: { index, start, end: start + WINDOW, frames: [], activity: random() }, precision: 0.5, events },
            EMBEDDER,
          );
        }
      });
    }
    videos.update(id, { state: 'ready', duration: length * WINDOW });
  }
  db.close();
  writeFileSync(mark, '');
  return directory;
}

/** Where the files of the videos would lie. */
export function filmsOf(cache: string, segments: number): string {
  return path.join(cache, `films-${segments}`);
}

function eventsOf(
  start: Seconds,
  own: readonly number[],
  signals: number,
  world: DrawnWorld,
  random: () => number,
): EventWrite[] {
  const topics = random() < 0.5 ? [pick(own, random)] : [pick(own, random), pick(own, random)];
  const caption: EventWrite = {
    event: {
      kind: 'caption',
      source: 'model',
      start,
      end: start + WINDOW,
      precision: 0.5,
      text: world.caption(topics, random),
      attributes: {},
    },
    embedding: world.vector(topics, random),
  };
  const measured = Array.from({ length: signals }, (_, n): EventWrite => {
    const [kind, text] = drawnSignal(random());
    const at = start + ((n + random()) * WINDOW) / signals;
    return { event: { kind, source: 'signal', start: at, end: at + 0.04, precision: 0.02, text, attributes: {} } };
  });
  return [caption, ...measured];
}

/** @param share 0..1: of all signals, those before this one */
function drawnSignal(share: number): readonly [EventKind, string] {
  let left = share;
  for (const [kind, text, part] of SIGNALS) {
    if (left < part) return [kind, text];
    left -= part;
  }
  return ['cut', 'cut'];
}

/** Uniform in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  return seededRandom(seed).next;
}

/** By Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A rank below `count` with a frequency of about 1 / rank: the inverse of the logarithm that sums these. */
function zipf(count: number, random: () => number): number {
  return Math.min(count - 1, Math.floor((count + 1) ** random()) - 1);
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** Of syllables, with an end that no English ending is taken off from. */
function distinctWords(count: number, random: () => number): string[] {
  const words = new Set<string>();
  const letter = (letters: string) => letters[Math.floor(random() * letters.length)] ?? '';
  while (words.size < count) {
    const syllables = 2 + Math.floor(random() * 2);
    const body = Array.from({ length: syllables }, () => letter('bdfgklmnprtvz') + letter('aiou')).join('');
    words.add(`${body}${letter('kmnp')}`);
  }
  return [...words];
}
