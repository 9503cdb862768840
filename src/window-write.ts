/** What is written for a window, from what the plan, the words of the file and the model say about it, and from what was written before. */

import type { Making, WindowWrite } from '../index/store/records.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import type { Picture } from '../ingest/video/frame.js';
import type { MediaEvent } from './event.js';
import type { Embedder } from './meaning/embedder.js';
import { embedEvents, pointsOf, snapToSignals, type WindowMeaning } from './window-meaning.js';

/** What a model says of a window, or said of it before. */
export type Meaning = Omit<WindowMeaning, 'caption' | 'model'> & Pick<WindowWrite, 'caption' | 'model'>;

/** A window with the events that ended in it. */
export interface Planned {
  readonly window: PlannedWindow;
  readonly events: readonly MediaEvent[];
}

/** The same with its pictures, and what of it was written before. */
export interface WindowWork extends Planned {
  readonly shown: readonly Picture[];
  readonly made: Making | undefined;
  readonly before: WindowWrite | undefined;
  /** What the model said of it before, where that still counts. */
  readonly described: Meaning | undefined;
}

/** What a model said of a window, as it is written. */
export function meaningOf({ window, caption, model, precision, events }: WindowWrite): Meaning {
  return {
    window,
    precision,
    ...(caption === undefined ? {} : { caption }),
    ...(model === undefined ? {} : { model }),
    events: events.map(({ event }) => event).filter(({ source }) => source === 'model'),
  };
}

/**
 * The window with its rows. Points that are there already in the same space are not made again; where no pictures are at hand, those of its frames stay
 * as they are.
 * @param now how it is made now
 * @throws {LongwatchError} `model_failed`, `cancelled`
 */
export async function windowWrite(
  embedder: Embedder | undefined,
  { window, events, shown, made, before, described }: WindowWork,
  meaning: Meaning | undefined,
  now: Making,
  signal: AbortSignal | undefined,
): Promise<WindowWrite> {
  const said = described?.events ?? snapToSignals(meaning?.events ?? [], events, window);
  const pictures = described
    ? shown.filter(({ pts }) => described.window.frames.some((frame) => frame.pts === pts))
    : shown;
  const known = pointsOf(before && made?.meaning === now.meaning ? before.events : []);
  const keepsFrames = described && (shown.length === 0 || made?.frames === now.frames);
  const reused = keepsFrames ? known : { texts: known.texts };
  const rows = await embedEvents(embedder, [...events, ...said], pictures, signal, reused);
  signal?.throwIfAborted();
  return { window, precision: 0, ...meaning, events: rows, made: now };
}
