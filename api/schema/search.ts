/** Questions and answers as JSON. */

import { DEFAULT_GROUND_WINDOWS, MAX_GROUND_WINDOWS, MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import { type Grounding, SEARCH_MODES, type SearchAnswer, type SearchHit } from '../../index/search/types.js';
import { EVENT_KINDS, EVENT_SOURCES } from '../../src/event.js';
import { MAX_PICTURE_BYTES } from '../../src/picture-search.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { tagFilterSchema, tagQuery } from './tag.js';
import { integerQuery, roundTo, secondsSchema, timeQuery } from './units.js';

const limitSchema = z.number().int().min(1).max(100).openapi({ default: 10 });
const scoreSchema = z.number().min(0).max(1);
const groundWindowsSchema = z.number().int().min(1).max(MAX_GROUND_WINDOWS).openapi({
  default: DEFAULT_GROUND_WINDOWS,
  description: 'Windows that the model looks at. Only with `ground`.',
});
/** Characters of the largest picture in base64. */
const MAX_PICTURE_BASE64 = 4 * Math.ceil(MAX_PICTURE_BYTES / 3);
const GROUND =
  'The model looks again at the best windows with the question itself. Without a model the answer is plain, with a note.';
const groupBySchema = z.enum(['clip', 'video']).openapi({ description: '`video` keeps the best hit of each video.' });

export const searchRequestSchema = z
  .strictObject({
    query: z.string().trim().min(1).max(MAX_QUERY_LENGTH).optional().openapi({
      description:
        'What happens, in words. "X after Y", "before Y, X", "X between Y and 10:00" and "X for the first time" go by the order of things.',
      example: 'when does the rabbit wake up',
    }),
    like: z
      .strictObject({ video_id: z.string().min(1).max(128), at_s: z.number().min(0) })
      .optional()
      .openapi({ description: 'More like this: what looks like the frame that is on screen there.' }),
    picture: z
      .base64()
      .min(1)
      .max(MAX_PICTURE_BASE64)
      .optional()
      .openapi({ description: 'A JPEG, PNG or WebP file in base64: what looks like it.' }),
    video_ids: z.array(z.string().min(1).max(128)).min(1).max(1000).optional(),
    tags: tagFilterSchema.optional(),
    range: z
      .strictObject({ start_s: z.number().min(0).optional(), end_s: z.number().positive().optional() })
      .optional()
      .openapi({ description: 'Media time, half-open. A missing side is open.' }),
    limit: limitSchema.optional(),
    group_by: groupBySchema.optional(),
    min_score: scoreSchema.optional(),
    ground: z.boolean().optional().openapi({ default: false, description: GROUND }),
    ground_windows: groundWindowsSchema.optional(),
  })
  .refine(({ query, like, picture }) => [query, like, picture].filter((way) => way !== undefined).length === 1, {
    message: 'Give one of query, like and picture.',
    path: ['query'],
  })
  .refine(({ query, ground, ground_windows }) => query !== undefined || !(ground || ground_windows), {
    message: 'Only a question in words can be looked at again.',
    path: ['ground'],
  })
  .openapi('SearchRequest', { description: 'One of `query`, `like` and `picture` says what is looked for.' });

/** The same as a query string; repeat `video_id` for several. Times may also be clock times (`1:30`). */
export const searchQuerySchema = z.strictObject({
  q: z.string().trim().min(1).max(MAX_QUERY_LENGTH),
  video_id: z.union([z.string().min(1).max(128), z.array(z.string().min(1).max(128)).max(1000)]).optional(),
  tag: tagQuery,
  from: timeQuery('1:30'),
  to: timeQuery('01:01:30.250'),
  limit: integerQuery(1, 100).optional(),
  group_by: groupBySchema.optional(),
  min_score: z.coerce.number().pipe(scoreSchema).optional().openapi({ type: 'number', minimum: 0, maximum: 1 }),
  ground: z.enum(['true', 'false']).optional().openapi({ default: 'false', description: GROUND }),
  ground_windows: integerQuery(1, MAX_GROUND_WINDOWS).optional(),
});

export const hitSchema = z
  .object({
    video_id: z.string(),
    path: z.string(),
    title: z.string(),
    start_s: secondsSchema,
    end_s: secondsSchema,
    score: scoreSchema.openapi({
      description:
        'Orders the hits of one answer; `min_score` leaves out those below. Grounded: the probability that the model gives it. Not calibrated.',
    }),
    confidence: scoreSchema.optional().openapi({
      description:
        'How often hits like this one were right when every second question had an answer. Whether the text is true is no part of it. Absent where that was not measured: hits by meaning alone, of signs, signals and pictures, by the order of things, grounded, near misses, or with another embedder than MiniLM.',
    }),
    kind: z.enum(EVENT_KINDS),
    source: z.enum(EVENT_SOURCES),
    text: z.string(),
    why: z.array(z.string()).openapi({ description: 'Which layers agreed.' }),
    precision_s: z.number().openapi({ description: 'Half the distance that a true edge may lie away.' }),
    event_ids: z.array(z.string()),
    frame_url: z.string().optional(),
    media_url: z.string().optional(),
    clip_url: z.string().optional().openapi({ description: 'The stretch as an MP4. Absent where it has no length.' }),
  })
  .openapi('SearchHit');

export const groundingSchema = z
  .object({
    model: z.string().optional().openapi({ description: 'Absent when there was nothing to look at.' }),
    complete: z.boolean().openapi({ description: 'False when some windows could not be looked at: see `note`.' }),
    windows: z.array(
      z.object({
        video_id: z.string(),
        start_s: secondsSchema,
        end_s: secondsSchema,
        found: z
          .number()
          .int()
          .openapi({ description: 'Times at which the model sees it there, unlikely ones included.' }),
      }),
    ),
  })
  .openapi('Grounding', { description: 'What the model looked at, in order. There when the results are what it saw.' });

export const searchSchema = z
  .object({
    query: z.string(),
    took_ms: z.number(),
    mode: z.enum(SEARCH_MODES).openapi({
      description: 'What was compared: meaning and pictures only where an embedder for them is installed.',
    }),
    results: z.array(hitSchema),
    count: z.number().int().openapi({
      description:
        'How many moments answer, those beyond the limit included; with `ground`, how many the model saw in what it was shown.',
    }),
    no_match: z.boolean(),
    grounding: groundingSchema.optional(),
    near_misses: z.array(hitSchema).optional().openapi({
      description:
        'With `grounding`: what was found and not seen by the model or not shown to it, and what it thinks unlikely. Without, where nothing answers: the few that come nearest, below the cutoff.',
    }),
    note: z.string().optional(),
  })
  .openapi('SearchAnswer');

export type SearchJson = z.infer<typeof searchSchema>;

/** Addresses that belong to a hit; the command line has none. */
export interface HitLinks {
  frameUrl(hit: SearchHit): string;
  mediaUrl(hit: SearchHit): string;
  /** Undefined for a hit without length. */
  clipUrl(hit: SearchHit): string | undefined;
}

export function searchJson(answer: SearchAnswer, links?: HitLinks): SearchJson {
  const { grounding, nearMisses } = answer;
  const hits = (list: readonly SearchHit[]) => list.map((hit) => hitJson(hit, links));
  return {
    query: answer.query,
    took_ms: roundTo(answer.took, 1),
    mode: answer.mode,
    results: hits(answer.results),
    count: answer.count,
    no_match: answer.noMatch,
    ...(grounding === undefined ? {} : { grounding: groundingJson(grounding) }),
    ...(nearMisses === undefined ? {} : { near_misses: hits(nearMisses) }),
    ...(answer.note === undefined ? {} : { note: answer.note }),
  };
}

export function hitJson(hit: SearchHit, links: HitLinks | undefined): z.infer<typeof hitSchema> {
  const clip = links?.clipUrl(hit);
  return {
    video_id: hit.videoId,
    path: hit.path,
    title: hit.title,
    start_s: roundToMilliseconds(hit.start),
    end_s: roundToMilliseconds(hit.end),
    score: roundTo(hit.score, 4),
    ...(hit.confidence === undefined ? {} : { confidence: roundTo(hit.confidence, 2) }),
    kind: hit.kind,
    source: hit.source,
    text: hit.text,
    why: [...hit.why],
    precision_s: roundToMilliseconds(hit.precision),
    event_ids: [...hit.eventIds],
    ...(links === undefined ? {} : { frame_url: links.frameUrl(hit), media_url: links.mediaUrl(hit) }),
    ...(clip === undefined ? {} : { clip_url: clip }),
  };
}

export function groundingJson({ model, complete, windows }: Grounding): z.infer<typeof groundingSchema> {
  return {
    ...(model === undefined ? {} : { model }),
    complete,
    windows: windows.map(({ videoId, start, end, found }) => ({
      video_id: videoId,
      start_s: roundToMilliseconds(start),
      end_s: roundToMilliseconds(end),
      found,
    })),
  };
}
