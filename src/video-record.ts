/** What an ingest writes about the video itself: before it starts, while it runs, and when it has ended. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Making, StageRecord, VideoRecord } from '../index/store/records.js';
import type { PlannerOptions } from '../ingest/plan/planner.js';
import type { DecodeSummary, VideoProbe } from '../ingest/video/decoder.js';
import type { SubtitleTracks } from './layers/subtitles/subtitles.js';
import type { Embedder } from './meaning/embedder.js';
import type { ModelNeeds } from './model.js';
import type { PipelineParts } from './pipeline.js';
import { cleanText } from './tasks/words.js';

/** Raised when the same file would give other rows than before, so that its windows are done again. */
const PIPELINE_VERSION = 7;

/** Longest title, in characters. */
const TITLE_LENGTH = 1000;

/** The title that the file gives itself, else its name: one line, as people and models may read it. */
export function titleOf(file: string, probe: VideoProbe): string {
  const name = path.basename(file, path.extname(file));
  return cleanText(probe.tags.title ?? '', TITLE_LENGTH) || cleanText(name, TITLE_LENGTH) || 'untitled';
}

/** What a model costs and wants, as far as the plan goes by it; without one, the planner's own. */
export function plannerOptions(model: ModelNeeds | undefined, { video }: VideoProbe): PlannerOptions {
  if (!model) return {};
  return { tokensPerPair: model.tokensPerPair(model.pictureSize(video)), movingRate: model.frameRate ?? 0 };
}

/** How a video is read now, stage by stage. What a stage does not name here it does not depend on. */
export interface Reading {
  /** Signals and plan: they depend on the version and on what a pair of frames costs the model. Windows of another one are dropped. */
  readonly fingerprint: string;
  /** The rest, of each window: what it would be written with. */
  readonly made: Making;
  /**
   * A part that is not there takes nothing away: what another run's model or embedder gave stays. The model's only where the video is read to its
   * end, since its windows may lie otherwise without.
   */
  readonly keeps: { readonly model: boolean; readonly meaning: boolean };
  /** The model is asked by others, later: what it said before stays until then, and a window that lacks it is as good as it can be. */
  readonly asksLater: boolean;
}

/** @param known the video as it is in the library, when it was read to its end and is not to be done again */
export function readingOf(
  parts: PipelineParts,
  probe: VideoProbe,
  subtitles: SubtitleTracks,
  known: VideoRecord | undefined,
): Reading {
  const { embedder } = parts;
  const model = parts.model ?? parts.planFor;
  const version = `windows ${PIPELINE_VERSION}`;
  const { tokensPerPair, movingRate } = plannerOptions(model, probe);
  const fingerprint = model ? `${version}, ${tokensPerPair} tokens a pair, ${movingRate} fps` : version;
  const made = {
    model: model?.id ?? '',
    frames: (model && embedder?.frames?.id) ?? '',
    subtitles: hash(subtitles.tracks.map(({ identity, language }) => [identity, language ?? null])),
    meaning: embedder?.id ?? '',
  };
  const keepsModel =
    !model && known !== undefined && (known.fingerprint === version || known.fingerprint.startsWith(`${version},`));
  return {
    fingerprint: keepsModel ? known.fingerprint : fingerprint,
    made,
    keeps: { model: keepsModel, meaning: !embedder },
    asksLater: parts.model === undefined && model !== undefined,
  };
}

/**
 * Whether a window has to be made again with the video at hand: another model is asked, or its frames are embedded elsewhere. Who only plans for a
 * model does so for one that another model was shown too: that may have been given fewer frames than were planned.
 */
export function needsPictures(made: Making | undefined, { made: now, keeps, asksLater }: Reading): boolean {
  if (!made) return true;
  if (keeps.model) return false;
  if (asksLater) return made.model !== '' && made.model !== now.model;
  return made.model !== now.model || (now.frames !== '' && made.frames !== now.frames);
}

/** Whether a window would be written as it is. */
export function isMade(made: Making | undefined, reading: Reading): boolean {
  const { made: now, keeps } = reading;
  if (!made || needsPictures(made, reading) || made.subtitles !== now.subtitles) return false;
  return keeps.meaning || made.meaning === now.meaning;
}

function hash(facts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
}

/** What is known when the first frame has not been seen yet. */
export function beginning(parts: PipelineParts, probe: VideoProbe, subtitles: SubtitleTracks) {
  return {
    state: 'ingesting',
    width: probe.video.width,
    height: probe.video.height,
    container: probe.container,
    codec: probe.video.codec,
    stages: stagesOf(parts, subtitles, 'running'),
    error: null,
  } as const;
}

/** What is known when the last window is written. */
export function conclusion(parts: PipelineParts, summary: DecodeSummary, subtitles: SubtitleTracks) {
  const { duration, fps, coverage, firstFrameTime } = summary;
  return {
    state: summary.complete ? 'ready' : 'partial',
    duration,
    fps,
    coverage,
    firstFrameTime,
    warnings: [...summary.warnings, ...subtitles.warnings],
    stages: stagesOf(parts, subtitles, 'done'),
  } as const;
}

function stagesOf(
  { decoder, embedder, model, planFor }: PipelineParts,
  subtitles: SubtitleTracks,
  state: 'running' | 'done',
): Record<string, StageRecord> {
  return {
    decode: { state, note: decoder.id },
    signals: { state },
    subtitles: subtitlesStage(subtitles, state),
    model: modelStage(model ?? planFor, model ? state : 'pending'),
    embeddings: embedder ? embeddingsStage(embedder, state) : { state: 'skipped', note: 'no embedder is installed' },
  };
}

function modelStage(model: ModelNeeds | undefined, state: StageRecord['state']): StageRecord {
  return model ? { state, note: model.id } : { state: 'skipped', note: 'no model is installed' };
}

export function embeddingsStage({ id }: Embedder, state: 'running' | 'done'): StageRecord {
  return { state, note: id };
}

export function subtitlesStage({ tracks, warnings }: SubtitleTracks, state: 'running' | 'done'): StageRecord {
  return tracks.length > 0
    ? { state, note: tracks.map((track) => path.basename(track.origin)).join(', '), warnings }
    : { state: 'skipped', note: 'there are none', warnings };
}
