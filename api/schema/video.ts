/** A video as JSON. */

import { STAGE_STATES, VIDEO_STATES, type VideoRecord } from '../../index/store/records.js';
import { PROFILE_NAMES } from '../../src/profile.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { tagsSchema } from './tag.js';
import { dateJson, dateSchema, rangeJson, rangeSchema, roundTo, secondsSchema } from './units.js';

export const storedErrorSchema = z
  .object({ code: z.string(), detail: z.string(), hint: z.string().optional() })
  .openapi('StoredError');

export const fpsSchema = z.object({
  nominal: z.number(),
  min: z.number(),
  max: z.number(),
  variable: z.boolean(),
});

export const videoSchema = z
  .object({
    id: z.string().openapi({ example: '3f9a1c0b7d2e' }),
    path: z.string(),
    title: z.string(),
    sha256: z.string(),
    size_bytes: z.number().int(),
    modified_at: dateSchema,
    added_at: dateSchema,
    tags: tagsSchema,
    state: z.enum(VIDEO_STATES),
    duration_s: secondsSchema,
    width: z.number().int(),
    height: z.number().int(),
    fps: fpsSchema,
    container: z.string(),
    codec: z.string(),
    first_frame_s: z.number().openapi({
      description:
        "Time of the first presented frame on the container's own clock. All other times count from that frame.",
    }),
    coverage: z.array(rangeSchema).openapi({ description: 'What was decoded and indexed.' }),
    warnings: z.array(z.string()),
    profile: z
      .enum(PROFILE_NAMES)
      .optional()
      .openapi({ description: 'The one that reads most of those that it was read with.' }),
    stages: z.record(z.string(), z.object({ state: z.enum(STAGE_STATES), note: z.string().optional() })),
    error: storedErrorSchema.optional(),
  })
  .openapi('Video');

export type VideoJson = z.infer<typeof videoSchema>;

export function fpsJson(fps: VideoRecord['fps']): z.infer<typeof fpsSchema> {
  return {
    nominal: roundTo(fps.nominal, 3),
    min: roundTo(fps.min, 3),
    max: roundTo(fps.max, 3),
    variable: fps.variable,
  };
}

export function videoJson(video: VideoRecord): VideoJson {
  return {
    id: video.id,
    path: video.path,
    title: video.title,
    sha256: video.sha256,
    size_bytes: video.sizeBytes,
    modified_at: dateJson(video.modified),
    added_at: dateJson(video.added),
    tags: [...video.tags],
    state: video.state,
    duration_s: roundToMilliseconds(video.duration),
    width: video.width,
    height: video.height,
    fps: fpsJson(video.fps),
    container: video.container,
    codec: video.codec,
    first_frame_s: roundTo(video.firstFrameTime, 6),
    coverage: video.coverage.map(rangeJson),
    warnings: [...video.warnings],
    ...(video.profile === undefined ? {} : { profile: video.profile }),
    stages: Object.fromEntries(
      Object.entries(video.stages).map(([name, { state, note }]) => [
        name,
        note === undefined ? { state } : { state, note },
      ]),
    ),
    ...(video.error === undefined ? {} : { error: video.error }),
  };
}

/** The path of a file on the server's machine that is to be read. */
export const filePathSchema = z
  .string()
  .min(1)
  .max(4096)
  .openapi({ description: 'Absolute, in an allowed folder; or `s3://bucket/key` in an allowed place.' });
