/** A process that claims jobs of the library at argv[2] and writes windows under them, until no job is left. It may be killed at any time. */

import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { openPostgresLibrary } from '../../../dist/index/postgres/postgres-library.js';

const [, , address, state, windows] = process.argv;
const LEASE_MS = 1500;

const library = await openPostgresLibrary(address, { state });
const claim = { owner: randomUUID(), lease: LEASE_MS, isGone: () => false };
for (;;) {
  const found = await library.claimJob(claim);
  if (!found) {
    const { byState } = await library.jobCounts();
    if (!byState.queued && !byState.running) break;
    await wait(100);
    continue;
  }
  const { job, fence } = found;
  const mine = library.underJob(fence);
  try {
    const sha256 = createHash('sha256').update(job.path).digest('hex');
    const { id } = await mine.addVideo({
      path: job.path,
      title: job.path,
      sha256,
      sizeBytes: 1,
      modified: 1,
      fingerprint: 'f',
    });
    const written = await mine.writtenWindows(id);
    for (let index = 0; index < Number(windows); index++) {
      if (written.has(index)) continue;
      const start = index * 10;
      const event = {
        kind: 'caption',
        source: 'model',
        start,
        end: start + 5,
        precision: 1,
        text: `window ${index} of ${job.path}`,
        attributes: {},
      };
      const embedding = Float32Array.of(1, index, sha256.charCodeAt(0));
      await mine.writeWindow(
        id,
        {
          window: { index, start, end: start + 10, frames: [], activity: 0 },
          precision: 1,
          events: [{ event, embedding }],
        },
        'e',
      );
      await library.renewJob(fence, LEASE_MS, { stage: 'windows', progress: index / Number(windows), progressed: 1 });
      await wait(15);
    }
    await mine.updateVideo(id, { state: 'ready', duration: Number(windows) * 10 });
    await library.endJob(fence, { kind: 'done', videoId: id });
  } catch (error) {
    // Somebody else is at it.
    if (error.code !== 'lease_lost') throw error;
  }
}
await library.close();
