/** The threads that a test's sessions start, so that it can kill one: `vi.mock(THREAD_FILE, recording)` stands it in for `src/thread.ts`. */

import type { Worker } from 'node:worker_threads';

type ThreadFile = typeof import('../../../src/thread.js');

/** In the order in which they were started. */
export const threads: { readonly worker: Worker; readonly url: string }[] = [];

/** The newest thread of a file. */
export function lastThread(name: string): Worker {
  const found = threads.findLast(({ url }) => url.endsWith(name));
  if (!found) throw new Error(`No thread of ${name} was started.`);
  return found.worker;
}

export async function recording(original: () => Promise<ThreadFile>): Promise<ThreadFile> {
  const actual = await original();
  return {
    ...actual,
    startThread: (...args) => {
      const worker = actual.startThread(...args);
      threads.push({ worker, url: args[0].href });
      return worker;
    },
  };
}
