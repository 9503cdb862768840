/**
 * A video is cut into windows with dynamic-FPS sampling; what the signals, the words in and beside the file and the model say about
 * each window goes, with its times and embeddings, into the library: one pass over the file, one transaction per window. Then the layers
 * that read sound and screen go through it, each by itself.
 */

import { lstat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Library } from '../index/library.js';
import type { VideoRecord } from '../index/store/records.js';
import { type FileIdentity, identifyFile } from '../ingest/file.js';
import { CANDIDATE_INTERVAL, WindowPlanner } from '../ingest/plan/planner.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import { SignalDetector } from '../ingest/signals/detector.js';
import type { DecodeOptions, Decoder, DecodeSummary, VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError, oneLine, toLongwatchError, toStoredError } from './errors.js';
import type { MediaEvent } from './event.js';
import { EventPool } from './event-pool.js';
import { failpoint } from './failpoint.js';
import { type IngestProgress, ProgressMeter } from './ingest-progress.js';
import type { LayerName } from './layer-name.js';
import { chapterEvents, tagEvents } from './layers/container/container.js';
import { readSubtitles, type SubtitleTracks, subtitleEvents } from './layers/subtitles/subtitles.js';
import type { Embedder } from './meaning/embedder.js';
import type { Model } from './model.js';
import { PictureRing } from './picture-ring.js';
import { type LayerCost, type LayerParts, missingStages, readLayers } from './read-layers.js';
import { type Milliseconds, timestampToSeconds } from './time.js';
import { beginning, conclusion, fingerprintOf, titleOf } from './video-record.js';
import { attemptWindow, givenUpWarnings } from './window-attempt.js';
import { describeWindow, embedEvents, snapToSignals } from './window-meaning.js';

export interface PipelineParts extends LayerParts {
  readonly decoder: Decoder;
  readonly library: Library;
  /** Without one, texts are searched by their words only. */
  readonly embedder?: Embedder;
  /** Without one, windows have no captions. */
  readonly model?: Model;
}

export interface IngestOptions {
  /** Do everything again, also what is already there. @default false */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: IngestProgress) => void;
}

export interface IngestResult {
  readonly video: VideoRecord;
  /** `already`: this content was in the library, read with the same settings; only its path and title were renewed. */
  readonly outcome: 'ingested' | 'already';
  readonly took: Milliseconds;
  /** What each part of the work took that was done: `windows`, then the layers of their own pass. */
  readonly parts: readonly { readonly name: 'windows' | LayerName; readonly took: Milliseconds }[];
}

/**
 * Ingests one file. A run that was killed goes on: the file is decoded again from its start (signals need every frame), windows that
 * are written are kept and neither described nor embedded again, layers go on where their last stretch ended, and the result equals that
 * of an undisturbed run. Of a video that is there, only the layers run that have not read it yet.
 * @throws {LongwatchError} of the file, the decoder, the model or the library. Windows that were written stay; the video is `failed`
 * with the error, or stays `ingesting` when it was cancelled.
 */
export async function ingestVideo(
  parts: PipelineParts,
  file: string,
  options: IngestOptions = {},
): Promise<IngestResult> {
  const started = Date.now();
  const { decoder, library } = parts;
  const decoding: DecodeOptions = options.signal ? { signal: options.signal } : {};
  options.onProgress?.({ stage: 'reading the file', progress: 0 });

  const identity = await identifyFile(file, options.signal);
  const probe = await decoder.probe(identity.path, decoding);
  const subtitles = await readSubtitles(decoder, identity.path, probe, decoding);
  const video = await library.addVideo({
    ...identity,
    title: titleOf(identity.path, probe),
    fingerprint: fingerprintOf(parts, subtitles),
  });
  if (options.force) {
    await library.clearWindows(video.id);
    await library.clearLayers(video.id);
  }
  const there = !options.force && (video.state === 'ready' || video.state === 'partial');

  try {
    if (!there) {
      await library.updateVideo(video.id, beginning(parts, probe, subtitles));
      const summary = await ingestWindows(parts, video.id, identity.path, probe, subtitles, options);
      await refuseChangedFile(identity);
      failpoint('conclude');
      const { warnings, ...concluded } = conclusion(parts, summary, subtitles);
      await library.updateVideo(video.id, {
        ...concluded,
        warnings: [...warnings, ...(await givenUpWarnings(library, video.id))],
      });
    }
    const windows = there ? [] : [{ name: 'windows', took: Date.now() - started } as const];
    const layers = await ingestLayers(parts, video.id, identity, probe, options);
    const outcome = there && layers.length === 0 ? 'already' : 'ingested';
    const took = Date.now() - started;
    return { video: await library.findVideo(video.id), outcome, took, parts: [...windows, ...layers] };
  } catch (thrown) {
    const error = toLongwatchError(thrown, identity.path);
    if (error.code === 'file_changed') {
      await library.clearWindows(video.id);
      await library.clearLayers(video.id);
    }
    if (!options.signal?.aborted) await library.updateVideo(video.id, { state: 'failed', error: toStoredError(error) });
    throw error;
  }
}

