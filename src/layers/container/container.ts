/** The container layer: chapters and tags, i.e. what the file says about itself. */

import type { VideoProbe } from '../../../ingest/video/decoder.js';
import type { MediaEvent } from '../../event.js';
import { cleanText } from '../../tasks/words.js';
import type { Seconds } from '../../time.js';

/** Longest text kept of a tag or a chapter, in characters: as much as a probe reads. */
const MAX_TEXT_LENGTH = 1000;
/** Chapter marks are written in milliseconds or finer and placed by hand. */
const CHAPTER_PRECISION: Seconds = 0.5;

/** Tags that describe the content. The rest (encoder, brand, handler …) describes the file. */
const SPOKEN_TAGS = [
  'title',
  'show',
  'episode_id',
  'artist',
  'author',
  'album',
  'genre',
  'date',
  'comment',
  'description',
  'synopsis',
  'keywords',
  'location',
];

/** Chapters in media time, sorted; a chapter that ends before the first frame is left out. */
export function chapterEvents(probe: VideoProbe, firstFrameTime: Seconds): MediaEvent[] {
  return probe.chapters
    .map((chapter, position) => ({
      start: Math.max(0, chapter.containerStart - firstFrameTime),
      end: chapter.containerEnd - firstFrameTime,
      text: cleanText(chapter.title, MAX_TEXT_LENGTH) || `Chapter ${position + 1}`,
    }))
    .filter((chapter) => chapter.end > chapter.start)
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .map((chapter) => ({
      ...chapter,
      kind: 'chapter',
      source: 'container',
      precision: CHAPTER_PRECISION,
      attributes: {},
    }));
}

/** One event per describing tag, over the whole video: a tag says nothing about when. */
export function tagEvents(probe: VideoProbe, duration: Seconds): MediaEvent[] {
  return SPOKEN_TAGS.flatMap((name) => {
    const text = cleanText(probe.tags[name] ?? '', MAX_TEXT_LENGTH);
    if (!text || duration <= 0) return [];
    return [
      {
        kind: 'tag' as const,
        source: 'container' as const,
        start: 0,
        end: duration,
        precision: duration / 2,
        text,
        attributes: { tag: name },
      },
    ];
  });
}
