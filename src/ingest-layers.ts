/** The layers of their own pass, as an ingest runs them: of the right profile, each named in the video's stages. */

import { isDeepStrictEqual } from 'node:util';
import type { Library } from '../index/library.js';
import type { VideoRecord } from '../index/store/records.js';
import type { FileIdentity } from '../ingest/file.js';
import { refuseChangedFile } from '../ingest/media.js';
import type { VideoProbe } from '../ingest/video/decoder.js';
import type { LayerName } from './layer-name.js';
import type { IngestOptions, PartCost, PipelineParts } from './pipeline.js';
import { higherProfile } from './profile.js';
import { missingStages, readLayers } from './read-layers.js';

/**
 * The layers of their own pass, of the profile that reads most of this one and those before, of a video whose windows are written. Each is named in
 * the video's stages with how it ended. Returns what each took that read something, and which ones are left to others.
 */
export async function ingestLayers(
  parts: PipelineParts,
  videoId: string,
  identity: FileIdentity,
  probe: VideoProbe,
  { signal, onProgress, force }: IngestOptions,
): Promise<{ readonly costs: readonly PartCost[]; readonly left: readonly LayerName[] }> {
  const { library } = parts;
  const { duration, firstFrameTime, stages, profile: before } = await library.findVideo(videoId);
  const profile = force ? parts.profile : higherProfile(parts.profile, before);
  const chosen =
    profile !== undefined && profile !== parts.profile && parts.layersOf
      ? { ...parts, ...(await parts.layersOf(profile)) }
      : parts;
  // What was read before by more than this run has stays read, and said to be.
  const unread = Object.entries(missingStages(chosen)).filter(([name]) => stages[name]?.state !== 'done');
  await noteStages(library, videoId, Object.fromEntries(unread));
  const video = { path: identity.path, probe, duration, firstFrameTime };
  const costs = await readLayers(chosen, videoId, video, {
    signal,
    onProgress,
    onStage: (name, stage) => noteStages(library, videoId, { [name]: stage }),
  });
  if (costs.length > 0) await refuseChangedFile(identity, parts.objects);
  const { leftLayers: left = [] } = chosen;
  // It was read with a profile when all of it was read.
  if (profile !== undefined && profile !== before && left.length === 0) await library.updateVideo(videoId, { profile });
  return { costs, left };
}

/** Says how stages stand, where that is news. */
export async function noteStages(library: Library, videoId: string, stages: VideoRecord['stages']): Promise<void> {
  const { stages: before } = await library.findVideo(videoId);
  if (Object.entries(stages).some(([name, stage]) => !isDeepStrictEqual(before[name], stage)))
    await library.updateVideo(videoId, { stages: { ...before, ...stages } });
}
