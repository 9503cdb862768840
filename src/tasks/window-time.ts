/** From the seconds that a model names to media time, and how precise that is. */

import type { Picture } from '../../ingest/video/frame.js';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import type { ModelInput } from '../model.js';
import { mergeRanges, overlaps, type Seconds, type TimeRange } from '../time.js';
import { fieldOf, readNumber } from './json-text.js';
import { TIME_STEP } from './schema.js';
import { cleanValue } from './words.js';

/** A stretch of media time, with half the distance that a true edge may lie away. */
export interface TimeSpan extends TimeRange {
  readonly precision: Seconds;
}

export interface TimedText extends TimeSpan {
  readonly text: string;
}

/** Seconds from one temporal position to the next of a model that does not say it: `tokens_per_second` of the published Qwen2.5-VL is 2. */
export const POSITION_STEP: Seconds = 0.5;

/** Frames that the model joins into one, so that they share one time (`temporal_patch_size`). */
export const FRAMES_PER_PAIR = 2;

/**
 * @throws {LongwatchError} `invalid_input` when the window is empty, has no frames or an odd number of them, or frames outside of it
 */
export function checkWindow({ range, pictures }: ModelInput): void {
  const problem = windowProblem(range, pictures);
  if (problem === undefined) return;
  throw new LongwatchError(
    'invalid_input',
    `The window ${range.start} s to ${range.end} s cannot be shown to a model: ${problem}.`,
    {
      hint: 'Choose another stretch of the video.',
    },
  );
}

function windowProblem(range: TimeRange, pictures: readonly Picture[]): string | undefined {
  if (!Number.isFinite(range.start) || !Number.isFinite(range.end) || range.start >= range.end) return 'it is empty';
  if (pictures.length === 0) return 'it has no frames';
  if (pictures.length % FRAMES_PER_PAIR !== 0) return `${pictures.length} frames are no whole number of pairs`;
  const stray = pictures.find(({ time }) => !(time >= range.start && time <= range.end));
  return stray && `the frame at ${stray.time} s lies outside of it`;
}

/**
 * What the words of a prompt call the video: the window from its first frame on, where second 0 is. A model sees how far its frames lie apart,
 * and not when a window began that shows nothing yet.
 */
export function shownRange({ range, pictures }: Pick<ModelInput, 'range' | 'pictures'>): TimeRange {
  const start = pictures[0]?.time ?? range.start;
  return start < range.end ? { start, end: range.end } : range;
}

/** Times at which a new pair of frames begins, in order. */
function pairTimes(pictures: readonly Picture[]): Seconds[] {
  return pictures.filter((_, position) => position % FRAMES_PER_PAIR === 0).map(({ time }) => time);
}

/**
 * How far a true edge may lie from where the model put it. The model knows the picture by pairs of frames, and their time in steps;
 * so it is half the distance between the pairs around the edge, and never less than half a step. An edge on a pair belongs to both sides,
 * and the wider one counts.
 * @param positionStep of the model that named the edge
 */
export function edgePrecision(
  { range, pictures }: ModelInput,
  edge: Seconds,
  positionStep: Seconds = POSITION_STEP,
): Seconds {
  const marks = [range.start, ...pairTimes(pictures), range.end];
  let widest = 0;
  for (let i = 1; i < marks.length; i++) {
    const from = marks[i - 1] as Seconds;
    const to = marks[i] as Seconds;
    if (edge >= from - TIME_STEP / 2 && edge <= to + TIME_STEP / 2) widest = Math.max(widest, to - from);
  }
  return Math.max(positionStep, widest) / 2;
}

/** The precision of a whole stretch: that of its worse edge. */
export function spanOf(input: ModelInput, { start, end }: TimeRange, positionStep?: Seconds): TimeSpan {
  const precision = Math.max(edgePrecision(input, start, positionStep), edgePrecision(input, end, positionStep));
  return { start, end, precision };
}

/** The pairs of frames that show something of `range`, the nearest one at least. Whole pairs, so that nothing is paired anew. */
export function picturesIn({ range: window, pictures }: ModelInput, range: TimeRange): Picture[] {
  const times = pairTimes(pictures);
  const shown = times.map((time, pair) => ({ start: time, end: times[pair + 1] ?? window.end, pair }));
  const inside = shown.filter((stretch) => overlaps(stretch, range));
  const chosen = inside.length > 0 ? inside : shown.slice(0, 1);
  return chosen.flatMap(({ pair }) => pictures.slice(pair * FRAMES_PER_PAIR, (pair + 1) * FRAMES_PER_PAIR));
}

