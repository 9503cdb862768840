/** Every export format: how it is called, sent and written. The API and the command line both go through this table. */

import type { Library } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { Awaitable } from '../../src/awaitable.js';
import { type ChapterJson, chapterJson } from '../schema/chapter.js';
import { eventJson } from '../schema/event.js';
import { roundTo } from '../schema/units.js';
import { chaptersOf } from './chapter-list.js';
import { renderCsv } from './csv.js';
import { type Cue, cueOf, cuesOf } from './cue.js';
import type { ExportedEventJson } from './document.js';
import { renderFfmetadata } from './ffmetadata.js';
import type { Granularity } from './granularity.js';
import { renderJson } from './json.js';
import { firstWordLayer, isWordLayer, type Layer, layerEvents, layerTexts } from './layer.js';
import { renderNdjson } from './ndjson.js';
import { readingSpeed } from './reading-speed.js';
import { renderSrt } from './srt.js';
import { cleanText } from './text.js';
import { renderVtt } from './vtt.js';

export interface RenderOptions extends Granularity {
  /** Hears of each cue of a subtitle file as it is written; other formats have none. */
  readonly onCue?: (cue: Cue) => void;
}

export interface ExportFormat {
  readonly mediaType: string;
  /** Without the dot. */
  readonly extension: string;
  /** The layer that is shown when none is asked for. */
  defaultLayer(library: Library, video: VideoRecord): Awaitable<Layer>;
  /**
   * The file in pieces, as the library is read; at most one page of rows is alive, and where a summary is to be coarser its chapters.
   * @param options the granularity is that of the layer `summary`; it makes no difference to others
   */
  render(library: Library, video: VideoRecord, layer: Layer, options?: RenderOptions): AsyncIterable<string>;
}

export const EXPORT_FORMATS = {
  json: {
    mediaType: 'application/json',
    extension: 'json',
    defaultLayer: () => 'events',
    render: (library, video, layer, options = {}) => renderJson(video, layer, items(library, video, layer, options)),
  },
  ndjson: {
    mediaType: 'application/x-ndjson',
    extension: 'ndjson',
    defaultLayer: () => 'events',
    render: (library, video, layer, options = {}) => renderNdjson(video, layer, items(library, video, layer, options)),
  },
  csv: {
    mediaType: 'text/csv; charset=utf-8; header=present',
    extension: 'csv',
    defaultLayer: () => 'events',
    render: (library, video, layer, options = {}) => renderCsv(items(library, video, layer, options)),
  },
  srt: {
    mediaType: 'application/x-subrip; charset=utf-8',
    extension: 'srt',
    defaultLayer: firstWordLayer,
    render: (library, video, layer, options = {}) =>
      renderSrt(cuesOf(layerTexts(library, video, layer, options), 'lines', options.onCue)),
  },
  vtt: {
    mediaType: 'text/vtt; charset=utf-8',
    extension: 'vtt',
    defaultLayer: firstWordLayer,
    render: (library, video, layer, options = {}) =>
      renderVtt(cuesOf(layerTexts(library, video, layer, options), 'lines', options.onCue)),
  },
  /** WebVTT whose cues are chapter titles, for `<track kind="chapters">`. */
  chapters: {
    mediaType: 'text/vtt; charset=utf-8',
    extension: 'chapters.vtt',
    defaultLayer: () => 'summary',
    render: (library, video, layer, options = {}) =>
      renderVtt(cuesOf(layerTexts(library, video, layer, options), 'title')),
  },
  /** Always chapters; the layer makes no difference. */
  ffmetadata: {
    mediaType: 'text/plain; charset=utf-8',
    extension: 'ffmetadata.txt',
    defaultLayer: () => 'summary',
    render: (library, video, _layer, options = {}) =>
      renderFfmetadata(video.title, chaptersOf(library, video, options)),
  },
} as const satisfies Record<string, ExportFormat>;

export type ExportFormatName = keyof typeof EXPORT_FORMATS;
export const EXPORT_FORMAT_NAMES = Object.keys(EXPORT_FORMATS) as [ExportFormatName, ...ExportFormatName[]];

async function* items(
  library: Library,
  video: VideoRecord,
  layer: Layer,
  granularity: Granularity,
): AsyncGenerator<ExportedEventJson | ChapterJson> {
  if (layer === 'summary') {
    for await (const chapter of chaptersOf(library, video, granularity)) yield chapterJson(chapter);
    return;
  }
  for await (const event of layerEvents(library, video, layer)) {
    const json = eventJson({ ...event, text: cleanText(event.text) });
    const cue = isWordLayer(layer) ? cueOf(event, 'title') : undefined;
    yield cue ? { ...json, reading_speed_cps: roundTo(readingSpeed(cue), 1) } : json;
  }
}
