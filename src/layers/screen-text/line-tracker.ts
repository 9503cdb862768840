/** Follows lines of text from picture to picture: one track for each line of a sign, however often it is seen. Pure: times and lines in, tracks out. */

import type { Seconds } from '../../time.js';
import { type Box, boxIoU } from './geometry.js';
import type { ScreenLine } from './screen.js';
import { differsInNumbers, sharedText, textSimilarity } from './similarity.js';

export interface Sighting extends ScreenLine {
  readonly time: Seconds;
}

export interface Track {
  readonly sightings: Sighting[];
  /** Time of the picture before the first sighting; undefined when there was none, so that the line may have begun earlier. */
  readonly before: Seconds | undefined;
  /** Time of the last picture that shows it. */
  last: Seconds;
  /** Time of the first picture after `last`. */
  after: Seconds | undefined;
}

/** A line that was not seen for longer than this has left. Shorter losses are the detector's. */
export const LONGEST_LOSS: Seconds = 1;

/** Boxes of a line that stays overlap by this much, and its readings are this alike. */
const STAYS = { overlap: 0.3, likeness: 0.55 };
/** A line of which only the numbers changed stands this much in the same place. */
const COUNTS = { overlap: 0.4 };
/** A line that moved is read nearly the same, is not short and not further than this share of the picture's height or width. */
const MOVES = { likeness: 0.8, letters: 4, distance: 0.35 };
/** A line that runs through shares this many letters with what it showed before. */
const RUNS = { letters: 6, height: 0.25, offset: 0.35 };

export class LineTracker {
  readonly #size: { readonly width: number; readonly height: number };
  #open: Track[] = [];
  #previous: Seconds | undefined;

  /** @param size of the pictures, in pixels */
  constructor(size: { readonly width: number; readonly height: number }) {
    this.#size = size;
  }

  /** Lines that may still be there. */
  get open(): readonly Track[] {
    return this.#open;
  }

  /**
   * @param time of this picture, later than that of the one before
   * @returns tracks that ended: not seen for so long that the line has left
   */
  see(time: Seconds, lines: readonly ScreenLine[]): Track[] {
    const pairs = this.#open
      .flatMap((track) => lines.map((line) => ({ track, line, fit: fitOf(track, line, this.#size) })))
      .filter(({ fit }) => fit > 0)
      .sort((a, b) => b.fit - a.fit);
    const takenTracks = new Set<Track>();
    const takenLines = new Set<ScreenLine>();
    for (const { track, line } of pairs) {
      if (takenTracks.has(track) || takenLines.has(line)) continue;
      takenTracks.add(track);
      takenLines.add(line);
      track.sightings.push({ ...line, time });
      track.last = time;
      track.after = undefined;
    }
    for (const track of this.#open) if (!takenTracks.has(track)) track.after ??= time;
    const ended = this.#open.filter(({ last }) => time - last > LONGEST_LOSS);
    this.#open = this.#open.filter((track) => !ended.includes(track));
    for (const line of lines)
      if (!takenLines.has(line))
        this.#open.push({ sightings: [{ ...line, time }], before: this.#previous, last: time, after: undefined });
    this.#previous = time;
    return ended;
  }

  /** Ends all tracks, and forgets the pictures before. */
  finish(): Track[] {
    const ended = this.#open;
    this.#open = [];
    this.#previous = undefined;
    return ended;
  }
}

/** How well a line goes on with a track; 0 for not at all. What stays comes before what counts, moves and runs. */
function fitOf(track: Track, line: ScreenLine, size: { readonly width: number; readonly height: number }): number {
  const last = track.sightings.at(-1);
  if (!last) return 0;
  const overlap = boxIoU(last.box, line.box);
  const likeness = textSimilarity(last.text, line.text);
  if (overlap >= STAYS.overlap && likeness >= STAYS.likeness) return 4 + overlap + likeness;
  if (overlap >= COUNTS.overlap && differsInNumbers(last.text, line.text)) return 3 + overlap;
  if (!alike(last.box[3], line.box[3], RUNS.height)) return 0;
  const { across, down } = distance(last.box, line.box);
  const near = across <= MOVES.distance * size.width && down <= MOVES.distance * size.height;
  if (near && likeness >= MOVES.likeness && line.text.length >= MOVES.letters) return 2 + likeness - down / size.height;
  const sameLine = down <= RUNS.offset * line.box[3];
  if (sameLine && sharedText(last.text, line.text).length >= RUNS.letters) return 1 + overlap;
  return 0;
}

function alike(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(a, b);
}

/** Between the centres. */
function distance([ax, ay, aw, ah]: Box, [bx, by, bw, bh]: Box): { readonly across: number; readonly down: number } {
  return { across: Math.abs(ax + aw / 2 - bx - bw / 2), down: Math.abs(ay + ah / 2 - by - bh / 2) };
}
