/** SubRip: index from 1, comma before the milliseconds, CRLF. */

import { formatCueTime } from '../../src/time.js';
import type { Cue } from './cue.js';

export async function* renderSrt(cues: AsyncIterable<Cue>): AsyncGenerator<string> {
  let index = 1;
  for await (const cue of cues) {
    const times = `${formatCueTime(cue.startMs / 1000, ',')} --> ${formatCueTime(cue.endMs / 1000, ',')}`;
    yield `${index}\r\n${times}\r\n${cue.lines.map(srtLine).join('\r\n')}\r\n\r\n`;
    index++;
  }
}

/**
 * SubRip has no escapes, so what a player would take for a time line, a tag or an override block is drawn with other characters:
 * `→` for the arrow, `‹b›` for a tag, and a space behind a brace.
 */
function srtLine(line: string): string {
  return line
    .replaceAll('-->', '→')
    .replace(/<(\/?[a-z][^<>]*)>/gi, '‹$1›')
    .replaceAll('{\\', '{ \\');
}
