/**
 * Three-dimensional rotary positions of a prompt (time, row, column) on the absolute time of the video, and the decoder's table of
 * cosines and sines.
 *
 * The rule is the one the checkpoints were trained with: text counts on in all three dimensions; a video's time id is its pair's time
 * in seconds times `tokens_per_second`, a product in floating point, truncated once; whatever follows starts at the maximum + 1.
 */

import type { Seconds } from '../time.js';
import type { TextConfig } from './config.js';
import type { PatchGrid } from './vision-layout.js';

/** One stretch of a prompt. The markers around a medium belong to the text; a medium is its own tokens only. */
export type PromptSpan =
  | { readonly kind: 'text'; readonly length: number }
  | { readonly kind: 'image'; readonly grid: PatchGrid }
  | {
      readonly kind: 'video';
      readonly grid: PatchGrid;
      /**
       * Time of each frame pair, that of its first frame; never decreasing, never negative. Media time of the video by default: a window
       * that starts at 3600 s has ids of 3600 s, as if all tokens before it had been pruned. `relativeTimes` makes the other numbering.
       */
      readonly pairTimes: readonly Seconds[];
    };

/** Letters: L = tokens of the prompt. */
export interface MropePositions {
  /** `[3, L]`: all time ids, then all row ids, then all column ids. */
  readonly ids: Int32Array;
  /** Position of the first generated token in all three dimensions; the next ones count on from it. */
  readonly next: number;
}

/** Frames that share one pair, and so one time, in every published checkpoint of this family. */
const FRAMES_PER_PAIR = 2;

/** Time of each pair of frames: that of its first frame. An odd last frame is a pair with itself. */
export function pairTimes(frameTimes: readonly Seconds[], framesPerPair = FRAMES_PER_PAIR): Seconds[] {
  return frameTimes.filter((_, index) => index % framesPerPair === 0);
}

/**
 * Pair times counted from `origin` instead of from the start of the video: the numbering of a clip that was cut out.
 *
 * A difference of two rounded times may lie a hair below the tick it stands for, and truncation would then lose a whole id; so it is
 * rounded to the nanosecond, finer than any time base in use.
 * @param origin @default the first pair's time
 */
export function relativeTimes(times: readonly Seconds[], origin: Seconds = times[0] ?? 0): Seconds[] {
  return times.map((time) => Math.round((time - origin) * 1e9) / 1e9);
}

/** Tokens that a span takes in the prompt. */
export function spanLength(span: PromptSpan, spatialMerge: number): number {
  if (span.kind === 'text') return span.length;
  const perPair = (span.grid.rows / spatialMerge) * (span.grid.columns / spatialMerge);
  return span.kind === 'video' ? span.pairTimes.length * perPair : perPair;
}

/**
 * Positions of a whole prompt.
 * @param tokensPerSecond time ids per second of video (2 in the published checkpoints)
 * @throws when pair times are negative, decreasing or not finite: they come from decoded frames, so this is an error in the caller.
 */
export function mropePositions(
  spans: readonly PromptSpan[],
  tokensPerSecond: number,
  spatialMerge: number,
): MropePositions {
  const L = spans.reduce((sum, span) => sum + spanLength(span, spatialMerge), 0);
  const ids = new Int32Array(3 * L);
  let at = 0;
  let start = 0;
  for (const span of spans) {
    if (span.kind === 'text') {
      for (let i = 0; i < span.length; i++) ids[at + i] = ids[L + at + i] = ids[2 * L + at + i] = start + i;
      at += span.length;
      start += span.length;
      continue;
    }
    const rows = span.grid.rows / spatialMerge;
    const columns = span.grid.columns / spatialMerge;
    const times = span.kind === 'video' ? span.pairTimes : [0];
    checkTimes(times);
    let next = start;
    for (const time of times) {
      const timeId = Math.floor(time * tokensPerSecond);
      next = start + Math.max(timeId + 1, rows, columns);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++, at++) {
          ids[at] = start + timeId;
          ids[L + at] = start + row;
          ids[2 * L + at] = start + column;
        }
      }
    }
    start = next;
  }
  return { ids, next: start };
}

function checkTimes(times: readonly Seconds[]): void {
  times.forEach((time, index) => {
    const before = times[index - 1] ?? 0;
    if (!Number.isFinite(time) || time < before) {
      throw new Error(`Pair ${index} is at ${time} s and the one before it at ${before} s: times never decrease.`);
    }
  });
}

/**
 * The decoder's rotary table for any tokens: `[L, D]` each, `D` the head size.
 *
 * Of the `D/2` frequencies `theta^(-2f/D)` the first section turns with the time id, the next with the row id, the last with the column
 * id (chunked, not interleaved), then all are doubled. Angles are taken in float64: in float32 an id of ten hours (72,000) times a
 * frequency near 1 would be off by thousandths of a radian, and two tokens a second apart would attend differently late in a video.
 * @param ids `[3, L]`
 */
export function mropeTable(
  ids: Int32Array,
  text: Pick<TextConfig, 'headDim' | 'ropeTheta' | 'mropeSection'>,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const L = ids.length / 3;
  const D = text.headDim;
  const half = D / 2;
  const [timeSection, rowSection, columnSection] = text.mropeSection;
  if (timeSection + rowSection + columnSection !== half) {
    throw new Error(`Sections of ${text.mropeSection.join(' + ')} frequencies do not make ${half}.`);
  }
  const cos = new Float32Array(L * D);
  const sin = new Float32Array(L * D);
  for (let f = 0; f < half; f++) {
    const frequency = text.ropeTheta ** ((-2 * f) / D);
    const dimension = f < timeSection ? 0 : f < timeSection + rowSection ? 1 : 2;
    let at = f;
    for (let token = 0; token < L; token++, at += D) {
      const angle = (ids[dimension * L + token] as number) * frequency;
      cos[at] = cos[at + half] = Math.cos(angle);
      sin[at] = sin[at + half] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
