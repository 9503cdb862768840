/** Titles of chapters that are made of shots: words of the film, where there are any. A shot's number says nothing about several. */

import { isStopWord } from '../../index/fulltext/stop-words.js';
import { indexWordsOf } from '../../index/fulltext/text-query.js';
import type { Library } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { EventKind } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';
import type { Chapter } from '../schema/chapter.js';
import { allEvents } from './rows.js';
import { shortTitle } from './text.js';

/** Where words are looked for; the first kind that the video has any of. */
const WORD_KINDS = ['subtitle', 'speech', 'text'] as const satisfies readonly EventKind[];

/**
 * One chapter for each group. Its title is the line of the film, in quotation marks, that stands out most from what is said in the other
 * chapters; without any line, which shots it is: `Shots 3–7`.
 * @param groups shots of the video in order, each in one group
 */
export async function titledByWords(
  library: Library,
  video: VideoRecord,
  groups: readonly (readonly Chapter[])[],
): Promise<Chapter[]> {
  let shots = 0;
  const chapters = groups.flatMap((group): Chapter[] => {
    const [first, last] = [group[0], group.at(-1)];
    if (!first || !last) return [];
    const from = shots + 1;
    shots += group.length;
    const title = group.length === 1 ? first.title : `Shots ${from}–${shots}`;
    return [{ ...first, end: last.end, title }];
  });
  const lines = await linesOf(library, video, chapters);
  return chapters.map((chapter, index) => {
    const line = lines[index];
    return line === undefined ? chapter : { ...chapter, title: `“${shortTitle(line)}”` };
  });
}

/**
 * For each chapter the line that most of its words belong to it alone. Weighed as a search weighs words: a word counts by how few chapters
 * have it, and a line by the sum over the root of its length, so that neither one rare word nor mere length wins.
 * All lines are read twice; what is kept is a line for each chapter and the words of the film.
 */
async function linesOf(
  library: Library,
  video: VideoRecord,
  chapters: readonly Chapter[],
): Promise<(string | undefined)[]> {
  const kind = await firstKind(library, video.id);
  if (kind === undefined) return [];
  const spread = new Map<string, { chapters: number; last: number }>();
  for await (const { index, words } of linesIn(library, video, kind, chapters))
    for (const word of words) {
      const known = spread.get(word);
      if (!known) spread.set(word, { chapters: 1, last: index });
      else if (known.last !== index) spread.set(word, { chapters: known.chapters + 1, last: index });
    }
  const best: { text: string; weight: number }[] = [];
  for await (const { index, text, words } of linesIn(library, video, kind, chapters)) {
    const sum = words.reduce((all, word) => all + Math.log(1 + chapters.length / (spread.get(word)?.chapters ?? 1)), 0);
    const weight = words.length === 0 ? 0 : sum / Math.sqrt(words.length);
    if (weight > (best[index]?.weight ?? -1)) best[index] = { text, weight };
  }
  return chapters.map((_, index) => best[index]?.text);
}

/** Lines in order, each with the chapter that its middle lies in and its telling words, each once. */
async function* linesIn(library: Library, video: VideoRecord, kind: EventKind, chapters: readonly Chapter[]) {
  for await (const { start, end, text } of allEvents(library, video.id, { kinds: [kind] })) {
    const index = chapterAt(chapters, { start, end });
    const words = [...new Set(indexWordsOf(text))].filter((word) => !isStopWord(word));
    if (index >= 0) yield { index, text, words };
  }
}

/** The chapter that the middle of a line lies in, or -1. */
function chapterAt(chapters: readonly Chapter[], { start, end }: TimeRange): number {
  const middle = (start + end) / 2;
  let [low, high] = [-1, chapters.length];
  while (high - low > 1) {
    const half = (low + high) >> 1;
    if ((chapters[half]?.start ?? 0) <= middle) low = half;
    else high = half;
  }
  return low >= 0 && middle < (chapters[low]?.end ?? 0) ? low : -1;
}

async function firstKind(library: Library, videoId: string): Promise<EventKind | undefined> {
  for (const kind of WORD_KINDS)
    if ((await library.events(videoId, { kinds: [kind], limit: 1 })).items.length > 0) return kind;
  return undefined;
}
