/**
 * A video is cut into windows with dynamic-FPS sampling; what the signals, the words in and beside the file and the model say about
 * each window goes, with its times and embeddings, into the library. One pass over the file, one transaction per window.
 */

import { lstat } from 'node:fs/promises';
import type { Library } from '../index/library.js';
import type { VideoRecord } from '../index/store/records.js';
import { type FileIdentity, identifyFile } from '../ingest/file.js';
import { CANDIDATE_INTERVAL, WindowPlanner } from '../ingest/plan/planner.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import { SignalDetector } from '../ingest/signals/detector.js';
import type { DecodeOptions, Decoder, DecodeSummary, VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError, toLongwatchError, toStoredError } from './errors.js';
import type { MediaEvent } from './event.js';
import { EventPool } from './event-pool.js';
import { type IngestProgress, ProgressMeter } from './ingest-progress.js';
import { chapterEvents, tagEvents } from './layers/container/container.js';
import { readSubtitles, type SubtitleTracks, subtitleEvents } from './layers/subtitles/subtitles.js';
import type { Embedder } from './meaning/embedder.js';
import type { Model } from './model.js';
import { PictureRing } from './picture-ring.js';
import { type Milliseconds, type Seconds, timestampToSeconds } from './time.js';
import { beginning, conclusion, fingerprintOf, titleOf } from './video-record.js';
import { describeWindow, embedEvents } from './window-meaning.js';

export interface PipelineParts {
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
  /** `already`: this content was in the library, made with the same settings; only its path and title were renewed. */
  readonly outcome: 'ingested' | 'already';
  readonly took: Milliseconds;
}

/**
 * Ingests one file. A run that was killed goes on: the file is decoded again from its start (signals need every frame), windows that
 * are written are kept and neither described nor embedded again, and the result equals that of an undisturbed run.
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
  const video = library.addVideo({
    ...identity,
    title: titleOf(identity.path, probe),
    fingerprint: fingerprintOf(parts, subtitles),
  });
  if (options.force) library.clearWindows(video.id);
  else if (video.state === 'ready' || video.state === 'partial')
    return { video, outcome: 'already', took: Date.now() - started };

  try {
    library.updateVideo(video.id, beginning(parts, probe, subtitles));
    const summary = await ingestWindows(parts, video.id, identity.path, probe, subtitles, options);
    await refuseChangedFile(identity);
    const done = library.updateVideo(video.id, conclusion(parts, summary, subtitles));
    return { video: done, outcome: 'ingested', took: Date.now() - started };
  } catch (thrown) {
    const error = toLongwatchError(thrown, identity.path);
    if (error.code === 'file_changed') library.clearWindows(video.id);
    if (!options.signal?.aborted) library.updateVideo(video.id, { state: 'failed', error: toStoredError(error) });
    throw error;
  }
}

/** Frames in, windows out. Alive at once: the signals' history, the pictures of one window and its look-ahead. */
async function ingestWindows(
  { decoder, library, model, embedder }: PipelineParts,
  videoId: string,
  file: string,
  probe: VideoProbe,
  subtitles: SubtitleTracks,
  { signal, onProgress }: IngestOptions,
): Promise<DecodeSummary> {
  const size = model?.pictureSize(probe.video);
  const written = library.writtenWindows(videoId);
  const signals = new SignalDetector();
  const planner = new WindowPlanner(model && size ? { tokensPerPair: model.tokensPerPair(size) } : {});
  const pictures = new PictureRing();
  const pool = new EventPool();
  const progress = new ProgressMeter(probe.claimedDuration, onProgress);

  /** @param until Events that start before this are written with the window. */
  const write = async (window: PlannedWindow, until: Seconds) => {
    const events = pool.takeBefore(until);
    const shown = size ? pictures.take(window) : [];
    if (written.has(window.index)) return;
    const meaning = model ? await describeWindow(model, window, shown, signal) : undefined;
    const rows = await embedEvents(embedder, [...events, ...(meaning?.events ?? [])], signal);
    signal?.throwIfAborted();
    library.writeWindow(
      videoId,
      {
        window,
        precision: meaning?.precision ?? 0,
        events: rows,
        ...(meaning ? { caption: meaning.caption, model: meaning.model } : {}),
      },
      embedder?.id,
    );
  };

  const request = size ? { pictures: { ...size, interval: CANDIDATE_INTERVAL } } : {};
  const frames = decoder.decode(file, probe, request, signal ? { signal } : {});
  for (;;) {
    const step = await frames.next();
    if (step.done) {
      const summary = step.value;
      signals.finish(summary.duration);
      pool.add([...signals.takeEvents(), ...tagEvents(probe, summary.duration)]);
      const windows = planner.finish(summary.duration, signals.takeBoundaries());
      for (const window of windows)
        await write(window, window === windows.at(-1) ? Number.POSITIVE_INFINITY : window.end);
      return summary;
    }
    const frame = step.value;
    if (frame.kind === 'picture') {
      pictures.add(frame);
      continue;
    }
    if (frame.index === 0) {
      const firstFrameTime = timestampToSeconds({ pts: frame.pts, timeBase: probe.video.timeBase });
      library.updateVideo(videoId, { firstFrameTime });
      pool.add(
        endingBefore(probe.claimedDuration, [
          ...subtitleEvents(subtitles.tracks, firstFrameTime),
          ...chapterEvents(probe, firstFrameTime),
        ]),
      );
    }
    const activity = signals.push(frame);
    pool.add(signals.takeEvents());
    for (const window of planner.push(frame, activity, signals.takeBoundaries(), signals.settled))
      await write(window, window.end);
    progress.at('windows', frame.time);
  }
}

/** Words on screen or in a list end when the film ends; what begins after that is not in it. */
function endingBefore(duration: Seconds | undefined, events: readonly MediaEvent[]): MediaEvent[] {
  if (duration === undefined) return [...events];
  return events
    .filter((event) => event.start < duration)
    .map((event) => ({ ...event, end: Math.min(event.end, duration) }));
}

async function refuseChangedFile({ path: file, sizeBytes, modified }: FileIdentity): Promise<void> {
  const now = await lstat(file);
  if (now.size === sizeBytes && now.mtimeMs === modified) return;
  throw new LongwatchError('file_changed', `${file} changed while it was ingested.`, {
    path: file,
    hint: 'Wait until it is written, then ingest it again.',
  });
}
