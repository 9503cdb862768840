/** The log of a process that serves or works: a JSON object a line, on stderr. The one file that knows pino. */

import pino from 'pino';
import type { JobQueue } from '../../ingest/jobs/queue.js';
import type { WindowHands } from '../../ingest/jobs/window-hands.js';
import type { Config } from '../config.js';

export type Log = pino.Logger;

export function openLog({ logLevel }: Pick<Config, 'logLevel'>, quiet: boolean): Log {
  return pino(
    {
      level: quiet ? 'error' : logLevel,
      redact: ['token', 'tokens', 'authorization', 'secret', '*.token', '*.authorization', '*.secret'],
    },
    pino.destination(2),
  );
}

/** Every step of this process's jobs, under the id that the request was answered with that asked for them. Returns how to stop. */
export function logJobs(jobs: JobQueue, log: Log): () => void {
  const at = new Map<string, string>();
  return jobs.subscribe(({ id, path, videoId, state, stage, attempts, error }) => {
    const step = `${state} ${stage}`;
    if (at.get(id) === step) return;
    if (state === 'running') at.set(id, step);
    else at.delete(id);
    const said = {
      job_id: id,
      path,
      stage,
      attempts,
      ...(videoId === undefined ? {} : { video_id: videoId }),
      ...(error && state !== 'running' ? { code: error.code, detail: error.detail } : {}),
    };
    log[state === 'failed' ? 'warn' : 'info'](said, `the job is ${state}`);
  });
}

/** What this process takes up of the windows that workers share, under the id of their job, and what went wrong with it. */
export function logWindows(windows: WindowHands, log: Log): void {
  windows.subscribe(({ fence, indexes }) =>
    log.info(
      { job_id: fence.jobId, video_id: fence.videoId, stage: 'model', windows: indexes },
      'windows are taken up',
    ),
  );
  windows.onTrouble((error) => log.warn({ code: error.code, hint: error.hint }, error.message));
}
