/**
 * Time in Longwatch: media time in seconds, exact source timestamps, half-open ranges, and how they are read and printed.
 *
 * Media time counts from the first presented frame of a video. It is derived from source timestamps and never from a frame
 * number divided by a frame rate.
 */

import { LongwatchError } from './errors.js';

/** Media time or a duration, in seconds from the first presented frame. */
export type Seconds = number;
/** Wall-clock time or a duration, in milliseconds. */
export type Milliseconds = number;
/** Position of a frame in presentation order, from 0. */
export type FrameIndex = number;

/** Length of one tick in seconds, as the fraction `num / den`. Both are positive integers. */
export interface TimeBase {
  readonly num: number;
  readonly den: number;
}

/** An exact source timestamp: `pts` ticks of `timeBase`. `pts` is a safe integer and may be negative. */
export interface Timestamp {
  readonly pts: number;
  readonly timeBase: TimeBase;
}

/** Half-open stretch of media time: `start` belongs to it, `end` does not. `start <= end`. */
export interface TimeRange {
  readonly start: Seconds;
  readonly end: Seconds;
}

/** Seconds on the container's own clock. One multiplication and one division, so that equal ticks give equal seconds. */
export function timestampToSeconds({ pts, timeBase }: Timestamp): Seconds {
  return (pts * timeBase.num) / timeBase.den;
}

/** Media time of `pts` when `firstPts` is the first presented frame of the same stream. */
export function mediaTime(pts: number, firstPts: number, timeBase: TimeBase): Seconds {
  return timestampToSeconds({ pts: pts - firstPts, timeBase });
}

/**
 * Reads `num/den` or `num:den`, as ffmpeg prints time bases, rates and aspect ratios.
 * Returns undefined for `0/0`, for a non-positive part and for anything else that is no ratio.
 */
export function parseRatio(text: string | undefined): TimeBase | undefined {
  const match = /^(\d+)[/:](\d+)$/.exec(text ?? '');
  const num = Number(match?.[1]);
  const den = Number(match?.[2]);
  return num > 0 && den > 0 ? { num, den } : undefined;
}

/** Length of a range; 0 for an empty one. */
export function durationOf(range: TimeRange): Seconds {
  return Math.max(0, range.end - range.start);
}

/** Whether `time` lies in the half-open range. */
export function contains(range: TimeRange, time: Seconds): boolean {
  return time >= range.start && time < range.end;
}

/** Whether two half-open ranges share any time. Ranges that only touch do not. */
export function overlaps(a: TimeRange, b: TimeRange): boolean {
  return a.start < b.end && b.start < a.end;
}

/** The shared part of two ranges, or undefined when there is none. */
export function intersect(a: TimeRange, b: TimeRange): TimeRange | undefined {
  return overlaps(a, b) ? { start: Math.max(a.start, b.start), end: Math.min(a.end, b.end) } : undefined;
}

/** Intersection over union of two ranges, 0..1; two equal ranges give 1, two empty ones 0. */
export function temporalIoU(a: TimeRange, b: TimeRange): number {
  const shared = intersect(a, b);
  if (!shared) return 0;
  const inner = durationOf(shared);
  return inner / (durationOf(a) + durationOf(b) - inner);
}

/**
 * The same time covered by the fewest ranges, sorted. Ranges whose gap is at most `joinGap` become one.
 * @param joinGap Largest gap that is closed. @default 0 (only touching or overlapping ranges join)
 */
export function mergeRanges(ranges: readonly TimeRange[], joinGap: Seconds = 0): TimeRange[] {
  const merged: { start: Seconds; end: Seconds }[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = merged.at(-1);
    if (last && range.start - last.end <= joinGap) last.end = Math.max(last.end, range.end);
    else merged.push({ start: range.start, end: range.end });
  }
  return merged;
}

/** What of `whole` is in none of `holes`, sorted; empty pieces are dropped. */
export function subtractRanges(whole: TimeRange, holes: readonly TimeRange[]): TimeRange[] {
  const left: TimeRange[] = [];
  let cursor = whole.start;
  for (const hole of mergeRanges(holes)) {
    if (hole.start > cursor && cursor < whole.end) left.push({ start: cursor, end: Math.min(hole.start, whole.end) });
    cursor = Math.max(cursor, hole.end);
  }
  if (cursor < whole.end) left.push({ start: cursor, end: whole.end });
  return left;
}

/**
 * Seconds as people and machines read them: whole milliseconds, rounded **up**.
 *
 * A frame is on screen from its timestamp on, so a time rounded down would land on the frame before it. A microsecond of
 * floating-point noise does not push a time to the next millisecond.
 */
export function roundToMilliseconds(time: Seconds): Seconds {
  return Math.ceil(time * 1000 - 1e-3) / 1000 + 0;
}

/** `H:MM:SS.mmm`, hours always there and as long as they need to be. Milliseconds as `roundToMilliseconds`. */
export function formatTime(time: Seconds): string {
  const { sign, hours, minutes, seconds, millis } = clockParts(time);
  return `${sign}${hours}:${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(millis, 3)}`;
}

/** `HH:MM:SS` + `separator` + `mmm`: a comma for SRT, a point for WebVTT. Negative times print as zero. */
export function formatCueTime(time: Seconds, separator: ',' | '.'): string {
  const { hours, minutes, seconds, millis } = clockParts(Math.max(0, time));
  return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(seconds, 2)}${separator}${pad(millis, 3)}`;
}

/**
 * Reads a time argument: `90`, `90.5`, `1:30`, `01:01:30.250`.
 * Minutes and seconds after a colon are below 60.
 * @throws {LongwatchError} `bad_time` for anything else, negative times included.
 */
export function parseTime(text: string): Seconds {
  const match = /^(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d+)?)$/.exec(text.trim());
  const seconds = Number(match?.[3]);
  const behindColon = match?.[2] !== undefined;
  if (!match || (behindColon && seconds >= 60) || !Number.isFinite(seconds)) {
    throw new LongwatchError('bad_time', `"${text}" is not a time.`, {
      hint: 'Write seconds (90.5) or a clock time (1:30, 01:01:30.250).',
    });
  }
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + seconds;
}

function clockParts(time: Seconds) {
  const totalMillis = Math.round(roundToMilliseconds(time) * 1000);
  const absolute = Math.abs(totalMillis);
  return {
    sign: totalMillis < 0 ? '-' : '',
    hours: Math.floor(absolute / 3_600_000),
    minutes: Math.floor(absolute / 60_000) % 60,
    seconds: Math.floor(absolute / 1000) % 60,
    millis: absolute % 1000,
  };
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
