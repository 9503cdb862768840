/** Every export format: how it is called, sent and written. The API and the command line both go through this table. */

import type { Library } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { Awaitable } from '../../src/awaitable.js';
import { type ChapterJson, chapterJson } from '../schema/chapter.js';
import { type EventJson, eventJson } from '../schema/event.js';
import { chaptersOf } from './chapter-list.js';
import { renderCsv } from './csv.js';
import { cuesOf } from './cue.js';
import { renderFfmetadata } from './ffmetadata.js';
import type { Granularity } from './granularity.js';
import { renderJson } from './json.js';
import { firstWordLayer, type Layer, layerEvents, layerTexts } from './layer.js';
import { renderNdjson } from './ndjson.js';
import { renderSrt } from './srt.js';
import { cleanText } from './text.js';
import { renderVtt } from './vtt.js';

export interface ExportFormat {
  readonly mediaType: string;
  /** Without the dot. */
  readonly extension: string;
  /** The layer that is shown when none is asked for. */
  defaultLayer(library: Library, video: VideoRecord): Awaitable<Layer>;
  /**
   * The file in pieces, as the library is read; at most one page of rows is alive, and where a summary is to be coarser its chapters.
   * @param granularity of the layer `summary`; makes no difference to others
   */
  render(library: Library, video: VideoRecord, layer: Layer, granularity?: Granularity): AsyncIterable<string>;
}

export const EXPORT_FORMATS = {
  json: {
    mediaType: 'application/json',
    extension: 'json',
    defaultLayer: () => 'events',
    render: (library, video, layer, granularity = {}) =>
      renderJson(video, layer, items(library, video, layer, granularity)),
  },
  ndjson: {
    mediaType: 'application/x-ndjson',
    extension: 'ndjson',
    defaultLayer: () => 'events',
    render: (library, video, layer, granularity = {}) =>
      renderNdjson(video, layer, items(library, video, layer, granularity)),
  },
  csv: {
    mediaType: 'text/csv; charset=utf-8; header=present',
    extension: 'csv',
    defaultLayer: () => 'events',
    render: (library, video, layer, granularity = {}) => renderCsv(items(library, video, layer, granularity)),
  },
  srt: {
    mediaType: 'application/x-subrip; charset=utf-8',
    extension: 'srt',
    defaultLayer: firstWordLayer,
    render: (library, video, layer, granularity = {}) =>
      renderSrt(cuesOf(layerTexts(library, video, layer, granularity))),
  },
  vtt: {
    mediaType: 'text/vtt; charset=utf-8',
    extension: 'vtt',
    defaultLayer: firstWordLayer,
    render: (library, video, layer, granularity = {}) =>
      renderVtt(cuesOf(layerTexts(library, video, layer, granularity))),
  },
  /** WebVTT whose cues are chapter titles, for `<track kind="chapters">`. */
  chapters: {
    mediaType: 'text/vtt; charset=utf-8',
    extension: 'chapters.vtt',
    defaultLayer: () => 'summary',
    render: (library, video, layer, granularity = {}) =>
      renderVtt(cuesOf(layerTexts(library, video, layer, granularity), 'title')),
  },
  /** Always chapters; the layer makes no difference. */
  ffmetadata: {
    mediaType: 'text/plain; charset=utf-8',
    extension: 'ffmetadata.txt',
    defaultLayer: () => 'summary',
    render: (library, video, _layer, granularity = {}) =>
      renderFfmetadata(video.title, chaptersOf(library, video, granularity)),
  },
} as const satisfies Record<string, ExportFormat>;

export type ExportFormatName = keyof typeof EXPORT_FORMATS;
export const EXPORT_FORMAT_NAMES = Object.keys(EXPORT_FORMATS) as [ExportFormatName, ...ExportFormatName[]];

async function* items(
  library: Library,
  video: VideoRecord,
  layer: Layer,
  granularity?: Granularity,
): AsyncGenerator<EventJson | ChapterJson> {
  if (layer === 'summary')
    for await (const chapter of chaptersOf(library, video, granularity)) yield chapterJson(chapter);
  else
    for await (const event of layerEvents(library, video, layer))
      yield eventJson({ ...event, text: cleanText(event.text) });
}
