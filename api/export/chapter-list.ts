/** The summary of a video as chapters. */

import type { Library } from '../../index/library.js';
import type { EventRecord, VideoRecord } from '../../index/store/records.js';
import type { EventKind } from '../../src/event.js';
import type { Seconds } from '../../src/time.js';
import type { Chapter } from '../schema/chapter.js';
import { coarser, type Granularity, groupsOf } from './granularity.js';
import { allEvents } from './rows.js';
import { titledByWords } from './shot-titles.js';
import { cleanLine, shortTitle } from './text.js';

/**
 * Chapters in order, without overlaps. With captions of a model: one for each captioned stretch, titled by the caption's first
 * sentence. Without: the chapters that the file itself has. Without those: its shots, honestly titled `Shot 3`;
 * where they are to be fewer, by words of the film (`titledByWords`).
 * @param granularity all of them are read before the first is handed out when they are to be fewer. @default as they are
 */
export async function* chaptersOf(
  library: Library,
  video: VideoRecord,
  granularity: Granularity = {},
): AsyncGenerator<Chapter> {
  if (granularity.targetCount === undefined && granularity.minLength === undefined) {
    yield* finestChapters(library, video);
    return;
  }
  const all: Chapter[] = [];
  for await (const chapter of finestChapters(library, video)) all.push(chapter);
  yield* all[0]?.source === 'signal'
    ? await titledByWords(library, video, groupsOf(all, granularity))
    : coarser(all, granularity);
}

async function* finestChapters(library: Library, video: VideoRecord): AsyncGenerator<Chapter> {
  if (await has(library, video.id, 'caption')) yield* captionChapters(library, video.id);
  else if (await has(library, video.id, 'chapter')) yield* fileChapters(library, video.id);
  else yield* shotChapters(library, video);
}

/** Times at which a new shot begins, in order, without 0 and the end. */
export async function* shotStarts(library: Library, video: VideoRecord): AsyncGenerator<Seconds> {
  let last = 0;
  for await (const event of allEvents(library, video.id, { kinds: ['cut', 'fade', 'dissolve'], sources: ['signal'] })) {
    const at = shotStart(event);
    if (at <= last || at >= video.duration) continue;
    last = at;
    yield at;
  }
}

/** A cut is the first frame of its shot; a dissolve belongs half to each side; a fade goes to its end or comes from its start. */
function shotStart(event: EventRecord): Seconds {
  if (event.kind === 'dissolve') return (event.start + event.end) / 2;
  return event.kind === 'fade' && event.attributes['direction'] === 'out' ? event.end : event.start;
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
  let last = 0;
  for await (const event of allEvents(library, videoId, { kinds: ['caption'] })) {
    const start = Math.max(event.start, last);
    if (event.end <= start) continue;
    last = event.end;
    yield { start, end: event.end, title: firstSentence(event.text), source: 'model' };
  }
}

async function has(library: Library, videoId: string, kind: EventKind): Promise<boolean> {
  return (await library.events(videoId, { kinds: [kind], limit: 1 })).items.length > 0;
}

function firstSentence(caption: string): string {
  return shortTitle(cleanLine(caption).split(/(?<=[.!?。！？])\s/u)[0] ?? '');
}
