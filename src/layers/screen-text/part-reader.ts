/** Reads one part of a video, from a picture on which nothing is known to one on which nothing is open: pictures in, signs out. */

import type { Picture } from '../../../ingest/video/frame.js';
import type { Seconds } from '../../time.js';
import { type Edge, type EdgeFinderParts, type FoundEdge, findEdges } from './edge-finder.js';
import { type Box, boxAround } from './geometry.js';
import { LineTracker, LONGEST_LOSS, type Sighting, type Track } from './line-tracker.js';
import { splitTrack, textOf } from './readings.js';
import { Screen } from './screen.js';
import { joinBlocks, type Sign, withoutFragments } from './sign.js';

/** What is seen so often, or read so surely, is a sign. Patterns are read differently each time. */
const CONVINCING = { score: 0.75, sightings: 2, atOnce: 0.9, letters: 3, letter: 0.9, letterSightings: 3 };
/** A line whose centre moved by more than its height. */
const MOVED = 1;

interface PartEnd {
  readonly time: Seconds;
  /** Whether the video goes on after it. */
  readonly goesOn: boolean;
}

export class PartReader {
  readonly #parts: EdgeFinderParts;
  readonly #screen: Screen;
  readonly #tracker: LineTracker;
  readonly #starts = new Map<Track, FoundEdge>();
  readonly #signs: Sign[] = [];

  /** @param start of the part: the time of its first picture, or 0 */
  constructor(
    parts: EdgeFinderParts,
    readonly start: Seconds,
  ) {
    this.#parts = parts;
    this.#screen = new Screen(parts.reader);
    this.#tracker = new LineTracker(parts.size);
  }

  /** Nothing is on screen, as far as the pictures tell, and nothing was lost a moment ago. */
  get idle(): boolean {
    return this.#tracker.open.length === 0;
  }

  /** @throws {LongwatchError} of the reader and the decoder, `cancelled` */
  async see(picture: Picture): Promise<void> {
    const lines = await this.#screen.look(picture, this.#parts.signal);
    const ended = this.#tracker.see(picture.time, lines);
    // A start waits until a line that left in the same gap is known to have left: both need the same frames.
    const settled = this.#tracker.open.filter(
      (track) => !this.#starts.has(track) && picture.time - firstTime(track) > LONGEST_LOSS && isConvincing(track),
    );
    if (settled.length > 0 || ended.length > 0) await this.#settle(settled, ended, undefined);
  }

  /**
   * Signs of the part, sorted. What is still on screen ends with it.
   * @param end of the part
   * @param goesOn whether the video goes on after it
   * @param frameLength precision of an edge that is the part's own
   */
  async finish(end: Seconds, goesOn: boolean, frameLength: Seconds): Promise<readonly Sign[]> {
    await this.#settle([], this.#tracker.finish(), { time: end, goesOn });
    const signs = this.#signs.map((sign) => ({ ...sign, precision: sign.precision || frameLength }));
    return joinBlocks(withoutFragments(signs));
  }

  async #settle(settled: readonly Track[], ended: readonly Track[], partEnd: PartEnd | undefined): Promise<void> {
    const pieces = ended.flatMap((track) =>
      splitTrack(track).map((piece, index, all) => ({
        piece,
        known: index === 0 ? this.#starts.get(track) : undefined,
        previous: all[index - 1],
        next: all[index + 1],
      })),
    );
    for (const track of ended) this.#starts.delete(track);
    const edges = new Map<Track, { start?: Edge; end?: Edge }>();
    for (const track of settled) edges.set(track, { ...startEdge(track) });
    const kept = pieces.filter(({ piece }) => isConvincing(piece));
    for (const { piece, known, previous, next } of kept)
      edges.set(piece, { ...(known ? {} : startEdge(piece, previous)), ...endEdge(piece, next) });
    const all = [...edges.values()].flatMap(({ start, end }) => [start, end].filter((edge) => edge !== undefined));
    const found = await findEdges(this.#parts, all, this.start);
    const startOf = (track: Track) => {
      const edge = edges.get(track)?.start;
      return (edge && found.get(edge)) ?? coarseStart(track, this.start);
    };
    for (const track of settled) this.#starts.set(track, startOf(track));
    for (const { piece, known } of kept) {
      const edge = edges.get(piece)?.end;
      const fine = {
        start: known ?? startOf(piece),
        end: (edge && found.get(edge)) ?? coarseEnd(piece, partEnd?.time),
      };
      this.#signs.push(this.#signOf(piece, fine, partEnd));
    }
  }

  #signOf(
    track: Track,
    edges: { readonly start: FoundEdge; readonly end: FoundEdge },
    partEnd: PartEnd | undefined,
  ): Sign {
    const { text, score, values, running } = textOf(track.sightings);
    // Edges that crossed were found on frames that show something else.
    const { start, end } =
      edges.start.time < edges.end.time
        ? edges
        : { start: coarseStart(track, this.start), end: coarseEnd(track, partEnd?.time) };
    const boxes = track.sightings.map(({ box }) => box);
    const still = !running && !values && !isMoving(track);
    return {
      start: start.time,
      end: Math.min(end.time, partEnd?.time ?? end.time),
      precision: Math.max(start.precision, end.precision),
      text,
      score,
      box: still ? middleBox(boxes) : boxAround(boxes),
      angle: ((track.sightings[0]?.slanted.angle ?? 0) * 180) / Math.PI,
      kind: running ? 'running' : values ? 'counting' : still ? 'still' : 'moving',
      ...(values ? { values: values.length } : {}),
      continued: track.before === undefined && this.start > 0,
      continues: track.after === undefined && partEnd?.goesOn === true,
      lines: 1,
    };
  }
}

