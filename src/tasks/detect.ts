/** Where things are in a picture: boxes or points, in source pixels. */

import { isRecord } from '../json-value.js';
import { fieldOf } from './json-text.js';
import {
  aboutPicture,
  type Box,
  boxOf,
  checkPicture,
  coordinatesOf,
  coordinatesSchema,
  isInside,
  type PictureInput,
  type Point,
  pointOf,
  sizeWords,
} from './picture-place.js';
import { type AnswerSchema, listOf, objectOf, textOf } from './schema.js';
import { readJson, type Task } from './task.js';
import { checkedQuestion, cleanValue, quoted } from './words.js';

export interface DetectInput extends PictureInput {
  /** What is looked for: `every person and every dog`. */
  readonly what: string;
}

export interface Detection<Place> {
  /** What the model calls it; empty when it gave no name. */
  readonly label: string;
  readonly place: Place;
}

const MAX_DETECTIONS = 60;
const MAX_LABEL = 80;

const BOX_NAMES = ['bbox_2d', 'bbox', 'box'];
const POINT_NAMES = ['point_2d', 'point', 'coordinate'];

export const detectBoxesTask: Task<DetectInput, readonly Detection<Box>[]> = {
  name: 'detect boxes',

  request(input) {
    return requestOf(
      input,
      'Give the box of each: left, top, right, bottom.',
      {
        bbox_2d: coordinatesSchema(input, 4),
      },
      '"bbox_2d": [x1, y1, x2, y2]',
    );
  },

  read(answer, input) {
    return readJson(answer, (value) => detectionsOf(value, BOX_NAMES, 4, (corners) => boxOf(corners, input)));
  },
};

export const detectPointsTask: Task<DetectInput, readonly Detection<Point>[]> = {
  name: 'detect points',

  request(input) {
    return requestOf(
      input,
      'Give a point in the middle of each.',
      {
        point_2d: coordinatesSchema(input, 2),
      },
      '"point_2d": [x, y]',
    );
  },

  read(answer, input) {
    return readJson(answer, (value) =>
      detectionsOf(value, POINT_NAMES, 2, (point) => (isInside(point, input) ? pointOf(point, input) : undefined)),
    );
  },
};

function requestOf(input: DetectInput, wanted: string, place: Readonly<Record<string, AnswerSchema>>, example: string) {
  checkPicture(input);
  const what = checkedQuestion(input.what, 'description');
  return {
    parts: aboutPicture(input, [
      sizeWords(input),
      `Find in this picture: ${quoted(what, what.length)}`,
      `${wanted} When there is none, the list is empty.`,
      `Answer with JSON only: [{${example}, "label": "..."}]`,
    ]),
    schema: listOf(objectOf({ ...place, label: textOf(MAX_LABEL) }), MAX_DETECTIONS),
    maxTokens: 2048,
  };
}

/** Undefined when the value is no list, or no item of it names a place. Equal things at one place are one. */
function detectionsOf<Place>(
  value: unknown,
  names: readonly string[],
  count: 2 | 4,
  place: (coordinates: readonly number[]) => Place | undefined,
): Detection<Place>[] | undefined {
  const list = listIn(value, names);
  if (!Array.isArray(list)) return undefined;
  const found = new Map<string, Detection<Place>>();
  let wellFormed = 0;
  for (const item of list) {
    const coordinates = isRecord(item) ? coordinatesOf(fieldOf(item, names), count) : undefined;
    if (!isRecord(item) || !coordinates) continue;
    wellFormed++;
    const at = place(coordinates);
    if (at === undefined) continue;
    const label = cleanValue(fieldOf(item, ['label', 'name', 'text']), MAX_LABEL);
    found.set(JSON.stringify([label.toLowerCase(), at]), { label, place: at });
    if (found.size === MAX_DETECTIONS) break;
  }
  return list.length > 0 && wellFormed === 0 ? undefined : [...found.values()];
}

/** Servers that write no bare lists put one into an object; a single thing may come without a list. */
function listIn(value: unknown, names: readonly string[]): unknown {
  if (!isRecord(value)) return value;
  return fieldOf(value, names) === undefined ? fieldOf(value, ['objects', 'detections', 'results']) : [value];
}