/** The layers of their own pass. Each is named in the video's stages with how it ended. Returns what each took that read something. */
async function ingestLayers(
  parts: PipelineParts,
  videoId: string,
  identity: FileIdentity,
  probe: VideoProbe,
  { signal, onProgress }: IngestOptions,
): Promise<LayerCost[]> {
  const { library } = parts;
  const { duration, firstFrameTime } = await library.findVideo(videoId);
  const note = async (stages: VideoRecord['stages']) => {
    const before = (await library.findVideo(videoId)).stages;
    if (Object.entries(stages).some(([name, stage]) => !isDeepStrictEqual(before[name], stage)))
      await library.updateVideo(videoId, { stages: { ...before, ...stages } });
  };
  // What was read before by more than this run has stays read, and said to be.
  const { stages } = await library.findVideo(videoId);
  const unread = Object.entries(missingStages(parts)).filter(([name]) => stages[name]?.state !== 'done');
  await note(Object.fromEntries(unread));
  const video = { path: identity.path, probe, duration, firstFrameTime };
  const costs = await readLayers(parts, videoId, video, {
    signal,
    onProgress,
    onStage: (name, stage) => note({ [name]: stage }),
  });
  if (costs.length > 0) await refuseChangedFile(identity);
  return costs;
}

/** Frames in, windows out. Alive at once: the signals' history, the pictures of one window and its look-ahead. */
export async function ingestWindows(
  { decoder, library, model, embedder }: PipelineParts,
  videoId: string,
  file: string,
  probe: VideoProbe,
  subtitles: SubtitleTracks,
  { signal, onProgress }: IngestOptions,
): Promise<DecodeSummary> {
  const size = model?.pictureSize(probe.video);
  const written = await library.writtenWindows(videoId);
  const signals = new SignalDetector();
  const planner = new WindowPlanner(
    model && size ? { tokensPerPair: model.tokensPerPair(size), movingRate: model.frameRate ?? 0 } : {},
  );
  const pictures = new PictureRing();
  const events = new EventPool();
  const planned: { readonly window: PlannedWindow; readonly events: readonly MediaEvent[] }[] = [];
  const progress = new ProgressMeter(probe.claimedDuration, onProgress);

  const plan = (windows: readonly PlannedWindow[]) => {
    for (const window of windows) planned.push({ window, events: events.takeEnded(window.end) });
  };
  const write = async () => {
    for (let next = planned[0]; next && (!size || pictures.holds(next.window)); next = planned[0]) {
      planned.shift();
      const shown = size ? pictures.take(next.window) : [];
      if (written.has(next.window.index)) continue;
      await attemptWindow(library, videoId, next.window.index, model, async (model) => {
        failpoint('infer');
        const meaning = model ? await describeWindow(model, next.window, shown, signal) : undefined;
        const said = snapToSignals(meaning?.events ?? [], next.events, next.window);
        const rows = await embedEvents(embedder, [...next.events, ...said], shown, signal);
        signal?.throwIfAborted();
        await library.writeWindow(
          videoId,
          { window: next.window, precision: 0, ...meaning, events: rows },
          embedder?.id,
        );
      });
    }
  };

  const request = size ? { pictures: { ...size, interval: CANDIDATE_INTERVAL } } : {};
  const frames = decoder.decode(file, probe, request, signal ? { signal } : {});
  try {
    for (let step = await frames.next(); ; step = await frames.next()) {
      if (step.done) {
        const { duration } = step.value;
        signals.finish(duration);
        events.add([...signals.takeEvents(), ...tagEvents(probe, duration)]);
        events.cutAt(duration);
        plan(planner.finish(duration, signals.takeBoundaries()));
        await write();
        return step.value;
      }
      failpoint('decode');
      const frame = step.value;
      if (frame.kind === 'picture') {
        pictures.add(frame);
      } else {
        if (frame.index === 0) {
          const firstFrameTime = timestampToSeconds({ pts: frame.pts, timeBase: probe.video.timeBase });
          await library.updateVideo(videoId, { firstFrameTime });
          events.add([...subtitleEvents(subtitles.tracks, firstFrameTime), ...chapterEvents(probe, firstFrameTime)]);
        }
        const activity = signals.push(frame);
        events.add(signals.takeEvents());
        plan(planner.push(frame, activity, signals.takeBoundaries(), signals.settled));
        progress.at('windows', frame.time);
      }
      await write();
    }
  } finally {
    // Left in the middle, the decoder is still running.
    await frames.return?.(undefined as never);
  }
}

async function refuseChangedFile({ path: file, sizeBytes, modified }: FileIdentity): Promise<void> {
  const now = await lstat(file);
  if (now.size === sizeBytes && now.mtimeMs === modified) return;
  throw new LongwatchError('file_changed', `${oneLine(file)} changed while it was ingested.`, {
    path: file,
    hint: 'Wait until it is written, then ingest it again.',
  });
}
