/** The layers that an export may show, and what each is made of. */

import type { Library } from '../../index/library.js';
import type { EventRecord, VideoRecord } from '../../index/store/records.js';
import type { EventKind } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';
import { chaptersOf } from './chapter-list.js';
import { allEvents, allSegments } from './rows.js';

/**
 * `summary`: chapters (see `chaptersOf`). `captions`: what the model said of each stretch. `events`: everything, signals included.
 * `text`: what stands on screen. `speech`: what is heard. `subtitles`: what the file or its neighbour says.
 */
export const LAYERS = ['summary', 'captions', 'events', 'text', 'speech', 'subtitles'] as const;
export type Layer = (typeof LAYERS)[number];

/** A layer that is made of events. */
export type EventLayer = Exclude<Layer, 'summary'>;

const KINDS = {
  captions: ['caption', 'activity'],
  events: undefined,
  text: ['text'],
  speech: ['speech'],
  subtitles: ['subtitle'],
} as const satisfies Record<EventLayer, readonly EventKind[] | undefined>;

/** The order in which a subtitle file without a wish looks for words. */
const WORD_LAYERS = ['captions', 'subtitles', 'speech', 'text'] as const;

export function layerEvents(library: Library, video: VideoRecord, layer: EventLayer): AsyncGenerator<EventRecord> {
  const kinds = KINDS[layer];
  return allEvents(library, video.id, kinds === undefined ? {} : { kinds });
}

/** Timed texts of any layer, sorted by start. Captions that are on segments only are taken from there. */
export async function* layerTexts(
  library: Library,
  video: VideoRecord,
  layer: Layer,
): AsyncGenerator<TimeRange & { readonly text: string }> {
  if (layer === 'summary') {
    for await (const { start, end, title } of chaptersOf(library, video)) yield { start, end, text: title };
  } else if (layer === 'captions' && !hasEvents(library, video, 'captions')) {
    for await (const { start, end, caption } of allSegments(library, video.id))
      if (caption !== undefined) yield { start, end, text: caption };
  } else yield* layerEvents(library, video, layer);
}

/** The first layer of words that has any, else the summary: what a person expects from "the subtitles of this video". */
export function firstWordLayer(library: Library, video: VideoRecord): Layer {
  return WORD_LAYERS.find((layer) => hasEvents(library, video, layer)) ?? 'summary';
}

function hasEvents(library: Library, video: VideoRecord, layer: (typeof WORD_LAYERS)[number]): boolean {
  return library.events(video.id, { kinds: KINDS[layer], limit: 1 }).items.length > 0;
}
