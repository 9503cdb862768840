/**
 * Writes windows one after the other and says so on stdout, until it has written enough or is killed.
 * Arguments: library folder, video id, first window, number of windows, events in each.
 */

import { writeSync } from 'node:fs';
import { openLibrary } from '../../../dist/index/store/sqlite-library.js';

const [directory, id, from, count, events] = process.argv.slice(2);
const library = openLibrary(directory, { create: true });
if (!library.getVideo(id)) {
  library.addVideo({ path: '/f', title: 'f', sha256: id.padEnd(64, 'a'), sizeBytes: 1, modified: 0, fingerprint: 'f' });
}
for (let index = Number(from); index < Number(from) + Number(count); index++) {
  library.writeWindow(
    id,
    {
      window: { index, start: index, end: index + 1, frames: [{ pts: index, time: index }], activity: 0 },
      precision: 0.5,
      events: Array.from({ length: Number(events) }, (_, i) => ({
        event: {
          kind: 'subtitle',
          source: 'subtitle',
          start: index,
          end: index + 1,
          precision: 0.1,
          text: `window ${index} event ${i}`,
          attributes: {},
        },
        embedding: Float32Array.of(1, index, i, 2),
      })),
    },
    'writer',
  );
  writeSync(1, '.');
}
await library.close();
