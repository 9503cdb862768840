/** A video's index as a file. */

import { attachment } from '../attachment.js';
import { exportSchema } from '../export/document.js';
import { EXPORT_FORMAT_NAMES, EXPORT_FORMATS, type ExportFormat } from '../export/formats.js';
import { LAYERS } from '../export/layer.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { granularityOf, granularityQuery } from '../schema/chapter.js';
import { textStream } from '../text-stream.js';
import { problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/export',
  operationId: 'exportVideo',
  tags: ['Exports'],
  summary: 'Subtitles, chapters or data of a video',
  description: 'A summary has at most `target_count` chapters, none shorter than `min_length`, where these are given.',
  request: {
    params: videoParams,
    query: granularityQuery.extend({
      format: z.enum(EXPORT_FORMAT_NAMES),
      layer: z.enum(LAYERS).optional().openapi({
        description:
          'What is shown. Without it: `events` in json, ndjson and csv; `summary` in chapters and ffmetadata; in srt and vtt the first of captions, subtitles, speech and text that has anything, else `summary`.',
      }),
    }),
  },
  responses: { 200: { description: 'The file; its media type follows the format.', content: contents() }, ...problems },
});

/** Each format's media type; of JSON its shape too. */
function contents() {
  const text = z.string().openapi({ format: 'binary' });
  const types = Object.values(EXPORT_FORMATS).map(({ mediaType }) => mediaType.replace(/;.*$/, ''));
  return {
    ...Object.fromEntries(types.map((type) => [type, { schema: text }])),
    'application/json': { schema: exportSchema },
  };
}

export function exportRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const { format: name, layer, ...query } = c.req.valid('query');
    const video = await videoById(library, c.req.valid('param').id);
    const format: ExportFormat = EXPORT_FORMATS[name];
    const headers = {
      'Content-Type': format.mediaType,
      'Content-Disposition': attachment(`${video.title}.${format.extension}`),
      'Cache-Control': 'private, no-cache',
    };
    if (c.req.method === 'HEAD') return c.newResponse(null, 200, headers) as never;
    const shown = layer ?? (await format.defaultLayer(library, video));
    const pieces = format.render(library, video, shown, granularityOf(query));
    return c.newResponse(textStream(pieces), 200, headers) as never;
  });
}
