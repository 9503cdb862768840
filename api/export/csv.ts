/** Comma-separated values by RFC 4180, safe to open in a spreadsheet. */

import { formatTime } from '../../src/time.js';
import type { ChapterJson } from '../schema/chapter.js';
import type { EventJson } from '../schema/event.js';
import { cleanLine } from './text.js';

const COLUMNS = [
  'id',
  'kind',
  'source',
  'start',
  'end',
  'start_s',
  'end_s',
  'precision_s',
  'confidence',
  'model',
  'text',
];

/** A header line and one line per item, CRLF. A chapter is a row of kind `chapter` without an id. */
export async function* renderCsv(items: AsyncIterable<EventJson | ChapterJson>): AsyncGenerator<string> {
  yield csvLine(COLUMNS);
  for await (const item of items) {
    const times = [formatTime(item.start_s), formatTime(item.end_s), item.start_s.toFixed(3), item.end_s.toFixed(3)];
    yield csvLine(
      'title' in item
        ? ['', 'chapter', item.source, ...times, '', '', '', safeText(item.title)]
        : [
            item.id,
            item.kind,
            item.source,
            ...times,
            item.precision_s.toFixed(3),
            item.confidence?.toString() ?? '',
            safeText(item.model ?? ''),
            safeText(item.text),
          ],
    );
  }
}

/** Spreadsheets run a cell that begins like a formula; a leading apostrophe makes it text. */
function safeText(text: string): string {
  const clean = cleanLine(text);
  return /^[=+\-@＝＋－＠]/u.test(clean) ? `'${clean}` : clean;
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\r\n`;
}
