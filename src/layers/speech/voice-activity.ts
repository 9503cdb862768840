/** From how probable speech is in each 32 ms to stretches of speech, and to passages of sound that can be heard by themselves. */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';
import type { Seconds } from '../../time.js';

/** Samples that Silero judges at once: 32 ms. All places here count in such chunks. */
export const CHUNK_SAMPLES = 512;

/** A stretch begins where speech is this probable … */
const SPEECH = 0.5;
/** … and lasts until it is less probable than this … */
const SILENCE = 0.35;
/** … for this long. A pause inside a word is shorter. */
const PAUSE = chunks(0.2);
/** What is shorter is a click or a cough. */
const SHORTEST_SPEECH = chunks(0.128);

/** Longest passage that is put together of several stretches; with what is added at its ends it fits into Whisper's 30 s. */
const PASSAGE = chunks(28);
/** Stretches further apart than this are heard apart. */
const APART = chunks(4);
/** Where a passage has to be parted, the longest pause behind this much of it is taken. */
const LEAST_PASSAGE = chunks(12);
/** Speech without a pause is parted after at most this long, at the least probable place of the last `PARTING` of it. */
const LONGEST_SPEECH = chunks(60);
const PARTING = chunks(15);
/** Silence that is given to a passage behind its end. */
const TAIL = chunks(1);
/** Silence is passed over by this much at a time, but for `TAIL` at its end, in which speech may be about to begin. */
const QUIET = chunks(20);

/** Half-open, in chunks. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

export interface Passage {
  /** Where the passage ends; the next one begins there. Never in the middle of a word, but for speech that knows no pause. */
  readonly end: number;
  /** Stretches of speech in it; none in silence. */
  readonly speech: readonly ChunkRange[];
}

function chunks(seconds: Seconds): number {
  return Math.round((seconds * SOUND_RATE) / CHUNK_SAMPLES);
}

interface FoundSpeech {
  /** In order; what is too short to be speech is left out. */
  readonly stretches: readonly ChunkRange[];
  /** Where something began that may go on behind the end; it is among the stretches when it is long enough already. */
  readonly open: number | undefined;
}

export function findSpeech(probabilities: ArrayLike<number>): FoundSpeech {
  const stretches: ChunkRange[] = [];
  let open: number | undefined;
  /** Behind the last chunk that was not silent. */
  let end = 0;
  const close = (start: number) => {
    if (end - start >= SHORTEST_SPEECH) stretches.push({ start, end });
  };
  for (let index = 0; index < probabilities.length; index++) {
    const probability = probabilities[index] ?? 0;
    if (probability >= SPEECH) {
      open ??= index;
      end = index + 1;
    } else if (open !== undefined && probability >= SILENCE) {
      end = index + 1;
    } else if (open !== undefined && index + 1 - end >= PAUSE) {
      close(open);
      open = undefined;
    }
  }
  if (open !== undefined) close(open);
  return { stretches, open };
}

/**
 * The first passage, or undefined when more must be heard before it is known. What comes later never changes it, so it does not matter how
 * much was heard when it was asked for.
 * @param ended nothing follows
 */
export function nextPassage(probabilities: ArrayLike<number>, ended: boolean): Passage | undefined {
  const { length } = probabilities;
  const { stretches, open } = findSpeech(probabilities);
  const [first] = stretches;
  if (length >= QUIET && Math.min(first?.start ?? QUIET, open ?? QUIET) >= QUIET)
    return { end: QUIET - TAIL, speech: [] };
  for (const [index, stretch] of stretches.entries()) {
    const last = stretches[index - 1];
    if (last && stretch.start - last.end >= APART)
      return { end: behind(last, stretch.start), speech: stretches.slice(0, index) };
    if (last && stretch.end - (first ?? last).start > PASSAGE) return part(stretches.slice(0, index + 1));
    if (stretch.end - stretch.start >= LONGEST_SPEECH) return partSpeech(probabilities, stretch);
  }
  if (ended) return { end: length, speech: stretches };
  const last = stretches.at(-1);
  if (!last || (open ?? length) - last.end < APART) return undefined;
  return { end: behind(last, length), speech: stretches };
}

/** In the silence behind a stretch: its middle, or `TAIL` behind it. */
function behind({ end }: ChunkRange, next: number): number {
  return end + Math.min(TAIL, Math.ceil((next - end) / 2));
}

/** At the longest pause before the last stretch, which is too much. */
function part(stretches: readonly ChunkRange[]): Passage {
  const start = stretches[0]?.start ?? 0;
  const pauses = stretches.slice(1).map((next, index) => ({ next, last: stretches[index] ?? next, count: index + 1 }));
  const late = pauses.filter(({ last }) => last.end - start >= LEAST_PASSAGE);
  const candidates = late.length > 0 ? late : pauses;
  const chosen = candidates.reduce((a, b) => (b.next.start - b.last.end >= a.next.start - a.last.end ? b : a));
  return { end: behind(chosen.last, chosen.next.start), speech: stretches.slice(0, chosen.count) };
}

/** Where speech is least probable over 96 ms, in the last part of the longest that is heard in one. */
function partSpeech(probabilities: ArrayLike<number>, { start }: ChunkRange): Passage {
  let [place, least] = [start + LONGEST_SPEECH, Infinity];
  for (let index = start + LONGEST_SPEECH - PARTING; index < start + LONGEST_SPEECH - 1; index++) {
    const around = (probabilities[index - 1] ?? 0) + 2 * (probabilities[index] ?? 0) + (probabilities[index + 1] ?? 0);
    if (around < least) [place, least] = [index, around];
  }
  return { end: place, speech: [{ start, end: place }] };
}
