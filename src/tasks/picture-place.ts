/** Places in a picture: the model speaks in pixels of the picture that it was shown, people in pixels of the source. */

import type { Picture } from '../../ingest/video/frame.js';
import type { BackendRequest } from '../backend.js';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import { readNumber } from './json-text.js';
import { type AnswerSchema, listOf } from './schema.js';

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A picture as a model sees it. */
export interface PictureInput {
  /** At the backend's `pictureSize(source)`: a backend that has to resize it would speak of other pixels. */
  readonly picture: Picture;
  /** Display size of the frame or still that the picture was made from; answers are in its pixels. */
  readonly source: Size;
}

/** Whole source pixels, half-open: `left` belongs to it, `right` does not. At least one pixel, inside the source. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A source pixel. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** @throws {LongwatchError} `invalid_input` when a size is no size, or the pixels are not as many as it says */
export function checkPicture({ picture, source }: PictureInput): void {
  const sizes = [picture.width, picture.height, source.width, source.height];
  const whole = sizes.every((side) => Number.isInteger(side) && side > 0);
  if (whole && picture.rgb.length === picture.width * picture.height * 3) return;
  throw new LongwatchError(
    'invalid_input',
    `A picture of ${picture.width}x${picture.height} with ${picture.rgb.length} bytes, made from ${source.width}x${source.height}, cannot be shown to a model.`,
    { hint: 'Give packed RGB, 3 bytes per pixel, and the size of the source.' },
  );
}

/** The picture first, words last. */
export function aboutPicture({ picture }: PictureInput, words: readonly string[]): BackendRequest['parts'] {
  return [
    { kind: 'image', picture },
    { kind: 'text', text: words.join('\n') },
  ];
}

/** How the model's own pixels are spoken of. */
export function sizeWords({ picture }: PictureInput): string {
  return `The picture is ${picture.width} pixels wide and ${picture.height} pixels high. Coordinates are pixels from its top left corner.`;
}

/** As many whole numbers as a point (2) or a box (4) has. A list has one bound for all of them: the longer side. */
export function coordinatesSchema({ picture }: PictureInput, count: 2 | 4): AnswerSchema {
  return listOf({ type: 'integer', minimum: 0, maximum: Math.max(picture.width, picture.height) }, count, count);
}

/** Exactly `count` finite numbers, also as text or as `{x, y}`; undefined for anything else. */
export function coordinatesOf(value: unknown, count: 2 | 4): readonly number[] | undefined {
  const list = isRecord(value) && count === 2 ? [value['x'], value['y']] : value;
  if (!Array.isArray(list) || list.length !== count) return undefined;
  const numbers = list.map(readNumber).filter((number) => number !== undefined);
  return numbers.length === count ? numbers : undefined;
}

/** The box in source pixels, cut to the picture; undefined when nothing of it lies inside or its corners are reversed. */
export function boxOf(corners: readonly number[], { picture, source }: PictureInput): Box | undefined {
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = corners;
  const horizontal = edgesOf(x1, x2, picture.width, source.width);
  const vertical = edgesOf(y1, y2, picture.height, source.height);
  return horizontal && vertical && { left: horizontal[0], top: vertical[0], right: horizontal[1], bottom: vertical[1] };
}

function edgesOf(from: number, to: number, shown: number, real: number): readonly [number, number] | undefined {
  if (!(from < to) || to <= 0 || from >= shown) return undefined;
  const first = Math.min(real - 1, Math.round((Math.max(0, from) * real) / shown));
  const last = Math.round((Math.min(shown, to) * real) / shown);
  // A sliver is still a pixel wide.
  return [first, Math.max(first + 1, last)];
}

/** The pixel of the source, moved to the nearest one inside. */
export function pointOf(coordinates: readonly number[], { picture, source }: PictureInput): Point {
  const [x = 0, y = 0] = coordinates;
  return { x: pixelOf(x, picture.width, source.width), y: pixelOf(y, picture.height, source.height) };
}

function pixelOf(at: number, shown: number, real: number): number {
  const inside = Math.min(shown, Math.max(0, at));
  return Math.min(real - 1, Math.floor((inside * real) / shown));
}

/** Whether a point lies in the picture that the model was shown, its far edges included. */
export function isInside(coordinates: readonly number[], { picture }: PictureInput): boolean {
  const [x = -1, y = -1] = coordinates;
  return x >= 0 && y >= 0 && x <= picture.width && y <= picture.height;
}