function firstTime(track: Track): Seconds {
  return track.sightings[0]?.time ?? 0;
}

function isConvincing(track: Track): boolean {
  const { text, score } = textOf(track.sightings);
  const letters = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
  const { length } = track.sightings;
  if (letters <= 1) return length >= CONVINCING.letterSightings && score >= CONVINCING.letter;
  return (
    (length >= CONVINCING.sightings && score >= CONVINCING.score) ||
    (letters >= CONVINCING.letters && score >= CONVINCING.atOnce)
  );
}

function isMoving({ sightings }: Track): boolean {
  const [first, last] = [sightings[0]?.box, sightings.at(-1)?.box];
  if (!first || !last) return false;
  const middle = ([x, y, width, height]: Box) => [x + width / 2, y + height / 2] as const;
  const [[ax, ay], [bx, by]] = [middle(first), middle(last)];
  // A reading that lost a word has another middle, but not another edge on both sides.
  const shifted = Math.min(
    Math.abs(first[0] - last[0]),
    Math.abs(first[0] + first[2] - last[0] - last[2]),
    Math.abs(ax - bx),
  );
  return Math.max(shifted, Math.abs(ay - by)) > MOVED * first[3];
}

/** The gap in which a line that stays in its place came; undefined where its first picture is the part's, or its frames would not tell. */
function startEdge(track: Track, previous?: Track): { start?: Edge } {
  const [line] = track.sightings;
  if (!line || track.before === undefined || !isSteady(track)) return {};
  return { start: { kind: 'start', from: track.before, to: line.time, ...wanted(line, track), ...other(previous) } };
}

function endEdge(track: Track, next?: Track): { end?: Edge } {
  const line = track.sightings.at(-1);
  if (!line || track.after === undefined || !isSteady(track)) return {};
  return { end: { kind: 'end', from: track.last, to: track.after, ...wanted(line, track), ...other(next) } };
}

function other(track: Track | undefined): { other?: string } {
  return track ? { other: textOf(track.sightings).text } : {};
}

function isSteady(track: Track): boolean {
  return !isMoving(track) && !textOf(track.sightings).running;
}

/** The line where it was seen, with what it is known to say: a single reading may be wrong. Numbers that count are as they were. */
function wanted(line: Sighting, track: Track): Pick<Edge, 'line' | 'counts'> {
  const { text, values } = textOf(track.sightings);
  return values ? { line, counts: true } : { line: { ...line, text } };
}

function coarseStart(track: Track, partStart: Seconds): FoundEdge {
  const time = firstTime(track);
  return track.before === undefined ? { time: partStart, precision: 0 } : { time, precision: time - track.before };
}

function coarseEnd({ last, after }: Track, partEnd: Seconds | undefined): FoundEdge {
  if (after === undefined) return { time: partEnd ?? last, precision: 0 };
  return { time: after, precision: after - last };
}

/** The box whose left edge, top, width and height are each the middle ones: single boxes are too long or too short. */
function middleBox(boxes: readonly Box[]): Box {
  const middle = (pick: (box: Box) => number) => boxes.map(pick).sort((a, b) => a - b)[boxes.length >> 1] ?? 0;
  return [middle(([x]) => x), middle(([, y]) => y), middle(([, , width]) => width), middle(([, , , height]) => height)];
}
