/** Questions and answers as JSON. */

import { MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import type { SearchAnswer, SearchHit } from '../../index/search/types.js';
import { EVENT_KINDS, EVENT_SOURCES } from '../../src/event.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { roundTo, secondsSchema } from './units.js';

const limitSchema = z.number().int().min(1).max(100).openapi({ default: 10 });
const scoreSchema = z.number().min(0).max(1);
const groupBySchema = z.enum(['clip', 'video']).openapi({ description: '`video` keeps the best hit of each video.' });

export const searchRequestSchema = z
  .strictObject({
    query: z.string().trim().min(1).max(MAX_QUERY_LENGTH).openapi({ example: 'when does the rabbit wake up' }),
    video_ids: z.array(z.string().min(1).max(128)).min(1).max(1000).optional(),
    range: z
      .strictObject({ start_s: z.number().min(0).optional(), end_s: z.number().positive().optional() })
      .optional()
      .openapi({ description: 'Media time, half-open. A missing side is open.' }),
    limit: limitSchema.optional(),
    group_by: groupBySchema.optional(),
    min_score: scoreSchema.optional(),
    ground: z.boolean().optional().openapi({ description: 'Ask the model to look again. Needs a model.' }),
  })
  .openapi('SearchRequest');

/** The same as a query string; repeat `video_id` for several. Times may also be clock times (`1:30`). */
export const searchQuerySchema = z.object({
  q: z.string().trim().min(1).max(MAX_QUERY_LENGTH),
  video_id: z.union([z.string().min(1).max(128), z.array(z.string().min(1).max(128)).max(1000)]).optional(),
  from: z.string().max(32).optional().openapi({ example: '1:30' }),
  to: z.string().max(32).optional().openapi({ example: '01:01:30.250' }),
  limit: z.coerce.number().pipe(limitSchema).optional().openapi({ type: 'integer' }),
  group_by: groupBySchema.optional(),
  min_score: z.coerce.number().pipe(scoreSchema).optional().openapi({ type: 'number' }),
});

export const hitSchema = z
  .object({
    video_id: z.string(),
    path: z.string(),
    title: z.string(),
    start_s: secondsSchema,
    end_s: secondsSchema,
    score: scoreSchema.openapi({ description: 'Orders the hits of one answer.' }),
    kind: z.enum(EVENT_KINDS),
    source: z.enum(EVENT_SOURCES),
    text: z.string(),
    why: z.array(z.string()).openapi({ description: 'Which layers agreed.' }),
    precision_s: z.number().openapi({ description: 'Half the distance that a true edge may lie away.' }),
    event_ids: z.array(z.string()),
    frame_url: z.string().optional(),
    media_url: z.string().optional(),
  })
  .openapi('SearchHit');

export const searchSchema = z
  .object({
    query: z.string(),
    took_ms: z.number(),
    mode: z.enum(['words', 'words+meaning']).openapi({ description: '`words` when no embedder is installed.' }),
    results: z.array(hitSchema),
    no_match: z.boolean(),
    note: z.string().optional(),
  })
  .openapi('SearchAnswer');

export type SearchJson = z.infer<typeof searchSchema>;

/** Addresses that belong to a hit; the command line has none. */
export interface HitLinks {
  frameUrl(hit: SearchHit): string;
  mediaUrl(hit: SearchHit): string;
}

export function searchJson(answer: SearchAnswer, links?: HitLinks): SearchJson {
  return {
    query: answer.query,
    took_ms: roundTo(answer.took, 1),
    mode: answer.mode,
    results: answer.results.map((hit) => ({
      video_id: hit.videoId,
      path: hit.path,
      title: hit.title,
      start_s: roundToMilliseconds(hit.start),
      end_s: roundToMilliseconds(hit.end),
      score: roundTo(hit.score, 4),
      kind: hit.kind,
      source: hit.source,
      text: hit.text,
      why: [...hit.why],
      precision_s: roundToMilliseconds(hit.precision),
      event_ids: [...hit.eventIds],
      ...(links === undefined ? {} : { frame_url: links.frameUrl(hit), media_url: links.mediaUrl(hit) }),
    })),
    no_match: answer.noMatch,
    ...(answer.note === undefined ? {} : { note: answer.note }),
  };
}
