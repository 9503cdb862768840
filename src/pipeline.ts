/**
 * A video is cut into windows with dynamic-FPS sampling; what the signals, the words in and beside the file and the model say about
 * each window goes, with its times and embeddings, into the library: one pass over the file, one transaction per window. Then the layers
 * that read sound and screen go through it, each by itself.
 */

import { setMaxListeners } from 'node:events';
import type { Library } from '../index/library.js';
import type { Making, VideoRecord, WindowWrite } from '../index/store/records.js';
import type { FileIdentity } from '../ingest/file.js';
import type { JobPart } from '../ingest/jobs/job-part.js';
import { identifyMedia, refuseChangedFile } from '../ingest/media.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import { CANDIDATE_INTERVAL, WindowPlanner } from '../ingest/plan/planner.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import { SignalDetector } from '../ingest/signals/detector.js';
import type { DecodeOptions, Decoder, DecodeSummary, VideoProbe } from '../ingest/video/decoder.js';
import { toLongwatchError, toStoredError } from './errors.js';
import { EventPool } from './event-pool.js';
import { failpoint } from './failpoint.js';
import { FilmClock } from './film-clock.js';
import { InOrder, WINDOWS_AHEAD_MAX } from './in-order.js';
import { ingestLayers } from './ingest-layers.js';
import { type IngestProgress, ProgressMeter } from './ingest-progress.js';
import type { LayerName } from './layer-name.js';
import { chapterEvents, tagEvents } from './layers/container/container.js';
import { readSubtitles, type SubtitleTracks, subtitleEvents } from './layers/subtitles/subtitles.js';
import { readBeside } from './layers-beside.js';
import type { Embedder } from './meaning/embedder.js';
import type { Model, ModelNeeds } from './model.js';
import { PictureRing } from './picture-ring.js';
import type { Profile } from './profile.js';
import type { LayerParts } from './read-layers.js';
import { needsNoFilm, renewMeaning, renewVideo } from './renewal.js';
import { offerWindows } from './shared-windows.js';
import { type Milliseconds, timestampToSeconds } from './time.js';
import { beginning, conclusion, isMade, plannerOptions, type Reading, readingOf, titleOf } from './video-record.js';
import { attemptWindow, givenUpWarnings } from './window-attempt.js';
import { describeWindow } from './window-meaning.js';
import { pictureSeal } from './window-pictures.js';
import { type Meaning, meaningOf, type Planned, type WindowWork, windowWrite } from './window-write.js';

export interface PipelineParts extends LayerParts {
  readonly decoder: Decoder;
  readonly library: Library;
  /** Where videos at `s3://` places are. @default nowhere */
  readonly objects?: ObjectStore;
  /** Without one, texts are searched by their words only. */
  readonly embedder?: Embedder;
  /** Without one, windows have no captions. */
  readonly model?: Model;
  /**
   * Without `model`, one that is asked elsewhere and later: the plan goes by it, and the windows are offered to whoever asks it, see `shared-windows.ts`. For a library
   * that writes under a job.
   */
  readonly planFor?: ModelNeeds;
  /** The profile that the layers are of. @default not said, and not remembered */
  readonly profile?: Profile;
  /** Those of another, for a video that was read with more. @default those that are there */
  readonly layersOf?: (profile: Profile) => Promise<Pick<LayerParts, 'layers' | 'missingLayers' | 'leftLayers'>>;
}

export interface IngestOptions {
  /** Do everything again, also what is already there. @default false */
  readonly force?: boolean;
  /** Put on the video, beside those that it carries. @default none */
  readonly tags?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: IngestProgress) => void;
}

export interface IngestResult {
  readonly video: VideoRecord;
  /** `already`: this content was in the library, read with the same settings; only its path and title were renewed. */
  readonly outcome: 'ingested' | 'already';
  readonly took: Milliseconds;
  /**
   * What each part of the work took that was done: `windows`, or of a video that is there `subtitles` and `meaning`, then the layers of their own
   * pass.
   */
  readonly parts: readonly PartCost[];
  /** Layers that it does not have and others are to read, and `model` where windows wait for it. */
  readonly left: readonly JobPart[];
}

export interface PartCost {
  readonly name: 'windows' | 'subtitles' | 'meaning' | LayerName;
  readonly took: Milliseconds;
  /** The part in whose time this one was done. @default none, it took its own */
  readonly beside?: 'windows';
}

