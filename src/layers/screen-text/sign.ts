/** A sign: text that appears and leaves together. Lines become blocks, and blocks become events. Pure. */

import type { EventAttributes, MediaEvent } from '../../event.js';
import { durationOf, type Seconds, type TimeRange } from '../../time.js';
import { type Box, boxAround, sharedArea } from './geometry.js';
import { textSimilarity } from './similarity.js';

export interface Sign extends TimeRange {
  readonly precision: Seconds;
  readonly text: string;
  /** The recogniser's, 0..1. */
  readonly score: number;
  /** Around all places where it stood, pixels of the pictures that were read. */
  readonly box: Box;
  /** Clockwise degrees that the line is turned by. */
  readonly angle: number;
  readonly kind: 'still' | 'moving' | 'counting' | 'running';
  /** Different values of a number that counts. */
  readonly values?: number;
  /** It was on screen already when this part of the video began. */
  readonly continued: boolean;
  /** It was still on screen when this part of the video ended. */
  readonly continues: boolean;
  /** Lines that were joined. */
  readonly lines: number;
}

/** Lines of a block have heights within this ratio. */
const HEIGHT_RATIO = 2;
/** And lie this near, in heights of the lower one: one above the other, and side by side. */
const GAP_DOWN = 1;
const GAP_ACROSS = 1.5;

/** Lines that came and left together and stand together become one sign, its text in reading order. */
export function joinBlocks(lines: readonly Sign[]): Sign[] {
  const blocks: Sign[][] = [];
  for (const line of lines) {
    const near = blocks.filter((block) => block.some((other) => together(other, line)));
    const joined = [...near.flat(), line];
    for (const block of near) blocks.splice(blocks.indexOf(block), 1);
    blocks.push(joined);
  }
  return blocks.map(joinBlock).sort((a, b) => a.start - b.start || a.end - b.end || a.box[1] - b.box[1]);
}

/** A line that lies in another one's box by this much is a part of it. */
const FRAGMENT = 0.7;
/** Texts that are this alike, in one place at one time, are two readings of one. */
const SPELLINGS = 0.7;

/**
 * Takes pieces of a line into the whole line: what the detector found a second time beside it, or as all that was to be seen of it a moment before
 * or after. The whole lasts as long as all of them.
 */
export function withoutFragments(signs: readonly Sign[]): Sign[] {
  const kept: Sign[] = [];
  for (const sign of [...signs].sort((a, b) => bare(b).length - bare(a).length)) {
    const at = kept.findIndex((whole) => isFragment(whole, sign));
    const whole = kept[at];
    if (!whole) kept.push(sign);
    else
      kept[at] = {
        // A piece says less than the whole; of two readings the one that lasted is right.
        ...(!bare(whole).includes(bare(sign)) && durationOf(sign) > durationOf(whole) ? sign : whole),
        start: Math.min(whole.start, sign.start),
        end: Math.max(whole.end, sign.end),
        precision:
          sign.start < whole.start || sign.end > whole.end
            ? Math.max(whole.precision, sign.precision)
            : whole.precision,
        continued: whole.continued || sign.continued,
        continues: whole.continues || sign.continues,
      };
  }
  return kept;
}

function bare({ text }: Sign): string {
  return text.toLowerCase().replaceAll(/\s+/g, '');
}

function isFragment(whole: Sign, part: Sign): boolean {
  if (sharedArea(whole.box, part.box) < FRAGMENT * part.box[2] * part.box[3]) return false;
  const grace = Math.max(whole.precision, part.precision) + 1e-6;
  const apart = Math.max(whole.start, part.start) - Math.min(whole.end, part.end);
  if (bare(whole).includes(bare(part))) return apart <= grace;
  // Two texts do not stand in one place at one time; one after the other, alike as they may be, they are two.
  return apart < -grace && textSimilarity(whole.text, part.text) >= SPELLINGS;
}

function together(a: Sign, b: Sign): boolean {
  const grace = Math.max(a.precision, b.precision) + 1e-6;
  if (a.kind !== b.kind || a.kind === 'counting' || a.kind === 'running') return false;
  if (Math.abs(a.start - b.start) > grace || Math.abs(a.end - b.end) > grace) return false;
  const [ax, ay, aw, ah] = a.box;
  const [bx, by, bw, bh] = b.box;
  const height = Math.min(ah, bh);
  if (Math.max(ah, bh) > HEIGHT_RATIO * height) return false;
  const across = Math.max(ax, bx) - Math.min(ax + aw, bx + bw);
  const down = Math.max(ay, by) - Math.min(ay + ah, by + bh);
  return (across < 0 && down < GAP_DOWN * height) || (down < -height / 2 && across < GAP_ACROSS * height);
}

function joinBlock(block: readonly Sign[]): Sign {
  const [first] = block;
  if (!first) throw new Error('A block has a line.');
  if (block.length === 1) return first;
  const ordered = inReadingOrder(block);
  return {
    ...first,
    start: Math.min(...block.map(({ start }) => start)),
    end: Math.max(...block.map(({ end }) => end)),
    precision: Math.max(...block.map(({ precision }) => precision)),
    text: ordered.map(({ text }) => text).join(' '),
    score: block.reduce((sum, { score }) => sum + score, 0) / block.length,
    box: boxAround(block.map(({ box }) => box)),
    continued: block.some(({ continued }) => continued),
    continues: block.some(({ continues }) => continues),
    lines: block.reduce((sum, { lines }) => sum + lines, 0),
  };
}

/** Rows from top to bottom, each from left to right. What overlaps a row's first line by half its height belongs to the row. */
export function inReadingOrder<T extends { readonly box: Box }>(lines: readonly T[]): T[] {
  const waiting = [...lines].sort((a, b) => a.box[1] - b.box[1] || a.box[0] - b.box[0]);
  const ordered: T[] = [];
  for (let head = waiting.shift(); head; head = waiting.shift()) {
    const [, top, , height] = head.box;
    const inRow = (line: T) => {
      const [, y, , h] = line.box;
      return Math.min(top + height, y + h) - Math.max(top, y) > Math.min(height, h) / 2;
    };
    const row = [head, ...waiting.filter(inRow)].sort((a, b) => a.box[0] - b.box[0]);
    for (const line of row.filter((other) => other !== head)) waiting.splice(waiting.indexOf(line), 1);
    ordered.push(...row);
  }
  return ordered;
}

/** A line that is turned less than this is level. */
const LEVEL_DEGREES = 3;

/** @param scale pixels of the display for a pixel of the pictures, across and down */
export function signEvent(sign: Sign, scale: { readonly x: number; readonly y: number }, model: string): MediaEvent {
  const [x, y, width, height] = sign.box;
  const attributes: Record<string, EventAttributes[string]> = {
    box: [x * scale.x, y * scale.y, width * scale.x, height * scale.y].map(Math.round),
    score: Math.round(sign.score * 100) / 100,
  };
  if (sign.lines > 1) attributes['lines'] = sign.lines;
  if (Math.abs(sign.angle) >= LEVEL_DEGREES) attributes['angle_degrees'] = Math.round(sign.angle);
  if (sign.kind !== 'still') attributes[sign.kind] = true;
  if (sign.values !== undefined) attributes['values'] = sign.values;
  if (sign.continued) attributes['continued'] = true;
  if (sign.continues) attributes['continues'] = true;
  const { start, end, precision, text } = sign;
  return { kind: 'text', source: 'text', start, end, precision, text, model, attributes };
}
