/** One ingest in a process of its own, so that its peak memory is its own. Prints one line of JSON. Arguments: decoder, file. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../src/config.js';
import { openEngine } from '../../src/main.js';

const [decoder, file] = process.argv.slice(2);
if ((decoder !== 'wasm' && decoder !== 'native') || file === undefined)
  throw new Error('usage: ingest-once wasm|native FILE');

const library = await mkdtemp(path.join(os.tmpdir(), 'longwatch-bench-'));
const engine = await openEngine(loadConfig({ library, decoder }), { create: true });
try {
  const { video, took } = await engine.ingest(file);
  const { events, segments } = engine.library.stats();
  console.log(
    JSON.stringify({ took, duration: video.duration, events, segments, peakRssKb: process.resourceUsage().maxRSS }),
  );
} finally {
  await engine.close();
  await rm(library, { recursive: true, force: true });
}