/**
 * Ingests one file. A run that was killed goes on: the file is decoded again from its start (signals need every frame), windows that
 * are written are kept and neither described nor embedded again, layers go on where their last stretch ended, and the result equals that
 * of an undisturbed run. Of a video that is there, only that is done again which rests on what changed: with another model its captions, with other
 * words beside it these words, with another embedder the points of its texts (the last two without reading the film), and layers that have not read it yet.
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

  const identity = await identifyMedia(file, parts.objects, options.signal);
  const probe = await decoder.probe(identity.path, decoding);
  const subtitles = await readSubtitles(decoder, identity.path, probe, decoding, parts.objects);
  const there = options.force ? undefined : await complete(library, identity);
  let reading = readingOf(parts, probe, subtitles, there);
  const video = await library.addVideo({
    ...identity,
    title: titleOf(identity.path, probe),
    fingerprint: reading.fingerprint,
    ...(options.tags ? { tags: options.tags } : {}),
  });
  if (options.force) {
    await library.clearWindows(video.id);
    await library.clearLayers(video.id);
  }
  const isThere = !options.force && isComplete(video) && (await needsNoFilm(library, video, reading));

  try {
    const costs: PartCost[] = [];
    const seen = new Map<number, string>();
    if (isThere) costs.push(...(await renewVideo(parts, video, subtitles, reading, options)));
    else {
      if (reading.keeps.model) {
        // Without the model its windows cannot be cut again.
        reading = readingOf(parts, probe, subtitles, undefined);
        await library.updateVideo(video.id, { fingerprint: reading.fingerprint });
      }
      // What layers have read stays read, and said to be.
      const kept = options.force ? {} : video.stages;
      const begun = beginning(parts, probe, subtitles);
      await library.updateVideo(video.id, { ...begun, stages: { ...kept, ...begun.stages } });
      // What others hold of it would be described twice.
      await library.sharedWindows.withdraw(video.id);
      const { made: summary, costs: besides } = await readBeside(
        parts,
        video.id,
        identity.path,
        probe,
        options,
        (clock) => ingestWindows(parts, video.id, identity.path, probe, subtitles, options, reading, { clock, seen }),
      );
      await refuseChangedFile(identity, parts.objects);
      failpoint('conclude');
      const { warnings, ...concluded } = conclusion(parts, summary, subtitles);
      await library.updateVideo(video.id, {
        ...concluded,
        stages: { ...kept, ...concluded.stages },
        warnings: [...warnings, ...(await givenUpWarnings(library, video.id))],
      });
      costs.push({ name: 'windows', took: Date.now() - started }, ...besides);
      if (parts.embedder) await renewMeaning(library, parts.embedder, video.id, options);
    }
    const offered = reading.asksLater ? await offerWindows(library, video.id, reading, seen) : 0;
    const layers = await ingestLayers(parts, video.id, identity, probe, options);
    costs.push(...layers.costs);
    const outcome = costs.length === 0 ? 'already' : 'ingested';
    const took = Date.now() - started;
    const left = [...(offered > 0 ? (['model'] as const) : []), ...layers.left];
    return { video: await library.findVideo(video.id), outcome, took, parts: costs, left };
  } catch (thrown) {
    const error = toLongwatchError(thrown, identity.path);
    if (error.code === 'file_changed') {
      await library.clearWindows(video.id);
      await library.clearLayers(video.id);
    }
    // What is there stays there; who asked for more is told that there is no more.
    const stays = isThere && error.code !== 'file_changed';
    if (!options.signal?.aborted && !stays)
      await library.updateVideo(video.id, { state: 'failed', error: toStoredError(error) });
    throw error;
  }
}

/** The video of this content, when it was read to its end. */
async function complete(library: Library, identity: FileIdentity): Promise<VideoRecord | undefined> {
  const known = await library.videoOfContent(identity.sha256);
  // Here is its file: it is what it was before.
  if (known?.state === 'missing') await library.placeVideo(known.id, identity);
  const video = known && (await library.getVideo(known.id));
  return video && isComplete(video) ? video : undefined;
}

/** Whether all windows of a video are written: it was read to its end, or as far as it can be decoded. */
export function isComplete({ state }: VideoRecord): boolean {
  return state === 'ready' || state === 'partial';
}

/** Those who are told of a pass while it runs. */
export interface PassWatch {
  /** How far the frames have come. */
  readonly clock?: FilmClock;
  /** What was seen of each window, where others are to ask the model. */
  readonly seen?: Map<number, string>;
}

/**
 * Frames in, windows out. Alive at once: the signals' history, the pictures of one window and its look-ahead. A model that runs elsewhere
 * describes several windows at once, at most `WINDOWS_AHEAD_MAX` of whose pictures are alive then; they are written in order, so that the
 * rows are those of one after the other.
 */
