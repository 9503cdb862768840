/** A stretch of a video as a file. */

import { LongwatchError } from '../../src/errors.js';
import { formatTime, parseTime, roundToMilliseconds } from '../../src/time.js';
import { attachment } from '../attachment.js';
import { ClipDesk } from '../clip-desk.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import { openMedia } from '../media-file.js';
import type { ApiParts } from '../ports.js';
import { binary, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/clip',
  operationId: 'getClip',
  tags: ['Media'],
  summary: 'A stretch of the video as an MP4',
  description:
    'The clip begins with the frame that is on screen at `from`. Where that is a key frame, the stored frames are copied, and a few frames behind `to` may come along; elsewhere the stretch is coded again as H.264, exact to the frame. The headers say which times it covers; `HEAD` says so without making it. The file is written while it is sent, in fragments.',
  request: {
    params: videoParams,
    query: z.strictObject({
      from: z.string().max(32).openapi({ example: '1:30' }),
      to: z.string().max(32).openapi({ example: '1:42.500' }),
      cut: z.enum(['auto', 'copy', 'encode']).optional().openapi({
        default: 'auto',
        description: '`copy` never codes again: it begins at the key frame before `from`. `encode` always does.',
      }),
    }),
  },
  responses: {
    200: {
      ...binary('video/mp4', 'The clip.'),
      headers: z.object({
        'Longwatch-Clip-Start': z.string().openapi({ description: 'Media time of its first frame, in seconds.' }),
        'Longwatch-Clip-End': z.string().openapi({ description: 'Media time at which its last frame ends.' }),
        'Longwatch-Clip-Cut': z.enum(['copy', 'encode']),
      }),
    },
    ...problems,
  },
});

export function clipRoutes({ library, decoder, objects }: ApiParts) {
  const desk = new ClipDesk();
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const video = await videoById(library, c.req.valid('param').id);
    const { from, to, cut } = c.req.valid('query');
    const range = { start: parseTime(from), end: parseTime(to) };
    if (video.duration <= 0)
      throw new LongwatchError('conflict', 'The video is not read yet, so its times are not known.', {
        hint: 'Wait until its job is done.',
      });
    // Frames of another file under this video's name would be a lie.
    await (await openMedia(video, objects)).close();
    const { firstFrameTime, duration } = video;
    const probe = await decoder.probe(video.path);
    const clip = await decoder.clip(
      video.path,
      probe,
      { range, firstFrameTime, duration, ...(cut ? { cut } : {}) },
      { signal: c.req.raw.signal },
    );
    const name = `${video.title} ${formatTime(clip.start)}-${formatTime(clip.end)}.mp4`.replaceAll(':', '.');
    const headers = {
      'Content-Type': 'video/mp4',
      'Content-Disposition': attachment(name),
      'Cache-Control': 'no-store',
      'Longwatch-Clip-Start': roundToMilliseconds(clip.start).toFixed(3),
      'Longwatch-Clip-End': roundToMilliseconds(clip.end).toFixed(3),
      'Longwatch-Clip-Cut': clip.cut,
    };
    if (c.req.method === 'HEAD') return c.newResponse(null, 200, headers);
    return c.newResponse(await desk.open(clip.bytes()), 200, headers);
  });
}
