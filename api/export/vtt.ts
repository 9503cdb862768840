/** WebVTT. */

import { formatCueTime } from '../../src/time.js';
import type { Cue } from './cue.js';

/** Yields the header first, so an empty layer is still a valid file. */
export async function* renderVtt(cues: AsyncIterable<Cue>): AsyncGenerator<string> {
  yield 'WEBVTT\n\n';
  let index = 1;
  for await (const cue of cues) {
    const times = `${formatCueTime(cue.startMs / 1000, '.')} --> ${formatCueTime(cue.endMs / 1000, '.')}`;
    yield `${index}\n${times}\n${cue.lines.map(escapeVtt).join('\n')}\n\n`;
    index++;
  }
}

/** With `>` escaped no cue can hold the arrow that separates times. */
function escapeVtt(line: string): string {
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
