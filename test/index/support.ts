/** What the tests of the index share: folders that go away, small videos, and an embedder whose meaning is plain to see. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { seededRandom } from '../../fixtures/film/random.js';
import type { NewVideo } from '../../index/library.js';
import type { WindowWrite } from '../../index/store/records.js';
import { type LibraryOptions, openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import type { MediaEvent } from '../../src/event.js';
import type { Embedder, SimilarityScale } from '../../src/meaning/embedder.js';

const opened: SqliteLibrary[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const library of opened.splice(0)) await library.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder that is deleted after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'longwatch-index-'));
  folders.push(folder);
  return folder;
}

/** A library that is closed and deleted after the test. */
export function temporaryLibrary(options: LibraryOptions & { readonly directory?: string } = {}): SqliteLibrary {
  const { directory = temporaryFolder(), ...rest } = options;
  const library = openLibrary(directory, { create: true, ...rest });
  opened.push(library);
  return library;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function newVideo(name: string, changes: Partial<NewVideo> = {}): NewVideo {
  return {
    path: `/films/${name}.mp4`,
    title: name,
    sha256: sha256(name),
    sizeBytes: 1_000_000,
    modified: 1_700_000_000_000.5,
    fingerprint: 'settings-1',
    ...changes,
  };
}

/** A subtitle over [start, end). */
export function subtitle(start: number, end: number, text: string): MediaEvent {
  return { kind: 'subtitle', source: 'subtitle', start, end, precision: 0.05, text, attributes: {} };
}

export function signal(kind: MediaEvent['kind'], start: number, end: number, text: string): MediaEvent {
  return { kind, source: 'signal', start, end, precision: 0.02, text, attributes: {} };
}

/** Window `index` of ten seconds with these events. */
export function windowOf(index: number, events: WindowWrite['events'] = []): WindowWrite {
  const start = index * 10;
  return {
    window: {
      index,
      start,
      end: start + 10,
      frames: [
        { pts: start * 1000, time: start },
        { pts: start * 1000 + 40, time: start + 0.04 },
      ],
      activity: 0.25,
    },
    precision: 0.5,
    events,
  };
}

/** Uniform in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  return seededRandom(seed).next;
}

/**
 * Vectors with the structure of sentence embeddings: few hidden causes, mixed into many numbers. (Independent random numbers have no
 * neighbourhoods, and no index finds what is not there.)
 */
export function latentVectors(count: number, dim: number, seed = 1, causes = 12): Float32Array[] {
  const random = randomFrom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const mixingRandom = randomFrom(99);
  const mixing = Array.from({ length: causes * dim }, () => mixingRandom() - 0.5);
  return Array.from({ length: count }, () => {
    const hidden = Array.from({ length: causes }, normal);
    return Float32Array.from({ length: dim }, (_, d) =>
      hidden.reduce((sum, h, c) => sum + h * (mixing[c * dim + d] as number), 0),
    );
  });
}

/** Words that mean the same, for `BagOfWords`. */
const SYNONYMS: Readonly<Record<string, string>> = {
  bunny: 'rabbit',
  hare: 'rabbit',
  wakes: 'awaken',
  opens: 'awaken',
  eyes: 'awaken',
  plane: 'aircraft',
  jet: 'aircraft',
};
const IGNORED = new Set(['the', 'its', 'up', 'a', 'is', 'of', 'in', 'to', 'when', 'does']);

/** Meaning = which words, after synonyms. Two texts without a common word have cosine 0 (but for rare collisions). */
export class BagOfWords implements Embedder {
  readonly id = 'bag-of-words';
  readonly dim = 256;

  readonly scale: SimilarityScale | undefined;

  constructor(scale: SimilarityScale | null = { unrelated: 0.15, match: 0.38, same: 0.85 }) {
    this.scale = scale ?? undefined;
  }

  calls = 0;

  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    this.calls++;
    return texts.map((text) => {
      const vector = new Float32Array(this.dim);
      for (const word of text.toLowerCase().match(/[a-z]+/g) ?? ['nothing']) {
        if (IGNORED.has(word)) continue;
        const slot = Number.parseInt(sha256(SYNONYMS[word] ?? word).slice(0, 8), 16) % this.dim;
        vector[slot] = (vector[slot] as number) + 1;
      }
      if (vector.every((value) => value === 0)) vector[0] = 1;
      const norm = Math.hypot(...vector);
      return vector.map((value) => value / norm);
    });
  }

  async close(): Promise<void> {}
}

/** Writes the events into one window per ten seconds, with embeddings when there is an embedder. */
export async function fill(
  library: SqliteLibrary,
  videoId: string,
  events: readonly MediaEvent[],
  embedder?: Embedder,
) {
  const indexes = [...new Set(events.map((event) => Math.floor(event.start / 10)))].sort((a, b) => a - b);
  for (const index of indexes) {
    const list = events.filter((event) => Math.floor(event.start / 10) === index);
    const vectors = embedder ? await embedder.embed(list.map((event) => event.text)) : [];
    const written = list.map((event, i) => {
      const embedding = event.source === 'signal' ? undefined : vectors[i];
      return embedding ? { event, embedding } : { event };
    });
    library.writeWindow(videoId, windowOf(index, written), embedder?.id);
  }
}
