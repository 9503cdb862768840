/** One ingest in a process of its own, so that its peak memory is its own. Prints one line of JSON. Arguments: decoder, file, profile. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../src/config.js';
import { openEngine } from '../../src/main.js';
import { PROFILE_NAMES } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';

const [decoder, file, profileName = 'standard'] = process.argv.slice(2);
const profile = PROFILE_NAMES.find((name) => name === profileName);
if ((decoder !== 'wasm' && decoder !== 'native') || file === undefined || !profile)
  throw new Error('usage: ingest-once wasm|native FILE [PROFILE]');
/** Counting what is searchable costs a query; this often is enough to tell seconds. */
const LOOK_EVERY: Milliseconds = 50;

const library = await mkdtemp(path.join(os.tmpdir(), 'longwatch-bench-'));
const engine = await openEngine(loadConfig({ library, decoder, profile }), { create: true });
try {
  let firstWindow: Milliseconds | undefined;
  let looked: Milliseconds = 0;
  const onProgress = async () => {
    const now = performance.now();
    if (firstWindow !== undefined || now - looked < LOOK_EVERY) return;
    looked = now;
    if ((await engine.library.stats()).segments > 0) firstWindow = now;
  };
  const { video, took } = await engine.ingest(file, { onProgress });
  const { events, segments } = await engine.library.stats();
  const { maxRSS: peakRssKb, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpu: Milliseconds = (userCPUTime + systemCPUTime) / 1000;
  // From the start of the process, whose clock this is.
  firstWindow ??= performance.now();
  console.log(JSON.stringify({ took, duration: video.duration, events, segments, peakRssKb, firstWindow, cpu }));
} finally {
  await engine.close();
  await rm(library, { recursive: true, force: true });
}
