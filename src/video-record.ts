/** What an ingest writes about the video itself: before it starts, while it runs, and when it has ended. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { StageRecord } from '../index/store/records.js';
import type { DecodeSummary, VideoProbe } from '../ingest/video/decoder.js';
import type { SubtitleTracks } from './layers/subtitles/subtitles.js';
import type { PipelineParts } from './pipeline.js';
import { cleanText } from './tasks/words.js';

/** Raised when the same file would give other rows than before, so that its windows are done again. */
const PIPELINE_VERSION = 6;

/** Longest title, in characters. */
const TITLE_LENGTH = 1000;

/** The title that the file gives itself, else its name: one line, as people and models may read it. */
export function titleOf(file: string, probe: VideoProbe): string {
  const name = path.basename(file, path.extname(file));
  return cleanText(probe.tags.title ?? '', TITLE_LENGTH) || cleanText(name, TITLE_LENGTH) || 'untitled';
}

/** Everything that the rows depend on beside the file's content. */
export function fingerprintOf({ embedder, model }: PipelineParts, subtitles: SubtitleTracks): string {
  const facts = [
    PIPELINE_VERSION,
    embedder?.id ?? null,
    model?.id ?? null,
    subtitles.tracks.map((track) => track.identity),
    ...(model && embedder?.frames ? [embedder.frames.id] : []),
  ];
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
  { decoder, embedder, model }: PipelineParts,
  subtitles: SubtitleTracks,
  state: 'running' | 'done',
): Record<string, StageRecord> {
  return {
    decode: { state, note: decoder.id },
    signals: { state },
    subtitles:
      subtitles.tracks.length > 0
        ? { state, note: subtitles.tracks.map((track) => path.basename(track.origin)).join(', ') }
        : { state: 'skipped', note: 'there are none' },
    model: model ? { state, note: model.id } : { state: 'skipped', note: 'no model is installed' },
    embeddings: embedder ? { state, note: embedder.id } : { state: 'skipped', note: 'no embedder is installed' },
  };
}
