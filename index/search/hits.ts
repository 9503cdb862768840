/** Spans as they are told: with their video, their words and why they answer. */

import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library } from '../library.js';
import type { VideoRecord } from '../store/records.js';
import type { Placement } from './placement.js';
import { precisionOf, type Span, textOf, whyOf } from './spans.js';
import type { SearchHit } from './types.js';

/** Who knows of the places: the library their videos, the embedder what its cosines mean. */
interface HitParts {
  readonly library: Library;
  readonly embedder?: Embedder;
}

/** The first of each video. */
export function bestOfEachVideo<T extends { readonly videoId: string }>(places: readonly T[]): T[] {
  const seen = new Set<string>();
  return places.filter(({ videoId }) => !seen.has(videoId) && seen.add(videoId));
}

/** @param looksLike what is said of a place where only pictures answer */
export async function hitsOf(
  spans: readonly Span[],
  parts: HitParts,
  looksLike: string,
  placement: Placement | undefined,
): Promise<SearchHit[]> {
  const videos = await videosOf(spans, parts.library);
  return spans.map((span) => toHit(span, videos.get(span.videoId), parts, looksLike, placement));
}

/** The videos in which places lie, by id. One that was removed meanwhile is left out. */
export async function videosOf(
  places: readonly { readonly videoId: string }[],
  library: Library,
): Promise<ReadonlyMap<string, VideoRecord>> {
  const videos = new Map<string, VideoRecord>();
  for (const id of new Set(places.map(({ videoId }) => videoId))) {
    const video = await library.getVideo(id);
    if (video) videos.set(id, video);
  }
  return videos;
}

function toHit(
  span: Span,
  video: VideoRecord | undefined,
  { embedder }: HitParts,
  looksLike: string,
  placement: Placement | undefined,
): SearchHit {
  const { event } = span.best;
  return {
    videoId: span.videoId,
    path: video?.path ?? '',
    title: video?.title ?? '',
    start: span.start,
    end: span.end,
    score: span.score,
    kind: event.kind,
    source: event.source,
    text: textOf(span, looksLike),
    why: [...whyOf(span, embedder?.scale), ...(placement?.why(span.videoId) ?? [])],
    precision: precisionOf(span),
    eventIds: [...span.members, ...span.supporters].map((match) => match.event.id),
  };
}
