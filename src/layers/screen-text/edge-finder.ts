/** When exactly a line came or went: the frames between two pictures, halved until one frame is left. */

import type { Decoder } from '../../../ingest/video/decoder.js';
import type { Picture } from '../../../ingest/video/frame.js';
import { LongwatchError } from '../../errors.js';
import type { Seconds } from '../../time.js';
import type { LayerVideo } from '../layer.js';
import { onGrid } from './detector-input.js';
import { uprightBox } from './geometry.js';
import { cropPixels, wholePixels } from './pixels.js';
import type { TextReader } from './reader.js';
import type { ScreenLine } from './screen.js';
import { differsInNumbers, textSimilarity } from './similarity.js';

/** A line that is there at one end of a gap between two pictures and not at the other. */
export interface Edge {
  readonly kind: 'start' | 'end';
  /** The gap: both are times of pictures. A start lies in `(from, to]`, and so does an end. */
  readonly from: Seconds;
  readonly to: Seconds;
  readonly line: ScreenLine;
  /** The line's numbers change, so any number in their place is the line. */
  readonly counts?: true;
  /** What stands in the same place at the other end of the gap, where that is a similar text. */
  readonly other?: string | undefined;
}

export interface FoundEdge {
  /** Of the first frame that shows the line, or of the first that does not any more. */
  readonly time: Seconds;
  readonly precision: Seconds;
}

/** Readings that are this alike show the same line. */
const SAME_TEXT = 0.6;
/** In another place they have to be more alike: signs of one kind stand side by side. */
const SAME_TEXT_ELSEWHERE = 0.8;
/** The detector may find a line late or lose it early by this many gaps. */
const MORE_GAPS = 4;
/** Beyond the last frame of a range, so that it belongs to it. */
const JUST_AFTER: Seconds = 1e-4;
/** Pixels around a box that are cut out with it. */
const MARGIN = 4;

export interface EdgeFinderParts {
  readonly decoder: Decoder;
  readonly video: LayerVideo;
  readonly reader: TextReader;
  /** Size of the pictures that the lines were found in. */
  readonly size: { readonly width: number; readonly height: number };
  readonly signal: AbortSignal | undefined;
}

/**
 * Edges to a frame where the recogniser tells the frames with the line from those without it; else as the pictures have it. Edges in one gap share
 * its frames.
 * @param floor no start is looked for before this time
 * @throws {LongwatchError} `cancelled`, and whatever the reader throws
 */
export async function findEdges(
  parts: EdgeFinderParts,
  edges: readonly Edge[],
  floor: Seconds,
): Promise<Map<Edge, FoundEdge>> {
  const found = new Map<Edge, FoundEdge>();
  const gaps = new Map<string, Edge[]>();
  for (const edge of edges) {
    const gap = `${edge.from} ${edge.to}`;
    gaps.set(gap, [...(gaps.get(gap) ?? []), edge]);
  }
  for (const group of gaps.values()) {
    const [{ from, to } = { from: 0, to: 0 }] = group;
    const frames = await framesOf(parts, from, to);
    for (const edge of group) found.set(edge, await findEdge(parts, edge, frames, floor));
  }
  return found;
}

async function findEdge(
  parts: EdgeFinderParts,
  edge: Edge,
  gap: readonly Picture[] | undefined,
  floor: Seconds,
): Promise<FoundEdge> {
  const coarse = { time: edge.to, precision: edge.to - edge.from };
  const shows = (frame: Picture | undefined) => (frame ? showsLine(parts, frame, edge) : false);
  // On the frame without the line, it may only have moved.
  const confirmed = async ({ without, ...found }: Halved) =>
    without && (await isNearby(parts, without, edge)) ? coarse : found;
  let frames = gap;
  let [from, to] = [edge.from, edge.to];
  for (let more = 0; more <= MORE_GAPS; more++) {
    if (!frames || frames.length < 2) return coarse;
    if (edge.kind === 'start') {
      if (await shows(frames[0])) {
        // Was there before the picture in which the detector first saw it.
        if (from <= floor) return { time: from, precision: (frames[1]?.time ?? to) - from };
        [from, to] = [Math.max(floor, from - (edge.to - edge.from)), from];
        frames = await framesOf(parts, from, to);
        continue;
      }
      return confirmed(await halve(frames, shows, true));
    }
    if (await shows(frames.at(-1))) {
      [from, to] = [to, to + (edge.to - edge.from)];
      frames = await framesOf(parts, from, to);
      continue;
    }
    return confirmed(await halve(frames, shows, false));
  }
  return coarse;
}

interface Halved extends FoundEdge {
  /** The frame beside the edge that does not show the line. */
  readonly without: Picture | undefined;
}

/** The first frame that is unlike the frame at the beginning: there are two or more, and the last one is unlike the first. */
async function halve(
  frames: readonly Picture[],
  shows: (frame: Picture | undefined) => Promise<boolean> | boolean,
  wanted: boolean,
): Promise<Halved> {
  let [before, after] = [0, frames.length - 1];
  while (after - before > 1) {
    const middle = (before + after) >> 1;
    if ((await shows(frames[middle])) === wanted) after = middle;
    else before = middle;
  }
  const time = frames[after]?.time ?? 0;
  return { time, precision: time - (frames[before]?.time ?? 0), without: frames[wanted ? before : after] };
}

/** All frames from the one at `from` to the one at `to`; undefined when they cannot be had again. @throws {LongwatchError} `cancelled` */
export async function framesOf(
  { decoder, video, size, signal }: EdgeFinderParts,
  from: Seconds,
  to: Seconds,
): Promise<Picture[] | undefined> {
  const request = {
    range: { start: from, end: to + JUST_AFTER },
    firstFrameTime: video.firstFrameTime,
    ...size,
    interval: 0,
  };
  try {
    return await decoder.stretch(video.path, video.probe, request, signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted || !(error instanceof LongwatchError)) throw error;
    return undefined;
  }
}

async function showsLine({ reader, signal }: EdgeFinderParts, frame: Picture, edge: Edge): Promise<boolean> {
  const { slanted } = edge.line;
  const around = wholePixels(uprightBox(slanted, frame), frame, MARGIN);
  const centre = { x: slanted.centre.x - around[0], y: slanted.centre.y - around[1] };
  const [reading] = await reader.recognise(cropPixels(frame, around), [{ ...slanted, centre }], signal);
  return reading !== undefined && saysSame(reading.text, edge, SAME_TEXT);
}

/** Whether the line stands elsewhere, within its own length. */
async function isNearby({ reader, signal }: EdgeFinderParts, frame: Picture, edge: Edge): Promise<boolean> {
  const [, , width, height] = edge.line.box;
  const around = onGrid(wholePixels(edge.line.box, frame, Math.max(width / 2, 2 * height)), frame);
  const part = cropPixels(frame, around);
  const boxes = (await reader.find(part, signal)).map(({ box }) => box);
  return (await reader.recognise(part, boxes, signal)).some(({ text }) => saysSame(text, edge, SAME_TEXT_ELSEWHERE));
}

function saysSame(text: string, { line, other, counts }: Edge, least: number): boolean {
  const likeness = textSimilarity(text, line.text);
  if (other !== undefined && textSimilarity(text, other) >= likeness) return false;
  return likeness >= least || (counts === true && differsInNumbers(text, line.text));
}
