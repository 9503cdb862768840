/** Ingests a film with a model that ends its process at the second window. Arguments: library folder, film. */

import { openLibrary } from '../../dist/index/store/sqlite-library.js';
import { chooseDecoder } from '../../dist/ingest/video/choose.js';
import { loadConfig } from '../../dist/src/config.js';
import { ingestVideo } from '../../dist/src/pipeline.js';

const [directory, film] = process.argv.slice(2);
const library = openLibrary(directory, { create: true });
const { searchPath } = loadConfig({});
let asked = 0;
const model = {
  id: 'deadly',
  pictureSize: () => ({ width: 56, height: 28 }),
  tokensPerPair: () => 2,
  async describe({ range, pictures }) {
    asked += 1;
    if (range.start > 0 && range.start < 20) process.kill(process.pid, 'SIGKILL');
    return {
      caption: `seen from ${range.start.toFixed(1)}`,
      events: [],
      precision: 0.5,
      frames: pictures.map(({ pts, time }) => ({ pts, time })),
    };
  },
};
const { video } = await ingestVideo(
  { decoder: await chooseDecoder({ kind: 'auto', searchPath }), library, model },
  film,
);
console.log(JSON.stringify({ state: video.state, warnings: video.warnings, asked }));
await library.close();
