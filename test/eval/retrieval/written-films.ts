/** The films that were written for this project (fixtures/retrieval). */

import { RETRIEVAL_FILMS, type RetrievalFilm } from '../../../fixtures/retrieval/films.js';
import type { EventKind, EventSource } from '../../../src/event.js';
import { type Corpus, linesOf } from './corpus.js';

const KINDS: Readonly<Record<RetrievalFilm['layer'], readonly [EventKind, EventSource]>> = {
  speech: ['speech', 'speech'],
  subtitle: ['subtitle', 'subtitle'],
  caption: ['caption', 'model'],
  text: ['text', 'text'],
};

export function writtenFilms(films: readonly RetrievalFilm[] = RETRIEVAL_FILMS): Corpus {
  return {
    name: 'written',
    films: films.map(({ name, layer, lines, asks, never }) => ({
      name,
      lines: linesOf(lines, ...KINDS[layer]),
      questions: [...asks.map(([text, ...right]) => ({ text, right })), ...never.map((text) => ({ text, right: [] }))],
    })),
  };
}
