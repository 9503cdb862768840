/** What an ingest will take before it is done: a short part of it is done for real, in a library that is thrown away. */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openLibrary, type SqliteLibrary } from '../index/store/sqlite-library.js';
import { timeToIdentify } from '../ingest/file.js';
import type { VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError } from './errors.js';
import type { Layer, LayerVideo } from './layers/layer.js';
import { ingestWindows, type PipelineParts, WINDOWS_AHEAD_MAX } from './pipeline.js';
import { readLayers } from './read-layers.js';
import type { Milliseconds, Seconds } from './time.js';
import { readingOf } from './video-record.js';

/** One part of the work. */
export interface StageEstimate {
  /** `windows` (decoding, signals, the model's words, meaning) or the name of a layer. */
  readonly name: string;
  /** For the whole video; undefined when the try was too short to tell. */
  readonly took?: Milliseconds;
  /** Media seconds per wall second, as measured. */
  readonly speed: number;
  /** Media time that was done to measure it. */
  readonly measuredOver: Seconds;
  /** What the library grows by through this part. */
  readonly diskBytes: number;
}

export interface IngestEstimate {
  readonly path: string;
  /** What the container claims. */
  readonly duration: Seconds;
  /** All parts whose time could be told. */
  readonly took: Milliseconds;
  readonly stages: readonly StageEstimate[];
  /** Layers that will not run, and why. */
  readonly skipped: Readonly<Record<string, string>>;
  /** Visual tokens that the model will be shown; 0 without one. */
  readonly tokens: number;
  /** What the library grows by, told in its pages of 4 kB: short videos may fit into what is there. */
  readonly diskBytes: number;
}

export interface EstimateOptions {
  /** Wall time that each part of the work is tried for. @default 8 s; with a model at least until its first window is written */
  readonly sample?: Milliseconds;
  readonly signal?: AbortSignal | undefined;
}

const SAMPLE: Milliseconds = 8_000;
/** A model that has not described a window by then is taken at the speed that it showed so far. */
const LONGEST_SAMPLE: Milliseconds = 180_000;

/**
 * Does the beginning of the work for real: the decoder, the signals, the model, each layer in turn, each for `sample`. What the rest of the film
 * holds is not known, so a film that begins quietly and grows busy takes longer than this says.
 * @throws {LongwatchError} of the file, the decoder or the model; `cancelled`. Nothing is left behind.
 */
