/**
 * Works off one job that writes windows slowly, under a lease of two seconds. Arguments: library folder, video id, windows, mark of this
 * process, window after which it falls asleep (may be missing). Says on stdout when it has written a window and how it ended.
 */

import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openLibrary } from '../../../dist/index/store/sqlite-library.js';
import { JobQueue } from '../../../dist/ingest/jobs/queue.js';

const [directory, id, count, mark, sleepAfter] = process.argv.slice(2);
const library = openLibrary(directory);
const queue = new JobQueue({
  store: library,
  lease: 2_000,
  heartbeat: 200,
  work: async (_path, _report, _signal, fence) => {
    const held = library.underJob(fence);
    try {
      for (let index = 0; index < Number(count); index++) {
        if (held.writtenWindows(id).has(index)) continue;
        await pause(20);
        const window = { index, start: index, end: index + 1, frames: [], activity: 0 };
        held.writeWindow(id, { window, precision: 0, caption: mark, model: mark, events: [] });
        writeSync(1, `${index}\n`);
        if (index === Number(sleepAfter)) process.kill(process.pid, 'SIGSTOP');
      }
    } catch (error) {
      writeSync(1, `${error.code}\n`);
      throw error;
    }
    return { videoId: id };
  },
});
queue.takeUpWaiting();
await queue.onIdle();
await queue.close();
await library.close();
