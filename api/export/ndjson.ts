/** One JSON value a line: the head with `type: "video"`, then every item with its own `type`. */

import type { VideoRecord } from '../../index/store/records.js';
import { exportHead } from './document.js';
import type { Layer } from './layer.js';

export async function* renderNdjson(
  video: VideoRecord,
  layer: Layer,
  items: AsyncIterable<object>,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ type: 'video', ...exportHead(video, layer) })}\n`;
  const type = layer === 'summary' ? 'chapter' : 'event';
  for await (const item of items) yield `${JSON.stringify({ type, ...item })}\n`;
}
