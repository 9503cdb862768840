/** A video's index as a file. */

import { createHash } from 'node:crypto';
import { attachment } from '../attachment.js';
import { exportSchema } from '../export/document.js';
import { EXPORT_FORMAT_NAMES, EXPORT_FORMATS, type ExportFormat } from '../export/formats.js';
import { LAYERS } from '../export/layer.js';
import { READING_SPEED_MAX, ReadingTally } from '../export/reading-speed.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { granularityOf, granularityQuery } from '../schema/chapter.js';
import { textBeginning, textStream } from '../text-stream.js';
import { matchesEtag } from './media.js';
import { problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

/** Characters up to which an export is put together before it goes out, so that it has a tag and a length. Longer ones go out as they are read. */
const WHOLE_MAX = 4 * 1024 * 1024;

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/export',
  operationId: 'exportVideo',
  tags: ['Exports'],
  summary: 'Subtitles, chapters or data of a video',
  description: `A summary has at most \`target_count\` chapters, none shorter than \`min_length\`, where these are given. The tag, and of subtitles the reading speed, stand in the headers of exports of up to ${WHOLE_MAX} characters.`,
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
  responses: {
    200: {
      description: 'The file; its media type follows the format.',
      content: contents(),
      headers: z.object({
        'Longwatch-Reading-Speed': z
          .string()
          .optional()
          .openapi({
            description: `Of srt and vtt: how many cues there are, how many of them are faster than ${READING_SPEED_MAX} characters a second, and the fastest.`,
            example: 'cues=340, fast=12, limit_cps=20, fastest_cps=31.2',
          }),
      }),
    },
    304: { description: 'The copy with this ETag is still the same.' },
    ...problems,
  },
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
    const tally = new ReadingTally();
    const shown = layer ?? (await format.defaultLayer(library, video));
    const pieces = format.render(library, video, shown, {
      ...granularityOf(query),
      onCue: (cue) => tally.count(cue),
    });
    const headers: Record<string, string> = {
      'Content-Type': format.mediaType,
      'Content-Disposition': attachment(`${video.title}.${format.extension}`),
      'Cache-Control': 'private, no-cache',
    };
    const { text, rest } = await textBeginning(pieces, WHOLE_MAX);
    if (rest) return c.newResponse(textStream(rest), 200, headers) as never;
    headers['ETag'] = `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
    if (name === 'srt' || name === 'vtt') headers['Longwatch-Reading-Speed'] = speedField(tally);
    if (matchesEtag(c.req.header('if-none-match'), headers['ETag'])) return c.newResponse(null, 304, headers) as never;
    return c.newResponse(text, 200, headers) as never;
  });
}

/** A dictionary of RFC 8941. */
function speedField({ cues, fast, fastest }: ReadingTally): string {
  return `cues=${cues}, fast=${fast}, limit_cps=${READING_SPEED_MAX}, fastest_cps=${fastest.toFixed(1)}`;
}
