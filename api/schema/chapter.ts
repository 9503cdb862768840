/** Chapters of a video as JSON: what the summary is made of. */

import { parseTime, roundToMilliseconds } from '../../src/time.js';
import type { Granularity } from '../export/granularity.js';
import { z } from '../hono.js';
import { integerQuery, secondsSchema, timeQuery } from './units.js';

/** Where chapters come from: the model's captions, the file's own chapters, or the shots that were measured. */
export const CHAPTER_SOURCES = ['model', 'container', 'signal'] as const;
export type ChapterSource = (typeof CHAPTER_SOURCES)[number];

/** One chapter, in the words of the program. Chapters are in order and do not overlap. */
export interface Chapter {
  readonly start: number;
  readonly end: number;
  readonly title: string;
  readonly source: ChapterSource;
}

export const chapterSchema = z
  .object({ start_s: secondsSchema, end_s: secondsSchema, title: z.string(), source: z.enum(CHAPTER_SOURCES) })
  .openapi('Chapter');

export type ChapterJson = z.infer<typeof chapterSchema>;

export function chapterJson(chapter: Chapter): ChapterJson {
  return {
    start_s: roundToMilliseconds(chapter.start),
    end_s: roundToMilliseconds(chapter.end),
    title: chapter.title,
    source: chapter.source,
  };
}

export const chaptersSchema = z.object({ video_id: z.string(), chapters: z.array(chapterSchema) }).openapi('Chapters');

/** How coarse a summary is asked for. */
export const granularityQuery = z.strictObject({
  target_count: integerQuery(1, 10_000).optional(),
  min_length: timeQuery('90'),
});

export function granularityOf(query: z.infer<typeof granularityQuery>): Granularity {
  return {
    targetCount: query.target_count,
    minLength: query.min_length === undefined ? undefined : parseTime(query.min_length),
  };
}
