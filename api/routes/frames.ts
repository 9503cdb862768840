/** Single frames as pictures. */

import { LongwatchError } from '../../src/errors.js';
import { roundToMilliseconds } from '../../src/time.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import { openMedia } from '../media-file.js';
import type { ApiParts } from '../ports.js';
import { integerQuery } from '../schema/units.js';
import type { StillMaker } from '../still-maker.js';
import { matchesEtag } from './media.js';
import { binary, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/frames/{frame}',
  operationId: 'getFrame',
  tags: ['Media'],
  summary: 'The frame that is on screen at a time, as JPEG',
  request: {
    params: videoParams.extend({
      frame: z
        .string()
        .regex(/^\d{1,9}(?:\.\d{1,9})?\.jpg$/, 'must be seconds and ".jpg", e.g. 12.345.jpg')
        .openapi({ example: '12.345.jpg' }),
    }),
    query: z.strictObject({
      width: integerQuery(16, 4096).optional().openapi({ description: 'Default: as the video is shown.' }),
    }),
  },
  responses: {
    200: {
      ...binary('image/jpeg', 'The picture.'),
      headers: z.object({
        'Longwatch-Frame-Time': z.string().openapi({ description: 'Media time of the frame, in seconds.' }),
      }),
    },
    304: { description: 'The copy with this ETag is still the same.' },
    ...problems,
  },
});

export function frameRoutes({ library, decoder, objects }: ApiParts, stills: StillMaker) {
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const { id, frame } = c.req.valid('param');
    const { width } = c.req.valid('query');
    const video = await videoById(library, id);
    const time = Number(frame.slice(0, -'.jpg'.length));
    if (video.duration > 0 && time >= video.duration)
      throw new LongwatchError('not_found', `The video ends at ${roundToMilliseconds(video.duration)} s.`, {
        hint: 'Ask for an earlier frame.',
      });
    // Decoders may compress differently, so the tag names the one that did it.
    const etag = `"${video.sha256.slice(0, 32)}-${time}-${width ?? 'full'}-${decoder.id}"`;
    const caching = { ETag: etag, 'Cache-Control': 'private, max-age=3600' };
    if (matchesEtag(c.req.header('if-none-match'), etag)) return c.newResponse(null, 304, caching);
    // A picture of another file under this video's name would be a lie.
    await (await openMedia(video, objects)).close();
    const still = await stills.still(video, time, width);
    return c.newResponse(new Uint8Array(still.jpeg), 200, {
      ...caching,
      'Content-Type': 'image/jpeg',
      'Longwatch-Frame-Time': roundToMilliseconds(still.time).toFixed(3),
    });
  });
}
