/** An ingest that several workers share: each does of a job what it has the parts for, and says what is left. */

import type { VideoRecord } from '../index/store/records.js';
import { JOB_PARTS, type JobPart } from '../ingest/jobs/job-part.js';
import type { WorkerStore } from '../ingest/jobs/worker.js';
import { mediaState } from '../ingest/media.js';
import { ingestLayers } from './ingest-layers.js';
import { type IngestOptions, ingestVideo, isComplete, type PipelineParts } from './pipeline.js';
import { concludeWindows } from './shared-windows.js';

/**
 * Whether a worker that decodes and asks the model only plans for now, since workers are there that do nothing before the model's part and so would
 * look on. Then it does its share of the windows like they.
 * @param own what it does; undefined: all
 */
export async function leavesModel(
  workers: Pick<WorkerStore, 'list'>,
  owner: string,
  own: readonly JobPart[] = JOB_PARTS,
): Promise<boolean> {
  if (!own.includes('decode')) return false;
  return (await workers.list()).some(
    (other) =>
      other.owner !== owner &&
      (other.state === 'idle' || other.state === 'working') &&
      other.parts.includes('model') &&
      !other.parts.includes('decode'),
  );
}

export interface Share {
  /** What is still to be done; undefined: all of it. */
  readonly todo?: readonly JobPart[];
  /** What this worker does. @default all */
  readonly own?: readonly JobPart[];
  /** The video, once its windows are written. */
  readonly videoId?: string;
}

/**
 * Windows first, then what the model says of them (`shared-windows.ts`) and each layer, whoever does it: the rows are those of one process that does all. Who reads layers alone goes by the state of the
 * file (size and time) and does not hash it again; one that is not what it was begins anew with its windows.
 * @throws {LongwatchError} as `ingestVideo`
 */
export async function ingestShare(
  parts: PipelineParts,
  file: string,
  { todo, own = JOB_PARTS, videoId }: Share,
  options: IngestOptions = {},
): Promise<{ readonly videoId: string; readonly left: readonly JobPart[] }> {
  if (todo !== undefined && videoId !== undefined && !todo.includes('decode')) {
    const video = await sameVideo(parts, file, videoId);
    if (video) return { videoId, left: await readShare(parts, video, todo, own, options) };
    if (!own.includes('decode')) return { videoId, left: JOB_PARTS };
  }
  const { video, left } = await ingestVideo(parts, file, options);
  return { videoId: video.id, left };
}

/** The video whose windows were written from this file as it is now. */
async function sameVideo(parts: PipelineParts, file: string, id: string): Promise<VideoRecord | undefined> {
  const video = await parts.library.getVideo(id);
  if (!video || !isComplete(video) || video.path !== file) return undefined;
  const { sizeBytes, modified } = await mediaState(file, parts.objects);
  return video.sizeBytes === sizeBytes && video.modified === modified ? video : undefined;
}

/** Reads those layers of `todo` that are this worker's. Returns the others. */
async function readShare(
  parts: PipelineParts,
  video: VideoRecord,
  todo: readonly JobPart[],
  own: readonly JobPart[],
  options: IngestOptions,
): Promise<readonly JobPart[]> {
  const { decoder, layersOf } = parts;
  options.onProgress?.({ stage: 'reading the file', progress: 0 });
  const probe = await decoder.probe(video.path, options.signal ? { signal: options.signal } : {});
  const isDescribed = !todo.includes('model') || (await parts.library.sharedWindows.waiting(video.id)) === 0;
  const left = todo.filter((part) => !own.includes(part) || (part === 'model' && !isDescribed));
  if (todo.includes('model') && !left.includes('model')) await concludeWindows(parts, video.id, options);
  const mine = ({ layers = [], missingLayers = {} }: Pick<PipelineParts, 'layers' | 'missingLayers'>) => ({
    layers: layers.filter(({ name }) => todo.includes(name)),
    missingLayers,
    leftLayers: left.filter((part) => part !== 'decode' && part !== 'model'),
  });
  const share: PipelineParts = {
    ...parts,
    ...mine(parts),
    ...(layersOf ? { layersOf: async (profile) => mine(await layersOf(profile)) } : {}),
  };
  await ingestLayers(share, video.id, video, probe, options);
  return left;
}
