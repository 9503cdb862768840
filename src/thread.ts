/** Starts worker threads, from the compiled tree and from the sources alike. */

import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the module at `url` (written `new URL('./name.js', import.meta.url)` beside the caller) in a worker thread.
 *
 * Node 20 cannot run TypeScript, so a caller that itself runs from its `.ts` source (as under vitest) gets the compiled twin
 * under `dist/`, which the test set-up builds first.
 */
export function startThread(url: URL, callerUrl: string, options: WorkerOptions = {}): Worker {
  return new Worker(runnableUrl(url, callerUrl), options);
}

/** The file that Node can run for the module at `url`; for a process of its own, where `startThread` does not fit. */
export function runnableUrl(url: URL, callerUrl: string): URL {
  return callerUrl.endsWith('.ts') ? compiledTwin(url) : url;
}

function compiledTwin(url: URL): URL {
  const root = new URL('../', import.meta.url).href;
  return new URL(url.href.replace(root, `${root}dist/`));
}
