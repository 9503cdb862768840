/** How fast a cue must be read. Nothing is shortened or held longer for it: what was said is said, and when it was is not ours to change. */

/**
 * Characters a second up to which adults read a subtitle at ease: what makers of subtitles allow in English (17 in most other languages,
 * 9 to 12 wide ones in Chinese and Korean, of which each counts as two here).
 */
export const READING_SPEED_MAX = 20;

/** What a person has to read, and how long it stands. */
export interface ReadCue {
  readonly startMs: number;
  readonly endMs: number;
  /** Of the whole text, spaces included. */
  readonly columns: number;
}

/** Characters a second. */
export function readingSpeed({ startMs, endMs, columns }: ReadCue): number {
  return columns / ((endMs - startMs) / 1000);
}

/** Counts cues as they are written. */
export class ReadingTally {
  cues = 0;
  /** Those that are faster than `READING_SPEED_MAX`. */
  fast = 0;
  /** Characters a second; 0 without a cue. */
  fastest = 0;
  fastestStartMs = 0;

  count(cue: ReadCue): void {
    const speed = readingSpeed(cue);
    this.cues++;
    if (speed > READING_SPEED_MAX) this.fast++;
    if (speed <= this.fastest) return;
    this.fastest = speed;
    this.fastestStartMs = cue.startMs;
  }
}
