/** A watched place as JSON. */

import { PLACE_STATES, type PlaceStatus } from '../../ingest/watch/watched-place.js';
import { toStoredError } from '../../src/errors.js';
import { z } from '../hono.js';
import { dateJson, dateSchema } from './units.js';
import { storedErrorSchema } from './video.js';

export const folderSchema = z
  .object({
    place: z.string().openapi({ description: 'As it was named.', example: 's3://films/cameras' }),
    kind: z.enum(['folder', 'bucket']),
    state: z.enum(PLACE_STATES).openapi({
      description:
        '`new`: not listed yet. `failed`: the last listing did not come to its end, and nothing that lies there is called missing.',
    }),
    videos: z.number().int().openapi({ description: 'Videos that the last whole listing found.' }),
    waiting: z.number().int().openapi({ description: 'Files that are not taken yet.' }),
    listed_at: dateSchema.optional().openapi({ description: 'When the last whole listing ended.' }),
    took_ms: z.number().optional().openapi({ description: 'How long it took.' }),
    next_at: dateSchema.optional().openapi({ description: 'It is listed again not much later than then.' }),
    failures: z.number().int().openapi({ description: 'Listings in a row that failed.' }),
    error: storedErrorSchema.optional().openapi({ description: 'Why the last listing failed.' }),
  })
  .openapi('Folder');

export const foldersSchema = z.object({ folders: z.array(folderSchema) }).openapi('Folders');

export function folderJson(status: PlaceStatus): z.infer<typeof folderSchema> {
  const { place, kind, state, videos, waiting, took, listed, next, failures, error } = status;
  return {
    place,
    kind,
    state,
    videos,
    waiting,
    ...(listed === undefined ? {} : { listed_at: dateJson(listed) }),
    ...(took === undefined ? {} : { took_ms: Math.round(took) }),
    ...(next === undefined ? {} : { next_at: dateJson(next) }),
    failures,
    ...(error === undefined ? {} : { error: toStoredError(error) }),
  };
}
