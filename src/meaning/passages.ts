/** What is embedded for a line of speech or a subtitle: the sentence that it is a part of. Pure. */

import type { EventKind, MediaEvent } from '../event.js';
import type { Seconds } from '../time.js';

/** Kinds that cut sentences where breath or the width of the screen ends. */
const CUT_KINDS: ReadonlySet<EventKind> = new Set(['speech', 'subtitle']);
/** A sentence goes on over a pause of this much at most. */
const LONGEST_PAUSE: Seconds = 1.5;
/** Lines before and after that are looked at: more would make a point of everything that was said. */
const REACH = 2;
/** A line that ends so has said what it began. Also in writing from right to left and without spaces, and behind quotes and brackets. */
const SENTENCE_END = /[.!?…。！？।؟♪][\s"'”’»)\]]*$/u;

/**
 * For each event the text whose meaning it carries: its own, and for a line of speech or subtitles that begins or ends in the middle of a
 * sentence, the sentence, up to two lines to each side.
 * @param events of one window or stretch, sorted by start; lines of other kinds stand between them without a say
 */
export function passages(events: readonly MediaEvent[]): string[] {
  const texts = events.map(({ text }) => text);
  for (const kind of CUT_KINDS) {
    const lines = events.flatMap((event, position) => (event.kind === kind ? [{ event, position }] : []));
    lines.forEach(({ position }, at) => {
      let [first, last] = [at, at];
      while (first > 0 && at - first < REACH && goesOn(lines[first - 1]?.event, lines[first]?.event)) first--;
      while (last < lines.length - 1 && last - at < REACH && goesOn(lines[last]?.event, lines[last + 1]?.event)) last++;
      texts[position] = lines
        .slice(first, last + 1)
        .map(({ event }) => event.text)
        .join(' ');
    });
  }
  return texts;
}

/** Whether the sentence of one line is still open when the next begins. */
function goesOn(line: MediaEvent | undefined, next: MediaEvent | undefined): boolean {
  if (!line || !next) return false;
  const pause = next.start - line.end;
  return (
    !SENTENCE_END.test(line.text) &&
    pause <= LONGEST_PAUSE &&
    next.start > line.start &&
    line.attributes.language === next.attributes.language
  );
}
