/**
 * The same sentences as subtitles cut them, a few words at a time: whether it helps that a line is embedded with its sentence (`passages`), and that
 * neighbouring hits become one span (`spansOf`). The truth is the whole sentence that answers.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fuse } from '../../../index/search/fuse.js';
import { parseSearch } from '../../../index/search/parse.js';
import { retrieve } from '../../../index/search/retrieve.js';
import { spansOf } from '../../../index/search/spans.js';
import { openLibrary } from '../../../index/store/sqlite-library.js';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { intersect, type Seconds, type TimeRange } from '../../../src/time.js';
import { type Corpus, type CorpusFilm, type CorpusLine, type CorpusQuestion, linesOf } from './corpus.js';
import { fill } from './gather.js';

const WORDS_A_LINE = 7;
const LINE_LENGTH: Seconds = 2;
const PAUSE: Seconds = 0.2;
const PAUSE_AFTER_SENTENCE: Seconds = 0.8;

export interface CutResult {
  readonly name: string;
  readonly questions: number;
  /** Share of the questions whose first hit touches a sentence that answers. */
  readonly touched: number;
  /** Mean over all questions of the first hit's overlap with it, as intersection over union; none where nothing is found. */
  readonly iou: number;
}

export async function cutLines(corpora: readonly Corpus[], embedder: Embedder): Promise<CutResult[]> {
  const results: CutResult[] = [];
  for (const passages of [false, true]) {
    const found = { one: [] as number[], joined: [] as number[] };
    for (const { films } of corpora)
      for (const film of films) {
        const { cut, sentences } = cutFilm(film, passages);
        const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-retrieval-'));
        const library = openLibrary(folder, { create: true });
        try {
          await fill(library, cut, embedder);
          for (const { text, right } of film.questions) {
            const matches = fuse(
              await retrieve(await parseSearch({ query: text }, library), library, embedder, undefined),
              embedder.scale,
            );
            const truths = right.flatMap((at) => sentences[at] ?? []);
            const overlap = (range: TimeRange | undefined) =>
              range ? Math.max(0, ...truths.map((truth) => iouOf(range, truth))) : 0;
            found.one.push(overlap(matches[0]?.event));
            found.joined.push(overlap(spansOf(matches)[0]));
          }
        } finally {
          await library.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
    for (const [merging, overlaps] of [
      ['the best line alone', found.one],
      ['neighbours joined', found.joined],
    ] as const)
      results.push({
        name: `${passages ? 'lines embedded with their sentence' : 'lines embedded alone'}, ${merging}`,
        questions: overlaps.length,
        touched: overlaps.filter((overlap) => overlap > 0).length / overlaps.length,
        iou: overlaps.reduce((sum, overlap) => sum + overlap, 0) / overlaps.length,
      });
  }
  return results;
}

/** @param whole whether a line is embedded with its sentence: chapters, which are else treated alike, never are */
function cutFilm(film: CorpusFilm, whole: boolean): { cut: CorpusFilm; sentences: TimeRange[] } {
  const lines: CorpusLine[] = [];
  const sentences: TimeRange[] = [];
  const none: CorpusQuestion[] = [];
  let time: Seconds = 0;
  for (const { text } of film.lines) {
    const words = text.split(/\s+/);
    const start = time;
    for (let at = 0; at < words.length; at += WORDS_A_LINE) {
      const [line] = linesOf([words.slice(at, at + WORDS_A_LINE).join(' ')], 'subtitle', 'subtitle');
      const kind = whole ? 'subtitle' : 'chapter';
      if (line) lines.push({ ...line, kind, start: time, end: time + LINE_LENGTH });
      time += LINE_LENGTH + PAUSE;
    }
    sentences.push({ start, end: time - PAUSE });
    time += PAUSE_AFTER_SENTENCE;
  }
  return { cut: { ...film, lines, questions: none }, sentences };
}

function iouOf(a: TimeRange, b: TimeRange): number {
  const both = intersect(a, b);
  if (!both) return 0;
  return (both.end - both.start) / (Math.max(a.end, b.end) - Math.min(a.start, b.start));
}
