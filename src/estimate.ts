/** What an ingest will take before it is done: a short part of it is done for real, in a library that is thrown away. */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openLibrary, type SqliteLibrary } from '../index/store/sqlite-library.js';
import { timeToIdentify } from '../ingest/media.js';
import type { VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError, toLongwatchError } from './errors.js';
import { WINDOWS_AHEAD_MAX } from './in-order.js';
import type { Layer, LayerVideo } from './layers/layer.js';
import { readBeside } from './layers-beside.js';
import { ingestWindows, type PipelineParts } from './pipeline.js';
import { readLayer } from './read-layers.js';
import type { Milliseconds, Seconds } from './time.js';
import { readingOf } from './video-record.js';

/** One part of the work. */
export interface StageEstimate {
  /** `windows` (decoding, signals, the model's words, meaning) or the name of a layer. */
  readonly name: string;
  /** For the whole video; undefined when the try was too short to tell, and where it is `beside` another. */
  readonly took?: Milliseconds;
  /** The part in whose time this one is done, and with whose bytes its own are counted. @default none */
  readonly beside?: 'windows';
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
  /** Wall time that each part of the work is tried for, from its first step on. @default 8 s; with a model at least until its first window is written */
  readonly sample?: Milliseconds;
  readonly signal?: AbortSignal | undefined;
}

const SAMPLE: Milliseconds = 8_000;
/** Places of the film at which a layer is tried, each for its share of the time: what stands and is said at the beginning says little about the rest. */
const PLACES = 3;
/** More than any try writes. */
const MOST_STRETCHES = 1_000_000;
/** A model that has not described a window by then is taken at the speed that it showed so far. */
const LONGEST_SAMPLE: Milliseconds = 180_000;

/**
 * Does a part of the work for real, each for `sample`: the decoder, the signals and the model from the beginning, each layer at three places. What the
 * rest of the film holds is not known, so a film that begins quietly and grows busy takes longer than this says.
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
  const opening = Date.now() - started + (await timeToIdentify(file, parts.objects, probe.sizeBytes, signal));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-estimate-'));
  const library = openLibrary(folder, { create: true });
  try {
    const trial = new Trial({ ...parts, library }, folder, file, probe, duration, { sample, signal });
    const windows = await trial.windows();
    const stages = [windows, ...(await trial.layers(windows))];
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
    const options = { from: 0, sample: this.options.sample, isEnough };
    const tried = await this.#try(options, async (signal, onProgress) => {
      const words = { tracks: [], warnings: [] };
      const reading = readingOf(parts, probe, words, undefined);
      await readBeside(parts, this.#videoId, file, probe, { signal }, (clock) =>
        ingestWindows(parts, this.#videoId, file, probe, words, { signal, onProgress }, reading, { clock }),
      );
    });
    if (!parts.model || tried.last.at === this.duration) return this.#estimate('windows', [tried]);
    // A model's windows are what takes its time; how far the decoder ran ahead says nothing.
    const described = { at: this.plan().covered, wall: tried.wall };
    return this.#estimate('windows', [{ ...tried, first: described, last: described }]);
  }

  async layers({ took: _, ...windows }: StageEstimate): Promise<StageEstimate[]> {
    const { firstFrameTime } = this.parts.library.findVideo(this.#videoId);
    const video = { path: this.file, probe: this.probe, duration: this.duration, firstFrameTime };
    const stages: StageEstimate[] = [];
    for (const layer of this.parts.layers ?? []) {
      const skipped = layer.skips(this.probe);
      if (skipped !== undefined) this.skipped[layer.name] = skipped;
      else if (layer.readsBeside) stages.push({ ...windows, name: layer.name, beside: 'windows', diskBytes: 0 });
      else stages.push(await this.#layer(layer, video));
    }
    return stages;
  }

  /** What was planned, and for how much of the film. */
  plan(): { readonly frames: number; readonly covered: Seconds } {
    const { items } = this.parts.library.segments(this.#videoId, { limit: 1000 });
    return { frames: items.reduce((sum, { frames }) => sum + frames.length, 0), covered: items.at(-1)?.end ?? 0 };
  }

  async #layer(layer: Layer, video: LayerVideo): Promise<StageEstimate> {
    const { parts, options } = this;
    parts.library.beginLayer(this.#videoId, layer.name, layer.identity);
    const tries: Try[] = [];
    for (let place = 0; place < PLACES; place++) {
      const from = Math.max((place / PLACES) * this.duration, tries.at(-1)?.last.at ?? 0);
      if (from >= this.duration) break;
      const begin = { from, index: place * MOST_STRETCHES };
      const tried = this.#try({ from, sample: options.sample / PLACES }, (signal, onProgress) =>
        readLayer(parts, layer, this.#videoId, video, begin, { signal, onProgress }),
      );
      const outcome = await tried.catch((thrown: unknown) => {
        if (options.signal?.aborted) throw thrown;
        return toLongwatchError(thrown, this.file);
      });
      if (outcome instanceof LongwatchError) {
        this.skipped[layer.name] = outcome.message;
        return this.#estimate(layer.name, []);
      }
      tries.push(outcome);
    }
    return this.#estimate(layer.name, tries);
  }

  /** Runs `work` until it is done or was tried long enough. */
  async #try(
    { from, sample, isEnough = () => true }: TryOptions,
    work: (signal: AbortSignal, onProgress: (step: { readonly progress: number }) => void) => Promise<void>,
  ): Promise<Try> {
    const { signal } = this.options;
    const abort = new AbortController();
    const before = await sizeOf(this.parts.library, this.folder);
    const started = Date.now();
    let last: Reached = { at: from, wall: 0 };
    let first: Reached | undefined;
    const timer = setInterval(() => {
      const passed = Date.now() - started;
      // Finding the place and opening a model may take longer than all that is tried.
      const isTried = first !== undefined && passed - first.wall > sample;
      if ((isTried && isEnough()) || passed > LONGEST_SAMPLE) abort.abort();
    }, 50);
    try {
      await work(signal ? AbortSignal.any([signal, abort.signal]) : abort.signal, ({ progress }) => {
        const at = progress * this.duration;
        if (at <= last.at) return;
        last = { at, wall: Date.now() - started };
        first ??= last;
      });
      last = { at: this.duration, wall: Date.now() - started };
    } catch (error) {
      if (signal?.aborted || !abort.signal.aborted) throw error;
    } finally {
      clearInterval(timer);
    }
    const wall = Date.now() - started;
    const diskBytes = Math.max(0, (await sizeOf(this.parts.library, this.folder)) - before);
    return { from, first: first ?? last, last, wall, diskBytes };
  }

  #estimate(name: string, tries: readonly Try[]): StageEstimate {
    const measuredOver = tries.reduce((sum, { from, last }) => sum + last.at - from, 0);
    const wall = tries.reduce((sum, { last }) => sum + last.wall, 0);
    const diskBytes = tries.reduce((sum, tried) => sum + tried.diskBytes, 0);
    const speed = measuredOver / (Math.max(1, wall) / 1000);
    if (measuredOver <= 0) return { name, speed, measuredOver, diskBytes: 0 };
    return {
      name,
      took: wholeTime(tries, this.duration),
      speed,
      measuredOver,
      diskBytes: Math.round((diskBytes * this.duration) / measuredOver),
    };
  }
}

