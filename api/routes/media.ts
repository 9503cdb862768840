/** The video file itself, in the ranges that players ask for (RFC 9110 §13 and §14). */

import { LongwatchError } from '../../src/errors.js';
import { parseByteRange } from '../byte-range.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import { mediaTypeOf, openMedia, streamBytes } from '../media-file.js';
import type { ApiParts } from '../ports.js';
import { binary, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/media',
  operationId: 'getMedia',
  tags: ['Media'],
  summary: 'The file, whole or one byte range',
  request: { params: videoParams },
  responses: {
    200: binary('video/*', 'The whole file.'),
    206: binary('video/*', 'The range that was asked for.'),
    304: { description: 'The copy with this ETag is still the same.' },
    ...problems,
  },
});

export function mediaRoutes({ library, objects }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const video = await videoById(library, c.req.valid('param').id);
    const media = await openMedia(video, objects);
    const { size } = media;
    const etag = `"${video.sha256}"`;
    const headers: Record<string, string> = {
      'Accept-Ranges': 'bytes',
      'Cache-Control': 'private, no-cache',
      ETag: etag,
    };
    const answer = (status: 200 | 206 | 304, more: Record<string, string> = {}, body?: ReadableStream<Uint8Array>) =>
      c.newResponse(body ?? null, status, { ...headers, ...more });

    if (matchesEtag(c.req.header('if-none-match'), etag)) {
      await media.close();
      return answer(304);
    }
    // A range of another version would be glued to bytes of this one, so then the whole file goes out.
    const ifRange = c.req.header('if-range');
    const range = parseByteRange(ifRange === undefined || ifRange === etag ? c.req.header('range') : undefined, size);
    if (range === 'unsatisfiable') {
      await media.close();
      c.header('Content-Range', `bytes */${size}`);
      throw new LongwatchError('range_not_satisfiable', `The file has ${size} bytes.`, {
        hint: `Ask for bytes below ${size}.`,
      });
    }
    const { start, end } = range === 'whole' ? { start: 0, end: size } : range;
    headers['Content-Type'] = mediaTypeOf(video.path);
    headers['Content-Length'] = String(end - start);
    if (range !== 'whole') headers['Content-Range'] = `bytes ${start}-${end - 1}/${size}`;
    if (c.req.method === 'HEAD' || end === start) {
      await media.close();
      return answer(range === 'whole' ? 200 : 206);
    }
    return answer(range === 'whole' ? 200 : 206, {}, streamBytes(media, { start, end }));
  });
}

/** Whether an `If-None-Match` list names the tag; weak and strong compare alike there. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((given) => given.trim() === '*' || given.trim().replace(/^W\//, '') === etag);
}
