/**
 * Ingests a film while hardly a file can be opened, then again when some can. Arguments: library folder, film, files that may be opened.
 * Prints the failure and the state in the end. Run it with a low `ulimit -n`: it takes all that is left of it.
 */

import { closeSync, openSync } from 'node:fs';
import { openLibrary } from '../../dist/index/store/sqlite-library.js';
import { chooseDecoder } from '../../dist/ingest/video/choose.js';
import { loadConfig } from '../../dist/src/config.js';
import { ingestVideo } from '../../dist/src/pipeline.js';

const [directory, film, spare] = process.argv.slice(2);
const library = openLibrary(directory, { create: true });
const decoder = await chooseDecoder({ kind: 'auto', searchPath: loadConfig({}).searchPath });
const hoard = [];
try {
  for (;;) hoard.push(openSync('/dev/null', 'r'));
} catch {
  // All are taken; some are given back, so that the ingest gets a little way.
  for (const file of hoard.splice(0, Number(spare))) closeSync(file);
}
await ingestVideo({ decoder, library }, film).catch((error) => console.log(error.code, error.hint));
for (const file of hoard) closeSync(file);
const { video } = await ingestVideo({ decoder, library }, film);
console.log(video.state);
await library.close();
