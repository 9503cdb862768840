/** Standing queries, their notices and the log of these, as JSON. */

import { MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import type { SearchHit } from '../../index/search/types.js';
import type { WatchRecord } from '../../index/store/standing-store.js';
import { DELIVERY_STATES, type DeliveryRecord } from '../../index/store/standing-store.js';
import { z } from '../hono.js';
import { type HitLinks, hitJson, hitSchema } from './search.js';
import { tagFilterSchema } from './tag.js';
import { dateJson, dateSchema } from './units.js';
import { storedErrorSchema } from './video.js';

export const newWatchSchema = z
  .strictObject({
    query: z
      .string()
      .trim()
      .min(1)
      .max(MAX_QUERY_LENGTH)
      .openapi({ description: 'What to tell of, as in a search.', example: 'a car leaves' }),
    url: z.string().min(1).max(2048).openapi({
      format: 'uri',
      pattern: '^https?://',
      description: 'Where notices are posted to: http or https, in the public internet unless the server allows more.',
    }),
    video_ids: z
      .array(z.string().min(1).max(128))
      .min(1)
      .max(1000)
      .optional()
      .openapi({ description: 'Only these videos. Without: all, and those that come.' }),
    tags: tagFilterSchema.optional().openapi({
      description: 'Only videos that carry all of these tags when what is new is looked at.',
    }),
    min_score: z.number().min(0).max(1).optional().openapi({ default: 0 }),
  })
  .openapi('NewWatch');

export const watchSchema = z
  .object({
    id: z.string(),
    query: z.string(),
    url: z.string(),
    video_ids: z.array(z.string()).optional(),
    tags: z.array(z.string()).optional(),
    min_score: z.number(),
    created_at: dateSchema,
  })
  .openapi('Watch');

export const createdWatchSchema = watchSchema
  .extend({ secret: z.string().openapi({ description: 'What notices are signed with. It is shown this once.' }) })
  .openapi('CreatedWatch');

export const noticeSchema = z
  .object({
    type: z.literal('watch.matched'),
    id: z.string().openapi({ description: 'The same at every attempt, and in the header `webhook-id`.' }),
    created_at: dateSchema,
    watch: z.object({ id: z.string(), query: z.string() }),
    matches: z.array(hitSchema).openapi({ description: 'At most 20, the best first.' }),
  })
  .openapi('WatchNotice');

export const deliverySchema = z
  .object({
    id: z.string(),
    watch_id: z.string(),
    state: z.enum(DELIVERY_STATES).openapi({
      description: '`pending`: it will be tried, again or for the first time. `failed`: it was given up.',
    }),
    attempts: z.number().int(),
    next_attempt_at: dateSchema.optional(),
    http_status: z.number().int().optional().openapi({ description: 'Of the last answer.' }),
    error: storedErrorSchema.optional(),
    created_at: dateSchema,
    updated_at: dateSchema,
    notice: noticeSchema,
  })
  .openapi('Delivery');

export function watchJson(watch: WatchRecord): z.infer<typeof watchSchema> {
  return {
    id: watch.id,
    query: watch.query,
    url: watch.url,
    ...(watch.videoIds === undefined ? {} : { video_ids: [...watch.videoIds] }),
    ...(watch.tags === undefined ? {} : { tags: [...watch.tags] }),
    min_score: watch.minScore,
    created_at: dateJson(watch.created),
  };
}

/** @param links Paths only: the server does not know by which name it is reached. */
export function noticeJson(
  id: string,
  { id: watch, query }: WatchRecord,
  matches: readonly SearchHit[],
  links: HitLinks,
): z.infer<typeof noticeSchema> {
  return {
    type: 'watch.matched',
    id,
    created_at: dateJson(Date.now()),
    watch: { id: watch, query },
    matches: matches.map((hit) => hitJson(hit, links)),
  };
}

export function deliveryJson(delivery: DeliveryRecord): z.infer<typeof deliverySchema> {
  return {
    id: delivery.id,
    watch_id: delivery.watchId,
    state: delivery.state,
    attempts: delivery.attempts,
    ...(delivery.next === undefined ? {} : { next_attempt_at: dateJson(delivery.next) }),
    ...(delivery.status === undefined ? {} : { http_status: delivery.status }),
    ...(delivery.error === undefined ? {} : { error: delivery.error }),
    created_at: dateJson(delivery.created),
    updated_at: dateJson(delivery.updated),
    notice: noticeSchema.parse(JSON.parse(delivery.body)),
  };
}