/** A first step that is later than this part of the way there says too little about the rest. */
const SET_UP_KNOWN = 0.5;

interface Reached {
  readonly at: Seconds;
  /** Since the try began. */
  readonly wall: Milliseconds;
}

/** How far a part of the work came from `from` on. */
export interface Try {
  readonly from: Seconds;
  /** The first step, with which starting the decoder and opening a model are paid. */
  readonly first: Reached;
  readonly last: Reached;
  readonly wall: Milliseconds;
  readonly diskBytes: number;
}

interface TryOptions {
  readonly from: Seconds;
  readonly sample: Milliseconds;
  /** @default at once */
  readonly isEnough?: () => boolean;
}

/**
 * What all of it takes. Starting the decoder and opening a model is paid once. What lies between two places that were tried costs what a second costs
 * on average at both, what comes after the last what it costs there.
 * @param tries in order, without overlap, the first at 0
 */
export function wholeTime(tries: readonly Pick<Try, 'from' | 'first' | 'last'>[], duration: Seconds): Milliseconds {
  const reached = tries.filter(({ from, last }) => last.at > from).map((tried) => ({ ...tried, cost: costOf(tried) }));
  return reached.reduce((sum, { from, last, cost }, i) => {
    const next = reached[i + 1];
    const gap = (next?.from ?? duration) - last.at;
    const tried = i === 0 ? last.wall : cost * (last.at - from);
    return sum + tried + Math.max(0, gap) * ((cost + (next?.cost ?? cost)) / 2);
  }, 0);
}

/** Milliseconds for a second of film, without what is paid once where that can be told. */
function costOf({ from, first, last }: Pick<Try, 'from' | 'first' | 'last'>): Milliseconds {
  if (first.at - from > SET_UP_KNOWN * (last.at - from)) return last.wall / (last.at - from);
  return (last.wall - first.wall) / (last.at - first.at);
}

/** Bytes of the library as one file, without what its log holds twice. */
async function sizeOf(library: SqliteLibrary, folder: string): Promise<number> {
  const copy = path.join(folder, 'copy.sqlite');
  await library.backup(copy);
  return (await stat(copy)).size;
}
