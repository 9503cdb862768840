/** The planned frames of windows, read again from the film: those very frames, as the pass that planned them would have shown them. */

import { createHash } from 'node:crypto';
import { CANDIDATE_INTERVAL } from '../ingest/plan/planner.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import type { Decoder, VideoProbe } from '../ingest/video/decoder.js';
import type { Picture } from '../ingest/video/frame.js';
import type { Awaitable } from './awaitable.js';
import { LongwatchError } from './errors.js';
import type { Seconds } from './time.js';

export interface Film {
  readonly path: string;
  readonly probe: VideoProbe;
  readonly firstFrameTime: Seconds;
  /** Of the pictures, in pixels. */
  readonly size: { readonly width: number; readonly height: number };
  /** It gives the same frames only to one pass from its beginning: it is damaged, or its clock starts anew. */
  readonly inOnePass: boolean;
  /** What the pass that planned them saw of windows, by their index. @default nothing is known */
  readonly seen?: ReadonlyMap<number, string>;
}

/**
 * What a pass saw of a window: its pictures, byte for byte, and by whom. Two that were not made by the same engine at the same size say nothing of each
 * other.
 * @param engine `Decoder.version`
 */
export function pictureSeal(engine: string, pictures: readonly Picture[]): string {
  const hash = createHash('sha256');
  for (const { rgb } of pictures) hash.update(rgb);
  return `${hash.digest('hex')} ${pictures[0]?.width}x${pictures[0]?.height} ${engine}`;
}

/** Whether they can be compared, and are not the same. */
function contradicts(seal: string, other: string): boolean {
  const end = seal.indexOf(' ');
  return seal !== other && seal.slice(end) === other.slice(end);
}

/** Longer than the decoder's tolerance and shorter than any frame, so that a range that ends so far behind a frame holds it and no later one. */
const INSTANT: Seconds = 2e-6;
/** A time that is reckoned from the same timestamp differs by rounding alone. */
const SAME_TIME: Seconds = 1e-6;

/**
 * The pictures of each window, in order, one window at a time. Each is read from the key frame before it. Planned frames are candidates of the one pass,
 * which are chosen by their distance from the candidate before alone: chosen anew from a planned one on, they are the same. Where a planned frame
 * does not come with its own timestamp at its own time, or does not look as it did (key frames that are no clean beginning), the rest is read in one pass.
 * @param windows in order
 * @param onOnePass called where that is found out
 * @throws {LongwatchError} as `Decoder.stretch` and `Decoder.decode`; `file_changed` when a planned frame is not there
 */
export async function* picturesOf(
  decoder: Decoder,
  film: Film,
  windows: readonly PlannedWindow[],
  signal?: AbortSignal,
  onOnePass: () => Awaitable<void> = () => {},
): AsyncGenerator<readonly Picture[], void> {
  const engine = await decoder.version();
  for (const [position, window] of windows.entries()) {
    const read = film.inOnePass ? undefined : await stretchOf(decoder, film, window, signal);
    const seen = film.seen?.get(window.index);
    const pictures = read && seen !== undefined && contradicts(pictureSeal(engine, read), seen) ? undefined : read;
    if (!pictures) {
      if (!film.inOnePass) await onOnePass();
      yield* inOnePass(decoder, film, windows.slice(position), signal);
      return;
    }
    yield pictures;
  }
}

/** Undefined where a frame is not what and where the plan says. */
async function stretchOf(
  decoder: Decoder,
  { path, probe, firstFrameTime, size }: Film,
  { frames }: PlannedWindow,
  signal: AbortSignal | undefined,
): Promise<Picture[] | undefined> {
  const [first] = frames;
  const last = frames.at(-1);
  if (!first || !last) return [];
  const request = {
    range: { start: first.time, end: last.time + INSTANT },
    firstFrameTime,
    ...size,
    interval: CANDIDATE_INTERVAL,
  };
  const read = await decoder.stretch(path, probe, request, signal ? { signal } : {});
  const found = frames.flatMap(({ pts, time }) => {
    const [picture, another] = read.filter((candidate) => candidate.pts === pts);
    return picture && !another && Math.abs(picture.time - time) <= SAME_TIME ? [{ ...picture, time }] : [];
  });
  return found.length === frames.length ? found : undefined;
}

async function* inOnePass(
  decoder: Decoder,
  { path, probe, size }: Film,
  windows: readonly PlannedWindow[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Picture[], void> {
  const pictures = { ...size, interval: CANDIDATE_INTERVAL };
  const frames = decoder.decode(path, probe, { pictures }, signal ? { signal } : {});
  try {
    for (const window of windows) {
      const wanted = new Map(window.frames.map((frame) => [frame.pts, frame.time]));
      const found = new Map<number, Picture>();
      while (found.size < wanted.size) {
        const step = await frames.next();
        if (step.done) throw notThere(path, window);
        const frame = step.value;
        if (frame.kind === 'picture' && wanted.get(frame.pts) === frame.time) found.set(frame.pts, frame);
      }
      yield window.frames.flatMap(({ pts }) => found.get(pts) ?? []);
    }
  } finally {
    // Left in the middle, the decoder is still running.
    await frames.return?.(undefined as never);
  }
}

function notThere(path: string, { index }: PlannedWindow): LongwatchError {
  return new LongwatchError(
    'file_changed',
    `"${path}" does not have the frames that were planned for window ${index}.`,
    {
      path,
      hint: 'It may have changed since it was read. Ingest it again.',
    },
  );
}
