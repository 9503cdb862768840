/** What a process of its own is asked to do with a graph, so that a crash of native code or minutes of work stay away from the caller. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LongwatchError } from '../../src/errors.js';
import { runnableUrl } from '../../src/thread.js';
import type { GraphFacts } from './hnsw-file.js';

export type HnswTask =
  | {
      readonly task: 'build';
      readonly library: string;
      readonly embedderId: string;
      /** Where the graph goes. */
      readonly output: string;
      /** A verified graph to go on from; without it all is built anew. */
      readonly base?: { readonly file: string; readonly maxId: number };
    }
  /** Load the file, look for every point of it, and end well. */
  | { readonly task: 'check'; readonly file: string; readonly dim: number };

export type HnswReply = { readonly facts?: GraphFacts } | { readonly failed: string };

/**
 * Runs the task in a process of its own.
 * @throws {LongwatchError} `internal` when it fails or dies; `cancelled` when `signal` aborts, which ends the process
 */
export function runHnswTask(task: HnswTask, signal: AbortSignal): Promise<GraphFacts | undefined> {
  const module = fileURLToPath(runnableUrl(new URL('./hnsw-process.js', import.meta.url), import.meta.url));
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const child: ChildProcess = fork(module, { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const stop = () => child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    let reply: HnswReply = { failed: 'it said nothing' };
    child.on('message', (message) => {
      reply = message as HnswReply;
    });
    child.on('error', reject);
    child.on('close', (code, deadly) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) return reject(cancelled());
      if (code === 0 && !('failed' in reply)) return resolve(reply.facts);
      const end = deadly ? `died of ${deadly}` : `ended with code ${code}`;
      const said = 'failed' in reply ? reply.failed : 'done';
      reject(new LongwatchError('internal', `The process that should ${task.task} the vector index ${end}: ${said}.`));
    });
    child.send(task);
  });
}

function cancelled(): LongwatchError {
  return new LongwatchError('cancelled', 'The vector index was not finished because the library was closed.');
}
