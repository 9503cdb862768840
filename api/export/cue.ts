/** A line of text with whole milliseconds, as subtitle formats hold it. */

import { roundToMilliseconds, type TimeRange } from '../../src/time.js';
import { columnsOf } from './columns.js';
import { cleanText } from './text.js';
import { wrapText } from './wrap.js';

/** Wrapped to the lines of a subtitle, or one line as a title has. */
export type CueShape = 'lines' | 'title';

export interface Cue {
  readonly startMs: number;
  /** Always after `startMs`. */
  readonly endMs: number;
  /** At least one line, none of them empty. */
  readonly lines: readonly string[];
  /** What there is to read: the width of the text on one line. */
  readonly columns: number;
}

/**
 * Cues of timed texts that are sorted by start. Starts never go back; a cue whose end falls on its start lasts one millisecond; a text
 * of which nothing is left after cleaning gives no cue.
 * @param shape `lines` wraps to subtitle lines, `title` keeps one line. @default lines
 * @param onCue hears of each cue before it is handed on
 */
export async function* cuesOf(
  texts: AsyncIterable<TimeRange & { readonly text: string }>,
  shape: CueShape = 'lines',
  onCue?: (cue: Cue) => void,
): AsyncGenerator<Cue> {
  let previousMs = 0;
  for await (const text of texts) {
    const cue = cueOf(text, shape, previousMs);
    if (!cue) continue;
    previousMs = cue.startMs;
    onCue?.(cue);
    yield cue;
  }
}

/** One cue by itself; undefined where nothing is left to read. @param earliestMs it starts no sooner. @default 0 */
export function cueOf(
  { start, end, text }: TimeRange & { readonly text: string },
  shape: CueShape = 'lines',
  earliestMs = 0,
): Cue | undefined {
  const clean = cleanText(text);
  if (clean === '') return undefined;
  const startMs = Math.max(earliestMs, wholeMilliseconds(start));
  const title = clean.replaceAll('\n', ' ');
  const lines = shape === 'lines' ? wrapText(clean) : [title];
  return { startMs, endMs: Math.max(wholeMilliseconds(end), startMs + 1), lines, columns: columnsOf(title) };
}

/** @param time in seconds; rounded as `roundToMilliseconds` rounds */
export function wholeMilliseconds(time: number): number {
  return Math.round(roundToMilliseconds(time) * 1000);
}
