/** What a checkpoint says about the pictures it was trained with: preprocessor_config.json, and video_preprocessor_config.json for videos. */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { readJson } from './checkpoint.js';

export interface PictureSettings {
  /** Area of one picture beyond which it is shown smaller (`max_pixels`; `size.longest_edge` in newer files). */
  readonly maxPixels?: number;
  /** Frames a second at which movement was shown (`fps`). The published checkpoints name none. */
  readonly frameRate?: number;
}

/** The file about videos is stronger. @throws {LongwatchError} `bad_weights` for a file that is not JSON, or a number that cannot be meant */
export async function readPictureSettings(directory: string): Promise<PictureSettings> {
  const settings: { maxPixels?: number; frameRate?: number } = {};
  for (const name of ['preprocessor_config.json', 'video_preprocessor_config.json']) {
    const file = path.join(directory, name);
    const json = await readJson(file, 'optional');
    if (typeof json !== 'object' || json === null) continue;
    const { max_pixels, size, fps } = json as {
      max_pixels?: unknown;
      size?: { longest_edge?: unknown };
      fps?: unknown;
    };
    const maxPixels = positive(max_pixels ?? size?.longest_edge, 'max_pixels', file);
    const frameRate = positive(fps, 'fps', file);
    if (maxPixels !== undefined) settings.maxPixels = maxPixels;
    if (frameRate !== undefined) settings.frameRate = frameRate;
  }
  return settings;
}

function positive(value: unknown, name: string, file: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new LongwatchError(
    'bad_weights',
    `"${name}" of ${path.basename(file)} is ${JSON.stringify(value)}, not a positive number.`,
    {
      path: file,
      hint: 'Download the checkpoint again.',
    },
  );
}