/** So many of the pairs of frames, one from the middle of each equal share: as even over the window's changes as the plan was. */
export function thinnedPairs(pictures: readonly Picture[], pairs: number): Picture[] {
  const planned = pictures.length / FRAMES_PER_PAIR;
  return Array.from({ length: pairs }, (_, share) => Math.floor(((share + 0.5) * planned) / pairs)).flatMap((pair) =>
    pictures.slice(pair * FRAMES_PER_PAIR, (pair + 1) * FRAMES_PER_PAIR),
  );
}

/** `12.5`, `"12.5"`, `"12.5s"`, `"12.5 seconds"`, `"00:12.50"`, `"0:00:12"`; undefined for anything else. */
export function readSeconds(value: unknown): Seconds | undefined {
  if (typeof value !== 'string') return readNumber(value);
  const match = /^\s*(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{0,9})?)\s*(?:s|secs?|seconds?)?\s*$/i.exec(value);
  if (!match) return readNumber(value);
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3]);
}

const START_NAMES = ['start', 'start_time', 'start_s', 'from', 'begin'];
const END_NAMES = ['end', 'end_time', 'end_s', 'to', 'stop'];
const TEXT_NAMES = ['text', 'description', 'caption', 'event', 'label'];

/**
 * The stretch that an item of an answer names, in media time and inside the window. What begins with the first frame began with the window.
 * @param zero media time of second 0
 * @returns `malformed` when it names none, `outside` when nothing of it lies in the window or it ends before it starts
 */
export function rangeOf(
  item: unknown,
  window: TimeRange,
  zero: Seconds = window.start,
): TimeRange | 'malformed' | 'outside' {
  const pair = Array.isArray(item)
    ? item
    : isRecord(item)
      ? [fieldOf(item, START_NAMES), fieldOf(item, END_NAMES)]
      : [];
  const start = readSeconds(pair[0]);
  const end = readSeconds(pair[1]);
  if (start === undefined || end === undefined || pair.length !== 2) return 'malformed';
  if (!(start < end)) return 'outside';
  const length = window.end - zero;
  const range = {
    start: start <= 0 ? window.start : Math.min(window.end, zero + start),
    end: end >= length ? window.end : Math.max(window.start, zero + end),
  };
  return range.start < range.end ? range : 'outside';
}

/** Items that are read of one list. */
const MAX_ITEMS = 1000;

/**
 * Stretches of the window, merged where they overlap, in order.
 * @returns undefined when the list is no list, or has items and none of them names a stretch
 */
export function spansOf(
  list: unknown,
  input: ModelInput,
  most: number,
  positionStep?: Seconds,
): TimeSpan[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const { start: zero } = shownRange(input);
  const ranges = list.slice(0, MAX_ITEMS).map((item) => rangeOf(item, input.range, zero));
  if (ranges.length > 0 && ranges.every((range) => range === 'malformed')) return undefined;
  return mergeRanges(ranges.filter((range) => typeof range === 'object'))
    .slice(0, most)
    .map((range) => spanOf(input, range, positionStep));
}

/**
 * Timed texts of the window in order. Those without words are dropped; the same words over touching stretches are one.
 * @returns undefined when the list is no list, or has items and none of them names a stretch
 */
export function timedTextsOf(
  list: unknown,
  input: ModelInput,
  most: number,
  maxLength: number,
  positionStep?: Seconds,
): TimedText[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const { start: zero } = shownRange(input);
  const byWords = new Map<string, { text: string; ranges: TimeRange[] }>();
  let wellFormed = 0;
  for (const item of list.slice(0, MAX_ITEMS)) {
    const range = rangeOf(item, input.range, zero);
    if (range === 'malformed' || !isRecord(item)) continue;
    wellFormed++;
    const text = cleanValue(fieldOf(item, TEXT_NAMES), maxLength);
    if (range === 'outside' || text === '') continue;
    const words = text.toLowerCase();
    const known = byWords.get(words);
    if (known) known.ranges.push(range);
    else byWords.set(words, { text, ranges: [range] });
  }
  if (list.length > 0 && wellFormed === 0) return undefined;
  return [...byWords.values()]
    .flatMap(({ text, ranges }) =>
      mergeRanges(ranges).map((range) => ({ ...spanOf(input, range, positionStep), text })),
    )
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .slice(0, most);
}
