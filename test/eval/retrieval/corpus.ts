/** Films as a library holds them, with questions whose answering lines are known: what every source of the retrieval set is brought into. */

import type { EventKind, EventSource } from '../../../src/event.js';
import type { Seconds } from '../../../src/time.js';

export interface CorpusLine {
  readonly text: string;
  readonly kind: EventKind;
  readonly source: EventSource;
  readonly start: Seconds;
  readonly end: Seconds;
}

export interface CorpusQuestion {
  readonly text: string;
  /** Positions of all lines that answer it; none where the film does not. */
  readonly right: readonly number[];
  /** Texts that answer it in whatever film they stand. @default none */
  readonly alsoRight?: ReadonlySet<string>;
}

export interface CorpusFilm {
  readonly name: string;
  readonly lines: readonly CorpusLine[];
  readonly questions: readonly CorpusQuestion[];
}

/** Films that lie in one library together. */
export interface Corpus {
  readonly name: string;
  readonly films: readonly CorpusFilm[];
}

/** Lines lie so far apart that no two are one moment. */
const LINE_EVERY: Seconds = 10;
const LINE_LENGTH: Seconds = 3;

/** Lines of one kind behind each other, each a moment of its own. */
export function linesOf(texts: readonly string[], kind: EventKind, source: EventSource): CorpusLine[] {
  return texts.map((text, at) => ({
    text,
    kind,
    source,
    start: at * LINE_EVERY,
    end: at * LINE_EVERY + LINE_LENGTH,
  }));
}
