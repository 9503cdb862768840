/** Asks every question of a corpus: in its own film and in the library of all films, and each again as if the lines that answer it were not there. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseSearch } from '../../../index/search/parse.js';
import { type Candidate, retrieve } from '../../../index/search/retrieve.js';
import { openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import type { MediaEvent } from '../../../src/event.js';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { embedEvents } from '../../../src/window-meaning.js';
import type { Corpus, CorpusFilm } from './corpus.js';

export const PLACES = ['own', 'all'] as const;
/** In the question's own film, or in the library of all films of its set. */
export type Place = (typeof PLACES)[number];

/** One question as it was asked once. */
export interface Asked {
  readonly set: string;
  readonly film: number;
  readonly layer: Layer;
  readonly place: Place;
  readonly answerable: boolean;
  readonly candidates: readonly Candidate[];
  isRight(candidate: Candidate): boolean;
}

export const LAYERS = ['speech and subtitles', 'captions and events', 'text on screen'] as const;
export type Layer = (typeof LAYERS)[number];

export async function* gather(corpus: Corpus, embedder: Embedder): AsyncGenerator<Asked> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-retrieval-'));
  const library = openLibrary(folder, { create: true });
  try {
    const ids: string[] = [];
    for (const film of corpus.films) ids.push(await fill(library, film, embedder));
    await embedder.embed(corpus.films.flatMap(({ questions }) => questions.map(({ text }) => text)));
    for (const [film, { questions, lines }] of corpus.films.entries()) {
      const id = ids[film] ?? '';
      for (const { text, right, alsoRight } of questions) {
        const isRight = ({ event }: Candidate) =>
          (event.videoId === id && right.includes(Number(event.attributes['position']))) ||
          alsoRight?.has(event.text) === true;
        for (const place of PLACES) {
          const request = { query: text, ...(place === 'own' ? { videoIds: [id] } : {}) };
          const candidates = await retrieve(await parseSearch(request, library), library, embedder, undefined);
          const asked = { set: corpus.name, film, layer: layerOf(lines[0]), place, isRight };
          const others = candidates.filter((candidate) => !isRight(candidate));
          if (right.length > 0) yield { ...asked, answerable: true, candidates };
          yield { ...asked, answerable: false, candidates: others };
        }
      }
    }
  } finally {
    await library.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns id of the video */
export async function fill(library: SqliteLibrary, film: CorpusFilm, embedder: Embedder): Promise<string> {
  const { id } = library.addVideo({
    path: `/films/${film.name}.mp4`,
    title: film.name,
    sha256: Buffer.from(film.name).toString('hex').slice(0, 64).padStart(64, '0'),
    sizeBytes: 1,
    modified: 0,
    fingerprint: 'retrieval',
  });
  const events = film.lines.map(
    (line, position): MediaEvent => ({ ...line, precision: 0.1, attributes: { position } }),
  );
  const duration = Math.max(...film.lines.map(({ end }) => end));
  library.writeWindow(
    id,
    {
      window: { index: 0, start: 0, end: duration, frames: [], activity: 0 },
      precision: 0,
      events: await embedEvents(embedder, events, []),
    },
    embedder.id,
  );
  library.updateVideo(id, { state: 'ready', duration });
  return id;
}

function layerOf(line: CorpusFilm['lines'][number] | undefined): Layer {
  if (line?.source === 'model') return 'captions and events';
  return line?.source === 'text' ? 'text on screen' : 'speech and subtitles';
}
