/** The layers that an export may show, and what each is made of. */

import type { Library } from '../../index/library.js';
import type { EventRecord, VideoRecord } from '../../index/store/records.js';
import { type EventKind, TELLING_KINDS } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';
import { chaptersOf } from './chapter-list.js';
import type { Granularity } from './granularity.js';
import { allEvents } from './rows.js';

/**
 * `summary`: chapters (see `chaptersOf`). `captions`: what the model said of each stretch. `events`: everything that is said or measured.
 * `text`: what stands on screen. `speech`: what is heard. `subtitles`: what the file or its neighbour says.
 */
export const LAYERS = ['summary', 'captions', 'events', 'text', 'speech', 'subtitles'] as const;
export type Layer = (typeof LAYERS)[number];

/** A layer that is made of events. */
export type EventLayer = Exclude<Layer, 'summary'>;

const KINDS = {
  captions: ['caption', 'activity'],
  events: TELLING_KINDS,
  text: ['text'],
  speech: ['speech'],
  subtitles: ['subtitle'],
} as const satisfies Record<EventLayer, readonly EventKind[]>;

/** The order in which a subtitle file without a wish looks for words. */
const WORD_LAYERS = ['captions', 'subtitles', 'speech', 'text'] as const;

/** Whether a layer is made of words that are read while they stand. */
export function isWordLayer(layer: Layer): layer is (typeof WORD_LAYERS)[number] {
  return WORD_LAYERS.some((name) => name === layer);
}

export function layerEvents(library: Library, video: VideoRecord, layer: EventLayer): AsyncGenerator<EventRecord> {
  return allEvents(library, video.id, { kinds: KINDS[layer] });
}

/** Timed texts of any layer, sorted by start. */
export async function* layerTexts(
  library: Library,
  video: VideoRecord,
  layer: Layer,
  granularity?: Granularity,
): AsyncGenerator<TimeRange & { readonly text: string }> {
  if (layer !== 'summary') yield* layerEvents(library, video, layer);
  else
    for await (const { start, end, title } of chaptersOf(library, video, granularity))
      yield { start, end, text: title };
}

/** The first layer of words that has any, else the summary: what a person expects from "the subtitles of this video". */
export async function firstWordLayer(library: Library, video: VideoRecord): Promise<Layer> {
  for (const layer of WORD_LAYERS) {
    const { items } = await library.events(video.id, { kinds: KINDS[layer], limit: 1 });
    if (items.length > 0) return layer;
  }
  return 'summary';
}
