/** One JSON document, written item by item. */

import type { VideoRecord } from '../../index/store/records.js';
import { exportHead } from './document.js';
import type { Layer } from './layer.js';

export async function* renderJson(
  video: VideoRecord,
  layer: Layer,
  items: AsyncIterable<object>,
): AsyncGenerator<string> {
  const head = JSON.stringify(exportHead(video, layer), undefined, 2);
  yield `${head.slice(0, -2)},\n  "items": [`;
  let separator = '\n    ';
  for await (const item of items) {
    yield `${separator}${JSON.stringify(item)}`;
    separator = ',\n    ';
  }
  yield '\n  ]\n}\n';
}
