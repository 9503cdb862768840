import { Argument } from 'commander';
import { jobJson } from '../../../api/schema/job.js';
import { ATTEMPTS_MAX, DEFAULT_PRIORITY, type JobRecord, STANDS_STILL_AFTER } from '../../../ingest/jobs/job.js';
import { LongwatchError } from '../../errors.js';
import type { Engine } from '../../main.js';
import { formatTime, type Milliseconds } from '../../time.js';
import { type CommonOptions, everyRow, type VerbContext, verb, withEngine } from '../command.js';
import { parsePriority } from '../priority.js';
import { EXIT, table, visible } from '../terminal.js';

const SHORTEST_PREFIX = 4;

interface JobsOptions extends CommonOptions {
  readonly all?: boolean;
  readonly priority?: string;
}

/** What can be done with jobs. Without an id, `pause` and `resume` mean the whole queue. */
const ACTIONS = {
  pause: ({ jobs }: Engine, id: string) => jobs.pause(id),
  resume: ({ jobs }: Engine, id: string) => jobs.resume(id),
  cancel: ({ jobs }: Engine, id: string) => jobs.cancel(id),
  retry: ({ jobs }: Engine, id: string) => jobs.retry(id),
} as const;
/** `reorder` needs to be told how. */
type Action = keyof typeof ACTIONS | 'reorder';
type Act = (engine: Engine, id: string) => Promise<JobRecord>;

export const jobsCommand = verb('jobs', 'what waits, runs and failed; pause, resume, cancel, retry and reorder it')
  .addArgument(
    new Argument('[action]', 'what to do (default: list them)').choices([...Object.keys(ACTIONS), 'reorder']),
  )
  .argument('[job...]', 'ids or the beginnings of them; none: pause or resume the whole queue, in every process')
  .option('--all', 'also list jobs that are done or cancelled')
  .option('--priority <n>', 'with reorder: from -100 to 100, higher ones are done first, 0 is usual; what runs goes on')
  .action((action: Action | undefined, ids: string[], options: JobsOptions) =>
    withEngine(options, false, (context) => {
      if (action === undefined) return show(context, options.all ?? false);
      if (ids.length > 0) return each(context, actOf(action, options), ids);
      if (action === 'pause' || action === 'resume') return pauseAll(context, action === 'pause');
      throw new LongwatchError('invalid_input', `\`jobs ${action}\` needs the id of a job.`, {
        hint: 'See `longwatch jobs --all`.',
      });
    }),
  );

async function show({ engine, terminal }: VerbContext, all: boolean): Promise<number> {
  const jobs = await everyRow((page) => engine.jobs.list(page));
  const shown = all ? jobs : jobs.filter(({ state }) => state !== 'done' && state !== 'cancelled');
  const paused = await engine.jobs.paused();
  terminal.document({ paused, jobs: shown.map((job) => jobJson(job)) });
  if (paused) terminal.line('The queue is paused; `longwatch jobs resume` lets it go on.');
  for (const row of table(shown.map((job) => [job.id.slice(0, 8), job.state, standing(job), visible(job.path)])))
    terminal.line(row);
  for (const { id, error } of shown)
    if (error) terminal.warn(`${id.slice(0, 8)}: ${visible(error.detail)} [${error.code}]`);
  if (shown.length === 0) terminal.note(all ? 'There was no job yet.' : 'Nothing waits, runs or failed.');
  return EXIT.done;
}

/** How far a job is, in a few words. */
function standing(job: JobRecord, now: Milliseconds = Date.now()): string {
  const facts: string[] = [];
  if (job.state === 'running') {
    facts.push(job.stage, `${Math.round(job.progress * 100)} %`);
    const idle = now - job.progressed;
    if (idle >= STANDS_STILL_AFTER) facts.push(`no progress for ${clock(idle)}`);
    else {
      if (job.speed !== undefined) facts.push(`${job.speed.toFixed(1)}x realtime`);
      if (job.eta !== undefined) facts.push(`${clock(job.eta)} left`);
    }
  }
  if (job.state === 'queued' && job.runAt > now) facts.push(`again in ${clock(job.runAt - now)}`);
  if (job.attempts > 1 || job.error) facts.push(`attempt ${job.attempts} of ${ATTEMPTS_MAX}`);
  if (job.priority !== DEFAULT_PRIORITY) facts.push(`priority ${job.priority}`);
  return facts.join(', ');
}

function clock(time: Milliseconds): string {
  return formatTime(time / 1000).replace(/\.\d+$/, '');
}

async function pauseAll({ engine, terminal }: VerbContext, paused: boolean): Promise<number> {
  if (paused) await engine.jobs.pauseAll();
  else await engine.jobs.resumeAll();
  terminal.document({ paused });
  terminal.line(paused ? 'The queue is paused, in every process of this library.' : 'The queue goes on.');
  return EXIT.done;
}

function actOf(action: Action, { priority }: JobsOptions): Act {
  if (action !== 'reorder') return ACTIONS[action];
  if (priority === undefined)
    throw new LongwatchError('invalid_input', '`jobs reorder` needs a priority.', {
      hint: 'For instance: longwatch jobs reorder ID --priority -20',
    });
  const wanted = parsePriority(priority);
  return ({ jobs }, id) => jobs.prioritise(id, wanted);
}

async function each({ engine, terminal }: VerbContext, act: Act, names: readonly string[]): Promise<number> {
  const all = await everyRow((page) => engine.jobs.list(page));
  const jobs: JobRecord[] = [];
  for (const name of names) jobs.push(await act(engine, idOf(name, all)));
  terminal.document({ jobs: jobs.map((job) => jobJson(job)) });
  for (const job of jobs) terminal.line(`${job.id.slice(0, 8)}  ${job.state}  ${visible(job.path)}`);
  return EXIT.done;
}

function idOf(name: string, jobs: readonly JobRecord[]): string {
  const [first, second] = jobs.filter(
    ({ id }) => id === name || (name.length >= SHORTEST_PREFIX && id.startsWith(name)),
  );
  if (first && !second) return first.id;
  if (first && second)
    throw new LongwatchError('ambiguous_id', `"${name}" is the beginning of several jobs.`, {
      hint: 'Write more of the id.',
    });
  throw new LongwatchError('not_found', `There is no job "${name}".`, { hint: 'See `longwatch jobs --all`.' });
}
