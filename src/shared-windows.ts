/**
 * The windows of one video, described by several workers. How it goes:
 *
 * 1. A worker that decodes and does not ask the model writes the windows as they are planned for that model: signals, words of the file, planned
 *    frames. When the film is read to its end, it offers those that lack the model (`offerWindows`) and hands the job on. Whether a window lacks it
 *    says its making, so the offer is the same however often it is made.
 * 2. Workers that ask the model claim some windows at a time, several workers at once, beside whoever holds the job for another part
 *    (`ingest/jobs/window-hands.ts`). A claim is no job: it ends for each window when that is written or the lease runs out.
 * 3. Each reads the planned frames of its windows from the film (`window-pictures.ts`), asks, and writes (`describeShared`). The write and the question
 *    whether the claim still holds are one transaction, so a window is written once, by whoever holds it.
 * 4. Behind the last window the job may be taken for `model` again. Who takes it says that the part is done (`concludeWindows`).
 *
 * The rows are those of one process that does everything. What it takes for a window: its frames and events as the plan wrote them, the model and the
 * embedder. A window needs no neighbour: edges snap to the signals that ended in it, and those are rows of it; a repeated shot is a row of it, too, and
 * its plan says what is shown of it; a model is asked about each window for itself, so neither their order nor how many are asked at once can be
 * seen in an answer. What is said of the video as a whole, windows that were given up, is asked of the library at the end. Only a model that answers the same
 * question in two ways would give other rows, and that one would so on one host.
 */

import { setMaxListeners } from 'node:events';
import type { Library } from '../index/library.js';
import type { StageRecord, VideoRecord } from '../index/store/records.js';
import type { ClaimedWindows } from '../ingest/jobs/window-claim.js';
import { refuseChangedFile } from '../ingest/media.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { Picture } from '../ingest/video/frame.js';
import { failpoint } from './failpoint.js';
import { InOrder, WINDOWS_AHEAD_MAX } from './in-order.js';
import { noteStages } from './ingest-layers.js';
import type { Embedder } from './meaning/embedder.js';
import type { Model } from './model.js';
import { type RenewalRun, renewMeaning } from './renewal.js';
import type { Reading } from './video-record.js';
import { attemptWindow, givenUpWarnings, isGivenUpWarning } from './window-attempt.js';
import { describeWindow } from './window-meaning.js';
import { type Film, picturesOf } from './window-pictures.js';
import { type Meaning, meaningOf, type WindowWork, windowWrite } from './window-write.js';

export interface SharedWindowParts {
  readonly decoder: Decoder;
  readonly library: Library;
  readonly model: Model;
  readonly embedder?: Embedder;
  readonly objects?: ObjectStore;
}

/** Windows that a worker holds at once where the model runs in its process, which describes one after the other. */
const HELD_BY_ONE = 4;

/** How many windows a worker with this model takes up at once, at most. */
export function windowsHeld({ concurrency }: Pick<Model, 'concurrency'>): number {
  return concurrency === undefined ? HELD_BY_ONE : Math.min(concurrency, WINDOWS_AHEAD_MAX);
}

/**
 * Offers the windows of a video that is read to its end and lacks the model. Returns how many wait.
 * @param pictures what was seen of them, by their index; see `pictureSeal`
 */
export async function offerWindows(
  library: Library,
  videoId: string,
  { made }: Reading,
  pictures: ReadonlyMap<number, string>,
): Promise<number> {
  const video = await library.findVideo(videoId);
  const { model, frames } = made;
  const together = isReadInOnePass(video);
  const waiting = await library.sharedWindows.offer(videoId, { model, frames, together, pictures });
  await noteStages(library, videoId, { model: { state: waiting > 0 ? 'pending' : 'done', note: model } });
  return waiting;
}

/** Whether the decoder complained. A seek into such a film may give other frames than a pass from its beginning. */
function isReadInOnePass({ state, warnings, stages }: VideoRecord): boolean {
  const ofOthers = stages.subtitles?.warnings ?? [];
  return state !== 'ready' || warnings.some((warning) => !ofOthers.includes(warning) && !isGivenUpWarning(warning));
}