export async function estimateIngest(
  parts: Omit<PipelineParts, 'library'>,
  file: string,
  { sample = SAMPLE, signal }: EstimateOptions = {},
): Promise<IngestEstimate> {
  const { decoder, model } = parts;
  const started = Date.now();
  const probe = await decoder.probe(file, signal ? { signal } : {});
  const duration = probe.claimedDuration;
  if (!duration)
    throw new LongwatchError('invalid_input', `${file} does not say how long it is.`, {
      path: file,
      hint: 'Its time cannot be estimated; it can be ingested all the same.',
    });
  const opening = Date.now() - started + (await timeToIdentify(file, probe.sizeBytes, signal));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-estimate-'));
  const library = openLibrary(folder, { create: true });
  try {
    const trial = new Trial({ ...parts, library }, folder, file, probe, duration, { sample, signal });
    const windows = await trial.windows();
    const stages = [windows, ...(await trial.layers())];
    const { frames, covered } = trial.plan();
    const tokensPerPair = model ? model.tokensPerPair(model.pictureSize(probe.video)) : 0;
    const rest = covered > 0 ? duration / covered : 0;
    return {
      path: file,
      duration,
      took: opening + stages.reduce((sum, stage) => sum + (stage.took ?? 0), 0),
      stages,
      skipped: trial.skipped,
      tokens: Math.round((frames / 2) * tokensPerPair * rest),
      diskBytes: stages.reduce((sum, stage) => sum + stage.diskBytes, 0),
    };
  } finally {
    await library.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One try, in a library of its own. */
class Trial {
  readonly skipped: Record<string, string>;
  readonly #videoId: string;

  constructor(
    readonly parts: Omit<PipelineParts, 'library'> & { readonly library: SqliteLibrary },
    readonly folder: string,
    readonly file: string,
    readonly probe: VideoProbe,
    readonly duration: Seconds,
    readonly options: { readonly sample: Milliseconds; readonly signal: AbortSignal | undefined },
  ) {
    this.skipped = { ...parts.missingLayers };
    this.#videoId = parts.library.addVideo({
      path: file,
      title: path.basename(file),
      sha256: '0'.repeat(64),
      sizeBytes: probe.sizeBytes,
      modified: 0,
      fingerprint: 'estimate',
    }).id;
  }

  async windows(): Promise<StageEstimate> {
    const { parts, file, probe } = this;
    // Of windows that are described at once, the first is written when all of them are nearly done.
    const enough = Math.min(parts.model?.concurrency ?? 1, WINDOWS_AHEAD_MAX);
    const isEnough = () => !parts.model || parts.library.writtenWindows(this.#videoId).size >= enough;
    return this.#measure('windows', isEnough, async (signal, onProgress) => {
      const words = { tracks: [], warnings: [] };
      const reading = readingOf(parts, probe, words, undefined);
      await ingestWindows(parts, this.#videoId, file, probe, words, { signal, onProgress }, reading);
    });
  }

  async layers(): Promise<StageEstimate[]> {
    const { firstFrameTime } = this.parts.library.findVideo(this.#videoId);
    const video = { path: this.file, probe: this.probe, duration: this.duration, firstFrameTime };
    const stages: StageEstimate[] = [];
    for (const layer of this.parts.layers ?? []) {
      const skipped = layer.skips(this.probe);
      if (skipped === undefined) stages.push(await this.#layer(layer, video));
      else this.skipped[layer.name] = skipped;
    }
    return stages;
  }

  /** What was planned, and for how much of the film. */
  plan(): { readonly frames: number; readonly covered: Seconds } {
    const { items } = this.parts.library.segments(this.#videoId, { limit: 1000 });
    return { frames: items.reduce((sum, { frames }) => sum + frames.length, 0), covered: items.at(-1)?.end ?? 0 };
  }

  #layer(layer: Layer, video: LayerVideo): Promise<StageEstimate> {
    return this.#measure(
      layer.name,
      () => true,
      async (signal, onProgress) => {
        await readLayers({ ...this.parts, layers: [layer] }, this.#videoId, video, {
          signal,
          onProgress,
          onStage: (_, { state, note }) => {
            if (state === 'failed') this.skipped[layer.name] = note ?? '';
          },
        });
      },
    );
  }

  /** Runs `work` until it is done or was tried long enough. */
  async #measure(
    name: string,
    isEnough: () => boolean,
    work: (signal: AbortSignal, onProgress: (step: { readonly progress: number }) => void) => Promise<void>,
  ): Promise<StageEstimate> {
    const { sample, signal } = this.options;
    const abort = new AbortController();
    const before = await sizeOf(this.parts.library, this.folder);
    const started = Date.now();
    let progress = 0;
    let wall = 0;
    let first: { readonly progress: number; readonly wall: Milliseconds } | undefined;
    const timer = setInterval(() => {
      const passed = Date.now() - started;
      if ((passed > sample && progress > 0 && isEnough()) || passed > LONGEST_SAMPLE) abort.abort();
    }, 50);
    try {
      await work(signal ? AbortSignal.any([signal, abort.signal]) : abort.signal, (step) => {
        if (step.progress <= progress) return;
        progress = step.progress;
        wall = Date.now() - started;
        first ??= { progress, wall };
      });
      progress = 1;
      wall = Date.now() - started;
    } catch (error) {
      if (signal?.aborted || !abort.signal.aborted) throw error;
    } finally {
      clearInterval(timer);
    }
    // A model's windows are what takes its time; how far the decoder ran ahead says nothing.
    if (name === 'windows' && this.parts.model && progress < 1) {
      progress = this.plan().covered / this.duration;
      wall = Date.now() - started;
      first = undefined;
    }
    const speed = (progress * this.duration) / (Math.max(1, wall) / 1000);
    return {
      name,
      ...(progress > 0 ? { took: wholeTime({ progress, wall }, first) } : {}),
      speed,
      measuredOver: progress * this.duration,
      diskBytes: progress > 0 ? Math.round(((await sizeOf(this.parts.library, this.folder)) - before) / progress) : 0,
    };
  }
}

/** A first step that is later than this part of the way there says too little about the rest. */
const SET_UP_KNOWN = 0.5;

interface Reached {
  /** 0..1 */
  readonly progress: number;
  readonly wall: Milliseconds;
}

/** What all of it takes. Starting the decoder and opening a model, which end with the first step, are not paid again for every part of the film. */
function wholeTime(last: Reached, first: Reached = { progress: 0, wall: 0 }): Milliseconds {
  if (first.progress > SET_UP_KNOWN * last.progress) return last.wall / last.progress;
  return last.wall + ((last.wall - first.wall) / (last.progress - first.progress)) * (1 - last.progress);
}

/** Bytes of the library as one file, without what its log holds twice. */
async function sizeOf(library: SqliteLibrary, folder: string): Promise<number> {
  const copy = path.join(folder, 'copy.sqlite');
  await library.backup(copy);
  return (await stat(copy)).size;
}
