/** What ffmpeg writes of a subtitle stream, as cues. */

import type { Seconds } from '../../src/time.js';
import { readPacketLine } from './byte-readers.js';
import type { SourceCue } from './decoder.js';

/** Longest believable cue; ffmpeg writes 2^32 − 1 ms where the file gives no end. */
const LONGEST_CUE: Seconds = 3600;
/** A cue without an end lasts until the next one, at most this long. */
const OPEN_CUE_LENGTH: Seconds = 5;

/**
 * Cues of one stream, sorted by start, on the container's clock.
 * @param lines the `framecrc` lines of `SUBTITLE_OUTPUT.cues`
 * @param texts the texts of all cues in the order of the lines, one behind the other
 */
export function readCues(lines: readonly string[], texts: Buffer): SourceCue[] {
  const unit = lines.map((line) => /^#tb 0: (\d+)\/(\d+)$/.exec(line)).find((match) => match !== null);
  const num = Number(unit?.[1] ?? 1);
  const den = Number(unit?.[2] ?? 1000);
  let offset = 0;
  const cues: SourceCue[] = [];
  for (const packet of lines.map(readPacketLine)) {
    if (!packet) continue;
    const text = texts
      .subarray(offset, offset + packet.size)
      .toString('utf8')
      .replaceAll('\r\n', '\n')
      .trim();
    offset += packet.size;
    const containerStart = (packet.pts * num) / den;
    const length = (packet.duration * num) / den;
    if (text !== '') cues.push({ containerStart, containerEnd: containerStart + length, text });
  }
  cues.sort((a, b) => a.containerStart - b.containerStart);
  return cues.map((cue, index) => closeCue(cue, cues[index + 1]));
}

function closeCue(cue: SourceCue, next: SourceCue | undefined): SourceCue {
  const length = cue.containerEnd - cue.containerStart;
  if (length > 0 && length < LONGEST_CUE) return cue;
  const untilNext =
    next && next.containerStart > cue.containerStart ? next.containerStart - cue.containerStart : OPEN_CUE_LENGTH;
  return { ...cue, containerEnd: cue.containerStart + Math.min(untilNext, OPEN_CUE_LENGTH) };
}