export async function ingestWindows(
  { decoder, library, model, planFor, embedder }: PipelineParts,
  videoId: string,
  file: string,
  probe: VideoProbe,
  subtitles: SubtitleTracks,
  { signal, onProgress }: IngestOptions,
  reading: Reading,
  { clock = new FilmClock(), seen = new Map<number, string>() }: PassWatch = {},
): Promise<DecodeSummary> {
  const wanted = model ?? planFor;
  const size = wanted?.pictureSize(probe.video);
  const engine = reading.asksLater ? await decoder.version() : '';
  const makings = await library.makings(videoId);
  const signals = new SignalDetector();
  const planner = new WindowPlanner(plannerOptions(wanted, probe));
  const pictures = new PictureRing();
  const events = new EventPool();
  const planned: Planned[] = [];
  const progress = new ProgressMeter(probe.claimedDuration, onProgress);

  const plan = (windows: readonly PlannedWindow[]) => {
    for (const window of windows) planned.push({ window, events: events.takeEnded(window.end) });
  };
  const halt = new AbortController();
  const stop = signal ? AbortSignal.any([signal, halt.signal]) : halt.signal;
  // Each window that is being described listens to it; Node would warn of the eleventh.
  setMaxListeners(0, stop);
  const ahead = new InOrder<Meaning | undefined>(Math.min(model?.concurrency ?? 1, WINDOWS_AHEAD_MAX));

  const describe = async (model: Model | undefined, { window, shown, described }: WindowWork) => {
    failpoint('infer');
    return model ? describeWindow(model, window, shown, stop) : described;
  };
  const finish = async (work: WindowWork, meaning: Meaning | undefined) => {
    const now = reading.asksLater ? madeWithout(work, reading.made) : reading.made;
    await library.writeWindow(videoId, await windowWrite(embedder, work, meaning, now, signal), embedder?.id);
  };
  const write = async () => {
    for (let next = planned[0]; next && (!size || pictures.holds(next.window)); next = planned[0]) {
      planned.shift();
      const taken = size ? pictures.take(next.window) : [];
      const { index } = next.window;
      if (reading.asksLater) seen.set(index, pictureSeal(engine, taken));
      const shown = reading.asksLater ? [] : taken;
      const made = makings.get(index);
      if (isMade(made, reading)) continue;
      const before = made && (await library.readWindow(videoId, index));
      const described = before && made ? stillSaid(before, made, next.window, reading) : undefined;
      const work: WindowWork = { ...next, shown, made, before, described };
      const asked = described ? undefined : model;
      if (model?.concurrency === undefined)
        await attemptWindow(library, videoId, index, asked, async (model) => finish(work, await describe(model, work)));
      // What runs elsewhere cannot end this process.
      else
        await ahead.add(
          () => describe(asked, work),
          (meaning) => finish(work, meaning),
        );
    }
  };

  const request = size ? { pictures: { ...size, interval: CANDIDATE_INTERVAL } } : {};
  const frames = decoder.decode(file, probe, request, signal ? { signal } : {});
  try {
    for (let step = await frames.next(); ; step = await frames.next()) {
      if (step.done) {
        const { duration } = step.value;
        clock.end(duration);
        signals.finish(duration);
        events.add([...signals.takeEvents(), ...tagEvents(probe, duration)]);
        events.cutAt(duration);
        plan(planner.finish(duration, signals.takeBoundaries()));
        await write();
        await ahead.finish();
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
          clock.begin(firstFrameTime);
          events.add([...subtitleEvents(subtitles.tracks, firstFrameTime), ...chapterEvents(probe, firstFrameTime)]);
        }
        const change = signals.push(frame);
        events.add(signals.takeEvents());
        plan(planner.push(frame, change, signals.takeBoundaries(), signals.settled));
        clock.reach(frame.time);
        progress.at('windows', frame.time);
      }
      await write();
    }
  } finally {
    halt.abort();
    await ahead.abandon();
    // Left in the middle, the decoder is still running.
    await frames.return?.(undefined as never);
  }
}

/** What was said of a window before, as far as it stays: what the same model said, and what another one did until the model is asked. */
function stillSaid(before: WindowWrite, made: Making, window: PlannedWindow, { made: now, asksLater }: Reading) {
  if (made.model === now.model) return meaningOf(before);
  return asksLater && made.model !== '' ? { ...meaningOf(before), window } : undefined;
}

/** How a window is made where nobody asks the model: what was said and shown of it before is what it was. */
function madeWithout({ made, described }: WindowWork, now: Making): Making {
  const kept = described && made?.meaning === now.meaning;
  return { ...now, model: described ? (made?.model ?? '') : '', frames: kept ? made.frames : '' };
}
