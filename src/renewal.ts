/**
 * What is done again without the film: words that changed beside it, and texts that are embedded elsewhere. Everything else that it takes lies in the
 * library. One transaction per window or stretch; what is not done yet says so by how it was made, so the next run goes on there.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Library } from '../index/library.js';
import type { EventWrite, Making, VideoRecord, WindowWrite } from '../index/store/records.js';
import { EventPool, inOrder } from './event-pool.js';
import { noteStages } from './ingest-layers.js';
import type { IngestProgress } from './ingest-progress.js';
import { type SubtitleTracks, subtitleEvents } from './layers/subtitles/subtitles.js';
import type { Embedder } from './meaning/embedder.js';
import type { IngestOptions, PartCost, PipelineParts } from './pipeline.js';
import { embeddingsStage, needsPictures, type Reading, subtitlesStage } from './video-record.js';
import { givenUpWarnings } from './window-attempt.js';
import { embedEvents, embedTexts, pointsOf } from './window-meaning.js';

export interface RenewalParts {
  readonly library: Library;
  readonly embedder?: Embedder | undefined;
}

export interface RenewalRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
}

/**
 * Whether the words of a video that is read to its end can be changed where they lie. What an older program wrote does not say which warnings were the
 * words'.
 */
export function canRenewSubtitles({ stages, warnings }: VideoRecord): boolean {
  return stages.subtitles?.warnings !== undefined || warnings.length === 0;
}

/**
 * Writes every window with the words that are in and beside the file now, where that changes it. The plan does not go by words and no model is shown
 * them, so all else stays as it is.
 * @throws {LongwatchError} `model_failed`, `cancelled`; of the library
 */
export async function renewSubtitles(
  parts: RenewalParts,
  video: VideoRecord,
  subtitles: SubtitleTracks,
  reading: Reading,
  { signal, onProgress }: RenewalRun,
): Promise<void> {
  const { library } = parts;
  // First, so that no end between two windows leaves the words of one file and the warnings of another.
  await noteSubtitles(library, video, subtitles);
  const words = new EventPool();
  words.add(subtitleEvents(subtitles.tracks, video.firstFrameTime));
  words.cutAt(video.duration);
  const makings = [...(await library.makings(video.id))];
  for (const [done, [index, made]] of makings.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ stage: 'subtitles', progress: done / makings.length });
    const before = await library.readWindow(video.id, index);
    const said = words.takeEnded(before.window.end);
    if (!made || made.subtitles === reading.made.subtitles) continue;
    await renewWindow(parts, video.id, before, made, said, reading, signal);
  }
}

async function renewWindow(
  { library, embedder }: RenewalParts,
  videoId: string,
  before: WindowWrite,
  made: Making,
  said: WindowWrite['events'][number]['event'][],
  { made: now, keeps }: Reading,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = before.events.map(({ event }) => event);
  const seen = rows.filter(({ source }) => source === 'model');
  const others = rows.filter(({ source }) => source !== 'model' && source !== 'subtitle');
  const events = [...[...others, ...said].sort(inOrder), ...seen];
  if (isDeepStrictEqual(events, rows)) {
    await library.remarkWindow(videoId, before.window.index, { ...made, subtitles: now.subtitles });
    return;
  }
  const sameSpace = made.meaning === now.meaning && !keeps.meaning;
  const known = pointsOf(sameSpace ? before.events : []);
  const written = await embedEvents(embedder, events, [], signal, known);
  signal?.throwIfAborted();
  const frames = written.some(hasFrames) ? made.frames : '';
  await library.writeWindow(
    videoId,
    { ...before, events: written, made: { ...made, frames, subtitles: now.subtitles, meaning: now.meaning } },
    embedder?.id,
  );
}

function hasFrames({ frameEmbedding }: EventWrite): boolean {
  return frameEmbedding !== undefined;
}

/** The stage and its share of the warnings, which stand behind those of the decoder and before those of windows that were given up. */
async function noteSubtitles(library: Library, { id, stages, warnings }: VideoRecord, subtitles: SubtitleTracks) {
  const givenUp = await givenUpWarnings(library, id);
  const decoders = warnings.slice(0, warnings.length - givenUp.length - (stages.subtitles?.warnings?.length ?? 0));
  await library.updateVideo(id, {
    warnings: [...decoders, ...subtitles.warnings, ...givenUp],
    stages: { ...stages, subtitles: subtitlesStage(subtitles, 'running') },
  });
}

/**
 * Embeds again what was embedded elsewhere than in this embedder, of windows and of layers. Old points go as their stretch gets new ones.
 * @returns how many stretches that were
 * @throws {LongwatchError} `model_failed`, `cancelled`; of the library
 */
export async function renewMeaning(
  library: Library,
  embedder: Embedder,
  videoId: string,
  { signal, onProgress }: RenewalRun,
): Promise<number> {
  const places = await library.stretchesToEmbed(videoId, embedder.id);
  for (const [done, place] of places.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ stage: 'meaning', progress: done / places.length });
    const vectors = await embedTexts(embedder, await library.stretchEvents(videoId, place), signal);
    signal?.throwIfAborted();
    await library.writeMeaning(videoId, place, vectors, embedder.id);
  }
  return places.length;
}

/** Whether all that changed can be done again from what the library holds. */
export async function needsNoFilm(library: Library, video: VideoRecord, reading: Reading): Promise<boolean> {
  const makings = [...(await library.makings(video.id)).values()];
  if (makings.some((made) => needsPictures(made, reading))) return false;
  return canRenewSubtitles(video) || makings.every((made) => made?.subtitles === reading.made.subtitles);
}

/** Does again, of a video that is there, what rests on other words or another embedder than it was made with. Returns what that took. */
export async function renewVideo(
  parts: PipelineParts,
  video: VideoRecord,
  subtitles: SubtitleTracks,
  reading: Reading,
  options: IngestOptions,
): Promise<PartCost[]> {
  const { library, embedder } = parts;
  const costs: PartCost[] = [];
  const makings = [...(await library.makings(video.id)).values()];
  const begun = Date.now();
  if (makings.some((made) => made?.subtitles !== reading.made.subtitles)) {
    await renewSubtitles(parts, video, subtitles, reading, options);
    costs.push({ name: 'subtitles', took: Date.now() - begun });
  }
  await noteStages(library, video.id, { subtitles: subtitlesStage(subtitles, 'done') });
  if (!embedder) return costs;
  const again = Date.now();
  const embedded = await renewMeaning(library, embedder, video.id, options);
  if (embedded > 0) costs.push({ name: 'meaning', took: Date.now() - again });
  await noteStages(library, video.id, { embeddings: embeddingsStage(embedder, 'done') });
  return costs;
}
