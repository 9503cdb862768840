/** A line of text with whole milliseconds, as subtitle formats hold it. */

import { roundToMilliseconds, type TimeRange } from '../../src/time.js';
import { cleanText, wrapText } from './text.js';

export interface Cue {
  readonly startMs: number;
  /** Always after `startMs`. */
  readonly endMs: number;
  /** At least one line, none of them empty. */
  readonly lines: readonly string[];
}

/**
 * Cues of timed texts that are sorted by start. Starts never go back; a cue whose end falls on its start lasts one millisecond; a text
 * of which nothing is left after cleaning gives no cue.
 * @param shape `lines` wraps to subtitle lines, `title` keeps one line. @default lines
 */
export async function* cuesOf(
  texts: AsyncIterable<TimeRange & { readonly text: string }>,
  shape: 'lines' | 'title' = 'lines',
): AsyncGenerator<Cue> {
  let previousMs = 0;
  for await (const { start, end, text } of texts) {
    const clean = cleanText(text);
    if (clean === '') continue;
    const startMs = Math.max(previousMs, wholeMilliseconds(start));
    previousMs = startMs;
    const lines = shape === 'lines' ? wrapText(clean) : [clean.replaceAll('\n', ' ')];
    yield { startMs, endMs: Math.max(wholeMilliseconds(end), startMs + 1), lines };
  }
}

export function wholeMilliseconds(time: number): number {
  return Math.round(roundToMilliseconds(time) * 1000);
}
