/** The video that a path names. */

import type { Library } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import { LongwatchError } from '../../src/errors.js';
import { z } from '../hono.js';

export const videoParams = z.object({
  id: z
    .string()
    .openapi({ description: 'Id of a video; at least four digits that no other id begins with are enough.' }),
});

/**
 * Paths are no ids here: only the command line finds videos by path.
 * @throws {LongwatchError} `not_found`, `ambiguous_id`
 */
export async function videoById(library: Library, id: string): Promise<VideoRecord> {
  if (/^[0-9a-f]{4,64}$/.test(id)) return library.findVideo(id);
  throw new LongwatchError('not_found', `There is no video "${id}".`, { hint: 'GET /v1/videos lists them.' });
}

/** @throws {LongwatchError} as `videoById` */
export async function videoIdsOf(library: Library, names: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) ids.push((await videoById(library, name)).id);
  return ids;
}

export const videoUrl = (id: string) => `/v1/videos/${id}`;
export const mediaUrl = (id: string) => `${videoUrl(id)}/media`;
/** @param seconds Media time as JSON carries it. */
export const frameUrl = (id: string, seconds: number) => `${videoUrl(id)}/frames/${seconds.toFixed(3)}.jpg`;
/** @param start @param end media time as JSON carries it; nothing is cut out where they are equal */
export const clipUrl = (id: string, start: number, end: number) =>
  end > start ? `${videoUrl(id)}/clip?from=${start.toFixed(3)}&to=${end.toFixed(3)}` : undefined;
