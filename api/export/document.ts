/** The published shape of the JSON and NDJSON exports. */

import path from 'node:path';
import { VIDEO_STATES, type VideoRecord } from '../../index/store/records.js';
import { roundToMilliseconds, subtractRanges } from '../../src/time.js';
import { z } from '../hono.js';
import { chapterSchema } from '../schema/chapter.js';
import { eventSchema } from '../schema/event.js';
import { tagsSchema } from '../schema/tag.js';
import { rangeJson, rangeSchema, secondsSchema } from '../schema/units.js';
import { fpsJson, fpsSchema } from '../schema/video.js';
import { LAYERS, type Layer } from './layer.js';
import { READING_SPEED_MAX } from './reading-speed.js';
import { cleanLine } from './text.js';

/** Rises when a reader of the old shape would misread the new one. */
export const EXPORT_SCHEMA_VERSION = 1;

export const exportHeadSchema = z.object({
  schema_version: z.literal(EXPORT_SCHEMA_VERSION),
  layer: z.enum(LAYERS),
  video: z.object({
    id: z.string(),
    title: z.string(),
    file_name: z.string(),
    sha256: z.string(),
    tags: tagsSchema,
    state: z.enum(VIDEO_STATES),
    duration_s: secondsSchema,
    width: z.number().int(),
    height: z.number().int(),
    fps: fpsSchema,
    warnings: z.array(z.string()),
  }),
  coverage: z.array(rangeSchema),
  gaps: z.array(rangeSchema).openapi({ description: 'What was not decoded, so nothing is said about it.' }),
});

const exportedEventSchema = eventSchema
  .extend({
    reading_speed_cps: z
      .number()
      .optional()
      .openapi({
        description: `Characters a second, wide ones counted twice; above ${READING_SPEED_MAX} a subtitle is hard to read. In the layers captions, subtitles, speech and text.`,
      }),
  })
  .openapi('ExportedEvent');

export type ExportedEventJson = z.infer<typeof exportedEventSchema>;

export const exportSchema = exportHeadSchema
  .extend({ items: z.union([z.array(exportedEventSchema), z.array(chapterSchema)]) })
  .openapi('Export', { description: 'Items are chapters in the layer `summary` and events in every other one.' });

/** All but the items. Holds no clock time and no folder: the same content exports the same bytes everywhere. */
export function exportHead(video: VideoRecord, layer: Layer): z.infer<typeof exportHeadSchema> {
  return {
    schema_version: EXPORT_SCHEMA_VERSION,
    layer,
    video: {
      id: video.id,
      title: cleanLine(video.title),
      file_name: cleanLine(path.basename(video.path)),
      sha256: video.sha256,
      tags: [...video.tags],
      state: video.state,
      duration_s: roundToMilliseconds(video.duration),
      width: video.width,
      height: video.height,
      fps: fpsJson(video.fps),
      warnings: video.warnings.map(cleanLine),
    },
    coverage: video.coverage.map(rangeJson),
    gaps: subtractRanges({ start: 0, end: video.duration }, video.coverage).map(rangeJson),
  };
}

/** JSON Schema (2020-12) of the JSON export; `docs/schema/export.schema.json` is this, printed. */
export function exportJsonSchema() {
  return { title: 'Longwatch export', ...z.toJSONSchema(exportSchema, { target: 'draft-2020-12' }) };
}
