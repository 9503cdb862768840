/** The summary of a video as chapters. */

import type { Library } from '../../index/library.js';
import type { EventRecord, VideoRecord } from '../../index/store/records.js';
import type { Seconds } from '../../src/time.js';
import type { Chapter } from '../schema/chapter.js';
import { allEvents, allSegments } from './rows.js';
import { cleanLine } from './text.js';

/** Longest title in characters. */
const TITLE_LENGTH = 120;

/**
 * Chapters in order, without overlaps. With captions of a model: one for each captioned segment, titled by the caption's first
 * sentence. Without: the chapters that the file itself has. Without those: its shots, honestly titled `Shot 3`.
 */
export async function* chaptersOf(library: Library, video: VideoRecord): AsyncGenerator<Chapter> {
  if (await hasCaption(library, video.id)) yield* captionChapters(library, video.id);
  else if (library.events(video.id, { kinds: ['chapter'], limit: 1 }).items.length > 0)
    yield* fileChapters(library, video.id);
  else yield* shotChapters(library, video);
}

/**
 * Times at which a new shot begins, in order, without 0 and the end: a cut at its time, a fade or dissolve at its middle.
 */
export async function* shotStarts(library: Library, video: VideoRecord): AsyncGenerator<Seconds> {
  let last = 0;
  for await (const event of allEvents(library, video.id, { kinds: ['cut', 'fade', 'dissolve'], sources: ['signal'] })) {
    const at = event.kind === 'cut' ? event.start : (event.start + event.end) / 2;
    if (at <= last || at >= video.duration) continue;
    last = at;
    yield at;
  }
}

async function* shotChapters(library: Library, video: VideoRecord): AsyncGenerator<Chapter> {
  if (video.duration <= 0) return;
  let start = 0;
  let number = 1;
  for await (const at of shotStarts(library, video)) {
    yield { start, end: at, title: `Shot ${number}`, source: 'signal' };
    start = at;
    number++;
  }
  yield { start, end: video.duration, title: `Shot ${number}`, source: 'signal' };
}

async function* fileChapters(library: Library, videoId: string): AsyncGenerator<Chapter> {
  let held: EventRecord | undefined;
  for await (const event of allEvents(library, videoId, { kinds: ['chapter'] })) {
    if (held && event.start > held.start) yield fileChapter(held, Math.min(held.end, event.start));
    held = event;
  }
  if (held) yield fileChapter(held, held.end);
}

function fileChapter(event: EventRecord, end: Seconds): Chapter {
  return { start: event.start, end, title: shortTitle(event.text), source: 'container' };
}

async function* captionChapters(library: Library, videoId: string): AsyncGenerator<Chapter> {
  for await (const segment of allSegments(library, videoId)) {
    if (segment.caption === undefined) continue;
    yield { start: segment.start, end: segment.end, title: firstSentence(segment.caption), source: 'model' };
  }
}

async function hasCaption(library: Library, videoId: string): Promise<boolean> {
  for await (const segment of allSegments(library, videoId)) if (segment.caption !== undefined) return true;
  return false;
}

function firstSentence(caption: string): string {
  return shortTitle(cleanLine(caption).split(/(?<=[.!?。！？])\s/u)[0] ?? '');
}

function shortTitle(text: string): string {
  const characters = [...cleanLine(text)];
  return characters.length <= TITLE_LENGTH ? characters.join('') : `${characters.slice(0, TITLE_LENGTH - 1).join('')}…`;
}
