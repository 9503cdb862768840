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

/** SubRip has no escapes, so an arrow in the text is drawn with another character: a reader must not take it for a time line. */
function srtLine(line: string): string {
  return line.replaceAll('-->', '→');
}
