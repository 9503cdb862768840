/** Lets each layer of its own pass read a video whose windows are written. One transaction per stretch. */

import type { Library } from '../index/library.js';
import type { StageRecord } from '../index/store/records.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { Awaitable } from './awaitable.js';
import { toLongwatchError } from './errors.js';
import { type IngestProgress, ProgressMeter } from './ingest-progress.js';
import type { LayerName } from './layer-name.js';
import type { Layer, LayerEvent, LayerVideo } from './layers/layer.js';
import type { Embedder } from './meaning/embedder.js';
import { cleanText } from './tasks/words.js';
import type { Milliseconds, Seconds } from './time.js';
import { embedEvents } from './window-meaning.js';

export interface LayerParts {
  readonly decoder: Decoder;
  readonly library: Library;
  readonly embedder?: Embedder;
  readonly layers?: readonly Layer[];
  /** Why a layer is not among them: switched off, or its part is missing. */
  readonly missingLayers?: Readonly<Partial<Record<LayerName, string>>>;
  /** Those that another process is to read. @default none */
  readonly leftLayers?: readonly LayerName[];
}

export interface LayerRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
  /** Called when a layer begins and when it has ended. */
  readonly onStage: (name: LayerName, stage: StageRecord) => Awaitable<void>;
}

export interface LayerCost {
  readonly name: LayerName;
  readonly took: Milliseconds;
}

/**
 * Runs what has not run for this video with the same models and settings, each from where it stopped. A layer that fails says so in its
 * stage and keeps what it wrote; the next run goes on there. One that misses a part only now, as a runtime whose binary does not load, is skipped with that reason.
 * @returns what each layer took that read something, in order
 * @throws {LongwatchError} `cancelled`
 */
export async function readLayers(
  parts: LayerParts,
  videoId: string,
  video: LayerVideo,
  run: LayerRun,
): Promise<LayerCost[]> {
  const costs: LayerCost[] = [];
  for (const layer of parts.layers ?? []) {
    const skipped = layer.skips(video.probe);
    if (skipped !== undefined) {
      await run.onStage(layer.name, { state: 'skipped', note: skipped });
      continue;
    }
    const progress = await parts.library.beginLayer(videoId, layer.name, layer.identity);
    if (progress.done) {
      await run.onStage(layer.name, { state: 'done', note: layer.note });
      continue;
    }
    const begun = Date.now();
    await run.onStage(layer.name, { state: 'running', note: layer.note });
    try {
      await readLayer(parts, layer, videoId, video, { from: progress.until, index: progress.stretches }, run);
      await run.onStage(layer.name, { state: 'done', note: layer.note });
    } catch (thrown) {
      if (run.signal?.aborted) throw thrown;
      const { code, message, hint } = toLongwatchError(thrown, video.path);
      const state = code === 'part_missing' ? 'skipped' : 'failed';
      await run.onStage(layer.name, { state, note: `${message}${hint ? ` ${hint}` : ''}` });
    }
    costs.push({ name: layer.name, took: Date.now() - begun });
  }
  return costs;
}

/** The stages of the layers that cannot run. */
export function missingStages({ missingLayers = {} }: LayerParts): Readonly<Record<string, StageRecord>> {
  return Object.fromEntries(Object.entries(missingLayers).map(([name, note]) => [name, { state: 'skipped', note }]));
}

/** Reads with one layer from `begin.from` on; what it writes is numbered from `begin.index`. @throws {LongwatchError} of the file, the layer or the library */
export async function readLayer(
  { decoder, library, embedder }: LayerParts,
  layer: Layer,
  videoId: string,
  video: LayerVideo,
  begin: { readonly from: Seconds; readonly index: number },
  { signal, onProgress }: Omit<LayerRun, 'onStage'>,
): Promise<void> {
  const meter = new ProgressMeter(video.duration, onProgress, begin.from);
  let { from, index } = begin;
  const stretches = layer.read(decoder, video, {
    from,
    signal,
    onProgress: (time) => meter.at(layer.name, time),
  });
  for await (const { end, events } of stretches) {
    const rows = await embedded(embedder, events.flatMap(cleaned), signal);
    signal?.throwIfAborted();
    const last = end >= video.duration;
    await library.writeLayer(
      videoId,
      layer.name,
      { index, range: { start: from, end }, events: rows, last },
      embedder?.id,
    );
    meter.at(layer.name, end);
    from = end;
    index += 1;
  }
}

/** Longest text of one event of a layer, in characters. */
const TEXT_LENGTH = 2000;

/** What a screen shows or a voice says may be meant for a player or a model: no control characters, no control tokens. */
function cleaned(row: LayerEvent): LayerEvent[] {
  const text = cleanText(row.event.text, TEXT_LENGTH);
  return text === '' ? [] : [{ ...row, event: { ...row.event, text } }];
}

/** Texts are embedded here; a point that the layer brings along goes beside that. */
async function embedded(embedder: Embedder | undefined, events: readonly LayerEvent[], signal?: AbortSignal) {
  const rows = await embedEvents(
    embedder,
    events.map(({ event }) => event),
    [],
    signal,
  );
  return rows.map((row, position) => {
    const own = events[position]?.embedding;
    return own ? { ...row, frameEmbedding: own } : row;
  });
}
