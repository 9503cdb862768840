/** Fewer, longer chapters out of many short ones. Pure. */

import type { Seconds } from '../../src/time.js';
import type { Chapter } from '../schema/chapter.js';

/** How coarse a summary is. Without either it is as fine as what it is made of. */
export interface Granularity {
  /** At most so many chapters, of lengths as even as their borders allow. 1 or more. */
  readonly targetCount?: number | undefined;
  /** No chapter is shorter, unless there is only one. */
  readonly minLength?: Seconds | undefined;
}

/** Halvings of the film's length: below a millisecond for any film. */
const HALVINGS = 40;

/** As `groupsOf`, each joined into one. A chapter bears the title of its longest part. */
export function coarser(chapters: readonly Chapter[], granularity: Granularity): Chapter[] {
  return groupsOf(chapters, granularity).map(one);
}

/**
 * Neighbours put together so that they are long enough and few enough; every border is one of the given.
 * @param chapters in order, without overlaps
 */
export function groupsOf(chapters: readonly Chapter[], { targetCount, minLength = 0 }: Granularity): Chapter[][] {
  const merged = joined(chapters, minLength);
  if (targetCount === undefined || merged.length <= targetCount) return merged;
  // The least length that leaves few enough; the whole film surely does.
  let [tooShort, longEnough] = [minLength, (chapters.at(-1)?.end ?? 0) - (chapters[0]?.start ?? 0)];
  for (let step = 0; step < HALVINGS; step++) {
    const length = (tooShort + longEnough) / 2;
    if (joined(chapters, length).length <= targetCount) longEnough = length;
    else tooShort = length;
  }
  return joined(chapters, longEnough);
}

/** Closes a chapter as soon as it is long enough; a rest that is not joins the last. */
function joined(chapters: readonly Chapter[], minLength: Seconds): Chapter[][] {
  const closed: Chapter[][] = [];
  let open: Chapter[] = [];
  for (const chapter of chapters) {
    open.push(chapter);
    if (chapter.end - (open[0]?.start ?? 0) < minLength) continue;
    closed.push(open);
    open = [];
  }
  const last = closed.at(-1);
  if (open.length > 0) {
    if (last) last.push(...open);
    else closed.push(open);
  }
  return closed;
}

function one(parts: readonly Chapter[]): Chapter {
  const longest = parts.reduce((best, part) => (part.end - part.start > best.end - best.start ? part : best));
  return { ...longest, start: parts[0]?.start ?? longest.start, end: parts.at(-1)?.end ?? longest.end };
}
