/** What can be told of a picture file from its first bytes: its format, and how its pixels have to be turned. */

import { LongwatchError } from '../../src/errors.js';
import type { EngineLog } from './engine.js';
import { firstComplaint, mediaError } from './ffmpeg-errors.js';
import type { Picture } from './frame.js';

/** Formats of single pictures that are read, by ffmpeg's names of their readers. Each is opened as this format and no other. */
export const PICTURE_FORMATS = ['jpeg_pipe', 'png_pipe', 'webp_pipe'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** Bytes that are looked at; the note about turning stands near the beginning. */
export const PICTURE_HEAD_BYTES = 64 * 1024;

/** @param head the first bytes of the file, at least 12 @returns undefined for what is none of them */
export function pictureFormat(head: Uint8Array): PictureFormat | undefined {
  const begins = (bytes: readonly number[], at = 0) => bytes.every((byte, i) => head[at + i] === byte);
  if (begins([0xff, 0xd8, 0xff])) return 'jpeg_pipe';
  if (begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png_pipe';
  // "RIFF", four bytes of length, "WEBP"
  if (begins([0x52, 0x49, 0x46, 0x46]) && begins([0x57, 0x45, 0x42, 0x50], 8)) return 'webp_pipe';
  return undefined;
}

/**
 * How the pixels of a picture lie, as Exif numbers it: 1 upright, 2 mirrored, 3 upside down, 4 mirrored and upside down, 5 to 8 lying on their side
 * (Exif 2.32, tag 274). Cameras leave the turning to whoever shows the picture.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Of a JPEG; 1 where it says nothing. Never throws: the file may be anything. */
export function orientationOf(head: Uint8Array): Orientation {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      // "Exif", two zeros, then a TIFF file.
      const isExif = view.getUint8(at + 1) === 0xe1 && view.getUint32(at + 4) === 0x45786966;
      if (isExif)
        return tiffOrientation(new DataView(view.buffer, view.byteOffset + at + 10, view.byteLength - at - 10));
    }
  } catch {
    // The file ends, or points behind its end.
  }
  return 1;
}

const ORIENTATION_TAG = 274;
const ENTRY_BYTES = 12;

function tiffOrientation(tiff: DataView): Orientation {
  const little = tiff.getUint16(0) === 0x4949;
  const directory = tiff.getUint32(4, little);
  const entries = tiff.getUint16(directory, little);
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + entry * ENTRY_BYTES;
    if (tiff.getUint16(at, little) !== ORIENTATION_TAG) continue;
    const value = tiff.getUint16(at + 8, little);
    return isOrientation(value) ? value : 1;
  }
  return 1;
}

function isOrientation(value: number): value is Orientation {
  return value >= 1 && value <= 8;
}

/** Whether width and height change places when it is turned upright. */
export function liesOnItsSide(orientation: Orientation): boolean {
  return orientation >= 5;
}

type Pixels = Pick<Picture, 'width' | 'height' | 'rgb'>;

/** The picture as a person should see it. */
export function upright(stored: Pixels, orientation: Orientation): Pixels {
  if (orientation === 1) return stored;
  const { width: w, height: h, rgb } = stored;
  const [width, height] = liesOnItsSide(orientation) ? [h, w] : [w, h];
  const source = SOURCE_OF[orientation];
  const turned = new Uint8Array(rgb.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const [column, row] = source(x, y, w - 1, h - 1);
      const from = 3 * (row * w + column);
      turned[to] = rgb[from] as number;
      turned[to + 1] = rgb[from + 1] as number;
      turned[to + 2] = rgb[from + 2] as number;
    }
  }
  return { width, height, rgb: turned };
}

/** Which stored pixel stands at `x`, `y` of the upright picture. @param right last stored column @param bottom last stored row */
type Source = (x: number, y: number, right: number, bottom: number) => readonly [column: number, row: number];

const SOURCE_OF: Readonly<Record<Orientation, Source>> = {
  1: (x, y) => [x, y],
  2: (x, y, right) => [right - x, y],
  3: (x, y, right, bottom) => [right - x, bottom - y],
  4: (x, y, _right, bottom) => [x, bottom - y],
  5: (x, y) => [y, x],
  6: (x, y, _right, bottom) => [y, bottom - x],
  7: (x, y, right, bottom) => [right - y, bottom - x],
  8: (x, y, right) => [right - y, x],
};

/** In pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** The size of a picture that lies on its side, or as it is. */
export function turned({ width, height }: PictureSize, onItsSide: boolean): PictureSize {
  return onItsSide ? { width: height, height: width } : { width, height };
}

/** The stored size that `pictureProbeCommand` tells, or undefined when it tells none. */
export function readPictureSize(json: string): PictureSize | undefined {
  try {
    const { streams } = JSON.parse(json) as { streams?: { width?: unknown; height?: unknown }[] };
    const { width, height } = streams?.[0] ?? {};
    const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
    return isLength(width) && isLength(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}

/** What is wrong with a picture that ffmpeg does not decode: `too_large`, `decode_failed`, else `invalid_input`. */
export function pictureError(path: string, log: EngineLog): LongwatchError {
  const { code } = mediaError(path, log);
  const evidence = firstComplaint(log);
  return new LongwatchError(
    code === 'too_large' || code === 'decode_failed' ? code : 'invalid_input',
    `The picture cannot be decoded${evidence === undefined ? '' : ` (decoder: ${evidence})`}.`,
    { path, hint: 'Check that it opens in a viewer, and has at most 40 million pixels.' },
  );
}
