/** What stands on the screen, picture after picture: only what changed since it was read is read again. */

import { onGrid } from './detector-input.js';
import { type Box, boxAround, boxIoU, type SlantedBox, sharedArea, uprightBox } from './geometry.js';
import { changedArea, changedTiles, touchesChange } from './picture-change.js';
import { cropPixels, type RgbPixels, wholePixels } from './pixels.js';
import type { TextReader } from './reader.js';

/** A line of text in one picture. */
export interface ScreenLine {
  readonly text: string;
  /** The recogniser's, 0..1. */
  readonly score: number;
  /** Pixels of the picture. */
  readonly slanted: SlantedBox;
  /** The upright box around it. */
  readonly box: Box;
}

/** Readings that are less sure are mostly patterns, leaves and fences. */
const LEAST_SCORE = 0.6;
/** How far from a change the picture is read again: as far as a letter's edge shines. */
const MARGIN = 32;
/** When this share of the picture has to be read, all of it is. */
const NEARLY_ALL = 0.6;
/** A box that overlaps one that was read before by this much, and did not change, is the same line. */
const SAME_BOX = 0.8;
/** A line this near the border of what was read may go on beyond it. */
const BORDER = 3;

export class Screen {
  readonly #reader: TextReader;
  #lines: readonly ScreenLine[] = [];
  /** The picture as it was when each of its parts was last read. */
  #read: RgbPixels | undefined;

  constructor(reader: TextReader) {
    this.#reader = reader;
  }

  /** Forgets what was read: the next picture is read as a whole. */
  forget(): void {
    this.#read = undefined;
    this.#lines = [];
  }

  /**
   * @param picture of one size from call to call, both sides multiples of 32
   * @returns all lines that stand there now
   * @throws {LongwatchError} of the reader
   */
  async look(picture: RgbPixels, signal?: AbortSignal): Promise<readonly ScreenLine[]> {
    const before = this.#read;
    const whole: Box = [0, 0, picture.width, picture.height];
    if (!before) {
      this.#lines = await this.#readPart(picture, whole, [], undefined, signal);
      this.#read = { width: picture.width, height: picture.height, rgb: picture.rgb.slice() };
      return this.#lines;
    }
    const flags = changedTiles(before, picture);
    const changed = changedArea(flags, picture);
    if (!changed) return this.#lines;
    let part = partToRead(changed, this.#lines, picture);
    let found = await this.#readPart(picture, part, this.#lines, flags, signal);
    if (found.some(({ box }) => isCut(box, part, picture))) {
      part = whole;
      found = await this.#readPart(picture, part, this.#lines, flags, signal);
    }
    this.#lines = [...this.#lines.filter(({ box }) => sharedArea(box, part) === 0), ...found];
    copyPart(picture, before, part);
    return this.#lines;
  }

  /** Lines of one part. Those of `known` that did not change keep what was read. */
  async #readPart(
    picture: RgbPixels,
    part: Box,
    known: readonly ScreenLine[],
    flags: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ScreenLine[]> {
    const [left, top] = part;
    const pixels = part[2] === picture.width && part[3] === picture.height ? picture : cropPixels(picture, part);
    const regions = await this.#reader.find(pixels, signal);
    const kept: ScreenLine[] = [];
    const fresh: SlantedBox[] = [];
    for (const { box } of regions) {
      const slanted = { ...box, centre: { x: box.centre.x + left, y: box.centre.y + top } };
      const upright = uprightBox(slanted, picture);
      const same = known.find((line) => boxIoU(line.box, upright) >= SAME_BOX);
      if (same && flags && !touchesChange(flags, upright, picture.width)) kept.push(same);
      else fresh.push(box);
    }
    const readings = await this.#reader.recognise(pixels, fresh, signal);
    readings.forEach(({ text, score }, index) => {
      const box = fresh[index];
      if (!box || score < LEAST_SCORE || !/[\p{L}\p{N}]/u.test(text)) return;
      const slanted = { ...box, centre: { x: box.centre.x + left, y: box.centre.y + top } };
      kept.push({ text, score, slanted, box: uprightBox(slanted, picture) });
    });
    return kept;
  }
}

/**
 * The change with a margin, and what of the known lines that touches, on the detector's grid: no known line is cut. Nearly all of the picture is
 * all of it.
 */
export function partToRead(
  changed: Box,
  lines: readonly Pick<ScreenLine, 'box'>[],
  picture: { readonly width: number; readonly height: number },
): Box {
  let part = onGrid(wholePixels(changed, picture, MARGIN), picture);
  for (;;) {
    const cut = lines.filter(({ box }) => sharedArea(box, part) > 0 && !inside(box, part));
    if (cut.length === 0) break;
    part = onGrid(boxAround([part, ...cut.map(({ box }) => wholePixels(box, picture, MARGIN))]), picture);
  }
  const share = (part[2] * part[3]) / (picture.width * picture.height);
  return share > NEARLY_ALL ? [0, 0, picture.width, picture.height] : part;
}

function inside([x, y, width, height]: Box, [left, top, partWidth, partHeight]: Box): boolean {
  return x >= left && y >= top && x + width <= left + partWidth && y + height <= top + partHeight;
}

/** Whether a line touches a border of the part that is no border of the picture. */
function isCut([x, y, width, height]: Box, [left, top, partWidth, partHeight]: Box, picture: RgbPixels): boolean {
  return (
    (left > 0 && x < left + BORDER) ||
    (top > 0 && y < top + BORDER) ||
    (left + partWidth < picture.width && x + width > left + partWidth - BORDER) ||
    (top + partHeight < picture.height && y + height > top + partHeight - BORDER)
  );
}

function copyPart({ width, rgb }: RgbPixels, to: RgbPixels, [left, top, partWidth, partHeight]: Box): void {
  for (let row = top; row < top + partHeight; row++) {
    const from = 3 * (row * width + left);
    to.rgb.set(rgb.subarray(from, from + 3 * partWidth), from);
  }
}
