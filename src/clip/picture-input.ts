/**
 * A picture → the numbers that a tower of pictures reads, as the checkpoint's preprocessor_config.json says: resized as Pillow does it, cut to
 * its middle where the file says so, and normalised. Other resizers of the reference differ by a level here and there.
 */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import { readJson } from '../qwen/checkpoint.js';
import { type ResizeFilter, type RgbPicture, resizeRgb } from '../qwen/resize.js';
import type { PictureSize } from '../qwen/smart-resize.js';

export const PREPROCESSOR_FILE = 'preprocessor_config.json';

export interface PictureInput {
  /**
   * `shortest`: the shorter side gets this length, and the middle square of `side` pixels is what the tower sees. `exact`: both sides get it, so
   * the whole picture is seen, squeezed.
   */
  readonly resize: { readonly to: 'shortest' | 'exact'; readonly length: number; readonly filter: ResizeFilter };
  /** Pixels of a side of what the tower sees. */
  readonly side: number;
  /** Of red, green and blue, for values from 0 to 1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Numbers of Pillow's filters, by which the files name them. */
const FILTER_OF: ReadonlyMap<unknown, ResizeFilter> = new Map<unknown, ResizeFilter>([
  [2, 'bilinear'],
  [3, 'bicubic'],
]);
const CHANNELS = 3;
/** Values that a byte may have, less one. */
const WHITE = 255;
/** What the files call 1/255, to its last digit or not. */
const RESCALE_SLACK = 1e-6;

/**
 * @param imageSize what the tower takes
 * @throws {LongwatchError} `file_not_found`; `bad_weights` for a step that is not built here, or a size that is not the tower's
 */
export async function readPictureInput(directory: string, imageSize: number): Promise<PictureInput> {
  const file = path.join(directory, PREPROCESSOR_FILE);
  return parsePictureInput(await readJson(file, 'required'), imageSize, file);
}

/** @param file named in errors. @throws {LongwatchError} `bad_weights`, as `readPictureInput` */
export function parsePictureInput(json: unknown, imageSize: number, file: string): PictureInput {
  const fields = isRecord(json) ? json : {};
  const refuse = (field: string, reason: string) =>
    new LongwatchError(
      'bad_weights',
      `"${field}" is ${(JSON.stringify(fields[field]) ?? 'not there').slice(0, 80)}: ${reason}.`,
      { path: file, hint: `Use the ${PREPROCESSOR_FILE} that came with the checkpoint.` },
    );
  for (const step of ['do_resize', 'do_rescale', 'do_normalize'])
    if ((fields[step] ?? true) !== true) throw refuse(step, 'the towers that are built here have all steps');
  const factor = fields['rescale_factor'] ?? 1 / WHITE;
  if (typeof factor !== 'number' || Math.abs(factor * WHITE - 1) > RESCALE_SLACK)
    throw refuse('rescale_factor', '1/255 is needed');
  const filter = FILTER_OF.get(fields['resample'] ?? 3);
  if (filter === undefined) throw refuse('resample', 'known are 2 (bilinear) and 3 (bicubic)');

  const crops = (fields['do_center_crop'] ?? fields['crop_size'] !== undefined) === true;
  const size = sizeOf(fields['size'] ?? imageSize, crops);
  if (size === undefined) throw refuse('size', 'one length is needed');
  const crop = crops ? sizeOf(fields['crop_size'] ?? imageSize, false)?.length : size.length;
  if (crop === undefined) throw refuse('crop_size', 'a square is needed');
  if (crop !== imageSize) throw refuse(crops ? 'crop_size' : 'size', `the tower takes ${imageSize} × ${imageSize}`);
  if (size.to === 'shortest' && !crops) throw refuse('do_center_crop', 'pictures would not be square');
  if (size.length < crop) throw refuse('size', `a picture would be smaller than its middle of ${crop} pixels`);
  const colours = (name: string): readonly [number, number, number] => {
    const list = fields[name];
    if (!Array.isArray(list) || list.length !== CHANNELS || !list.every((value) => typeof value === 'number'))
      throw refuse(name, 'three numbers are needed');
    const [red, green, blue] = list as [number, number, number];
    return [red, green, blue];
  };
  const std = colours('image_std');
  if (!std.every((value) => value > 0)) throw refuse('image_std', 'numbers above 0 are needed');
  return { resize: { ...size, filter }, side: crop, mean: colours('image_mean'), std };
}

/** A bare number is the shorter side where pictures are cut, as old files have it, else both sides. */
function sizeOf(value: unknown, crops: boolean): Pick<PictureInput['resize'], 'to' | 'length'> | undefined {
  const length = (of: unknown) => (typeof of === 'number' && Number.isSafeInteger(of) && of > 0 ? of : undefined);
  const bare = length(value);
  if (bare !== undefined) return { to: crops ? 'shortest' : 'exact', length: bare };
  if (!isRecord(value)) return undefined;
  const shortest = length(value['shortest_edge']);
  if (shortest !== undefined) return { to: 'shortest', length: shortest };
  const height = length(value['height']);
  return height !== undefined && height === value['width'] ? { to: 'exact', length: height } : undefined;
}

/** The size to which a picture is resized. */
export function resizedSize({ resize: { to, length } }: PictureInput, { width, height }: PictureSize): PictureSize {
  if (to === 'exact') return { width: length, height: length };
  return width <= height
    ? { width: length, height: Math.trunc((length * height) / width) }
    : { width: Math.trunc((length * width) / height), height: length };
}

/** @returns the middle of the picture, normalised, colour by colour: `[3, side, side]` */
export function pixelsOf(input: PictureInput, picture: RgbPicture): Float32Array {
  const { side, mean, std, resize } = input;
  const size = resizedSize(input, picture);
  const rgb = resizeRgb(picture, size, 'per-pass', resize.filter);
  const left = Math.floor((size.width - side) / 2);
  const top = Math.floor((size.height - side) / 2);
  const pixels = new Float32Array(CHANNELS * side * side);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const [offset, scale] = [mean[channel] as number, std[channel] as number];
    let to = channel * side * side;
    for (let y = top; y < top + side; y++) {
      let from = (y * size.width + left) * CHANNELS + channel;
      for (let x = 0; x < side; x++, from += CHANNELS, to++)
        pixels[to] = ((rgb[from] as number) / WHITE - offset) / scale;
    }
  }
  return pixels;
}