/** Says of a video that all its windows have been with the model. */
export async function concludeWindows(
  { library, embedder }: { readonly library: Library; readonly embedder?: Embedder },
  videoId: string,
  run: RenewalRun,
): Promise<void> {
  const { warnings, stages } = await library.findVideo(videoId);
  const model: StageRecord = { ...stages.model, state: 'done' };
  const others = warnings.filter((warning) => !isGivenUpWarning(warning));
  await library.updateVideo(videoId, {
    warnings: [...others, ...(await givenUpWarnings(library, videoId))],
    stages: { ...stages, model },
  });
  if (embedder) await renewMeaning(library, embedder, videoId, run);
}

export interface SharedRun {
  readonly signal: AbortSignal;
  /** Whether another window is to be begun. */
  readonly goesOn: () => boolean;
}

/**
 * Describes and writes windows that were claimed.
 * @throws {LongwatchError} of the file, the decoder, the model or the library; `lease_lost` when one of them is no longer the claim's; `cancelled`
 */
export async function describeShared(
  { decoder, library, model, embedder, objects }: SharedWindowParts,
  { fence, indexes, together, pictures: seen }: ClaimedWindows,
  { signal, goesOn }: SharedRun,
): Promise<void> {
  const { videoId } = fence;
  const video = await library.findVideo(videoId);
  await refuseChangedFile(video, objects);
  const probe = await decoder.probe(video.path, { signal });
  const { path, firstFrameTime } = video;
  const windows: PlannedWindow[] = [];
  const unseen: number[] = [];
  for (const index of indexes) {
    const { window, made } = await library.readWindow(videoId, index);
    windows.push(window);
    // What was described keeps the frames that it was described by, which may be fewer than were planned.
    if (made?.model === model.id) unseen.push(index);
  }
  const size = model.pictureSize(probe.video);
  const ofPlan = new Map([...seen].filter(([index]) => !unseen.includes(index)));
  const film: Film = { path, firstFrameTime, probe, size, inOnePass: together, seen: ofPlan };

  const halt = new AbortController();
  const stop = AbortSignal.any([signal, halt.signal]);
  // Each window that is being described listens to it; Node would warn of the eleventh.
  setMaxListeners(0, stop);
  const describe = async (asked: Model | undefined, { window, shown, described }: WindowWork) => {
    failpoint('infer');
    return asked ? describeWindow(asked, window, shown, stop) : described;
  };
  const finish = async (work: WindowWork, meaning: Meaning | undefined) => {
    const { subtitles = '' } = work.made ?? {};
    const frames = embedder?.frames?.id ?? '';
    const made = { model: model.id, frames, subtitles, meaning: embedder?.id ?? '' };
    const write = await windowWrite(embedder, work, meaning, made, signal);
    // Of another film's frames nothing is told.
    await refuseChangedFile(video, objects);
    await library.sharedWindows.write(fence, write, embedder?.id);
  };

  const ahead = new InOrder<Meaning | undefined>(Math.min(model.concurrency ?? 1, WINDOWS_AHEAD_MAX));
  const pictures = readAhead(picturesOf(decoder, film, windows, stop, () => library.sharedWindows.readTogether(fence)));
  try {
    for (const { index } of windows) {
      if (!goesOn()) break;
      const step = await pictures.next();
      if (step.done) break;
      const work = await workOn(library, videoId, index, step.value, model);
      const asked = work.described ? undefined : model;
      if (model.concurrency === undefined)
        await attemptWindow(library, videoId, index, asked, async (model) => finish(work, await describe(model, work)));
      else
        await ahead.add(
          () => describe(asked, work),
          (meaning) => finish(work, meaning),
        );
    }
    await ahead.finish();
  } finally {
    halt.abort();
    await ahead.abandon();
    await pictures.return();
  }
}

/** The window as it is written now. Another model's words make room. */
async function workOn(
  library: Library,
  videoId: string,
  index: number,
  shown: readonly Picture[],
  { id }: Model,
): Promise<WindowWork> {
  const before = await library.readWindow(videoId, index);
  const { window, made } = before;
  const events = before.events.map(({ event }) => event).filter(({ source }) => source !== 'model');
  return { window, events, shown, made, before, described: made?.model === id ? meaningOf(before) : undefined };
}

/** Reads the next while this one is worked on. */
async function* readAhead<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  let next = source.next();
  try {
    for (;;) {
      const step = await next;
      if (step.done) return;
      next = source.next();
      // It is heard of when its turn comes.
      next.catch(() => {});
      yield step.value;
    }
  } finally {
    await source.return();
  }
}
