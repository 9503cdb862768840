import { writeFile } from 'node:fs/promises';
import { JOB_PARTS, parseJobParts } from '../../../ingest/jobs/job-part.js';
import { HEARTBEAT, LEASE } from '../../../ingest/jobs/queue.js';
import { LongwatchError } from '../../errors.js';
import { publicAddress } from '../../library-address.js';
import { openEngine } from '../../main.js';
import type { Milliseconds } from '../../time.js';
import { VERSION } from '../../version.js';
import { configOf, profileOption, type ReadingOptions, terminalOf, verb } from '../command.js';
import { logJobs, logWindows, openLog } from '../log.js';
import { stopSignal } from '../stop-signal.js';
import { EXIT } from '../terminal.js';

interface WorkerOptions extends ReadingOptions {
  readonly layers?: string;
  readonly drain: string;
  readonly lease: string;
  readonly alive?: string;
}

/** A sign of life must get through several times within a lease. */
const BEATS_A_LEASE = 3;

export const workerCommand = verb('worker', 'do the jobs of a library, beside other workers, until it is stopped')
  .option('--layers <parts>', `do these parts of an ingest only, of ${JOB_PARTS.join(', ')} (default: all)`)
  .addOption(profileOption())
  .option('--drain <seconds>', 'when stopped, how long what runs may go on to its end before it is put back', '20')
  .option('--lease <seconds>', 'how long a job is held without a sign of life', String(LEASE / 1000))
  .option('--alive <file>', 'a file that is written every few seconds while the process is not stuck, for probes')
  .action(async (options: WorkerOptions) => {
    const parts = options.layers === undefined ? undefined : parseJobParts(options.layers);
    const drain = seconds('--drain', options.drain, 0, 86_400);
    const lease = seconds('--lease', options.lease, 2, 600);
    const terminal = terminalOf(options);
    const config = configOf(options);
    const log = openLog(config, options.quiet ?? false);
    const work = { lease, heartbeat: Math.min(HEARTBEAT, lease / BEATS_A_LEASE), ...(parts ? { parts } : {}) };
    const engine = await openEngine(config, { create: true, calls: true, work });
    try {
      const { jobs, windows, presence } = engine;
      jobs.onTrouble((error) => log.warn({ code: error.code, hint: error.hint }, error.message));
      logJobs(jobs, log);
      logWindows(windows, log);
      const stopped = stopSignal();
      const { alive } = options;
      presence.start(() => void (alive === undefined || writeFile(alive, '').catch(() => {})));
      jobs.takeUpWaiting();
      windows.start();
      const library = publicAddress(config.library);
      terminal.document({ worker: jobs.owner, parts: parts ?? JOB_PARTS, library });
      terminal.line(
        `Longwatch ${VERSION} works on ${library}: ${(parts ?? ['everything']).join(', ')}. Stop with Ctrl-C.`,
      );
      await stopped;
      const drained = Promise.all([jobs.drain(drain), windows.drain(drain)]);
      presence.say();
      await drained;
    } finally {
      await engine.close();
    }
    process.exitCode = EXIT.done;
  });

function seconds(option: string, text: string, least: number, most: number): Milliseconds {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value * 1000;
  throw new LongwatchError('invalid_input', `${option} cannot be "${text}".`, {
    hint: `Give seconds from ${least} to ${most}.`,
  });
}
