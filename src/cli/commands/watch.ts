import { realpath } from 'node:fs/promises';
import { problemJson } from '../../../api/schema/problem.js';
import { videoJson } from '../../../api/schema/video.js';
import type { JobRecord } from '../../../ingest/jobs/job.js';
import { isObjectUrl } from '../../../ingest/objects/object-url.js';
import type { WatchRule } from '../../../ingest/watch/rule.js';
import { DEFAULT_INTERVAL, type WatchEvent, type WatchReport } from '../../../ingest/watch/watcher.js';
import { watchedPlace } from '../../config.js';
import { ERROR_TABLE, type ErrorCode, LongwatchError } from '../../errors.js';
import { tagSet } from '../../tag.js';
import type { Milliseconds } from '../../time.js';
import { collect, profileOption, type ReadingOptions, type VerbContext, verb, withEngine } from '../command.js';
import { JobLines } from '../job-lines.js';
import { EXIT, visible } from '../terminal.js';

interface WatchOptions extends ReadingOptions {
  readonly tag?: string[];
  readonly include?: string[];
  readonly exclude?: string[];
  readonly once?: boolean;
  readonly poll?: boolean;
  readonly settle?: string;
  readonly interval?: string;
}

/** What `--once --json` says of in other fields than `changes`. */
const ELSEWHERE: ReadonlySet<WatchEvent['kind']> = new Set(['queued', 'waiting', 'unlisted']);

export const watchCommand = verb(
  'watch',
  'keep the library in step with folders and buckets: read what is there and what arrives',
)
  .argument(
    '[dir...]',
    'folders and s3://bucket/prefix, with all that lies in them (default: `watch` of the configuration file)',
  )
  .option('--include <glob>', 'only files that match; repeat for several', collect)
  .option('--exclude <glob>', 'no file and no folder that matches; repeat for several', collect)
  .addOption(profileOption())
  .option('--tag <tag>', 'put this tag on every video of the folders; repeat for several', collect)
  .option('--once', 'do what there is to do and leave, e.g. from cron')
  .option(
    '--settle <seconds>',
    'how long a file must rest before it is read (default: 10; 30 on a network share); an object is whole',
  )
  .option(
    '--interval <seconds>',
    'how often everything is looked through (default: 60); of a bucket, a request for 1,000 objects',
  )
  .option('--poll', 'only look, for network shares that tell no changes')
  .action((dirs: string[], options: WatchOptions) =>
    withEngine(options, true, async (context) => {
      const { engine } = context;
      if (options.json && !options.once)
        throw new LongwatchError('invalid_input', '`--json` is one document, and a watch has no end.', {
          hint: 'Add --once.',
        });
      const interval = options.interval === undefined ? undefined : seconds('--interval', options.interval, 1);
      const rules = rulesOf(dirs, options, engine.config.watch);
      const lines = new JobLines(context);
      const changes: WatchEvent[] = [];
      const watcher = engine.watch({
        rules,
        leaveOut: await realpath(engine.config.state),
        hints: !options.poll,
        ...(options.settle === undefined ? {} : { settle: seconds('--settle', options.settle, 0) }),
        ...(interval === undefined ? {} : { interval }),
        onEvent: (event) => {
          if (options.once && !ELSEWHERE.has(event.kind)) changes.push(event);
          // At the end all of them are said, as errors.
          if (!(options.once && event.kind === 'unlisted')) lines.say(sentenceOf(event));
        },
      });
      try {
        return options.once
          ? await once(context, rules.length, () => watcher.once(context.signal), changes)
          : await watch(context, rules, interval ?? DEFAULT_INTERVAL, (signal) => watcher.run(signal));
      } finally {
        await lines.close();
      }
    }),
  );

async function watch(
  { terminal, signal }: VerbContext,
  rules: readonly WatchRule[],
  interval: Milliseconds,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const listed = rules.some(({ dir }) => isObjectUrl(dir)) ? ` Buckets are listed every ${interval / 1000} s.` : '';
  terminal.note(`Watching ${rules.map(({ dir }) => visible(dir)).join(', ')}.${listed} Stop with Ctrl-C.`);
  await run(signal);
  terminal.note('Stopped. What was being read goes on from there when it is watched again.');
  return EXIT.done;
}

async function once(
  { engine, terminal, signal }: VerbContext,
  places: number,
  run: () => Promise<WatchReport>,
  changes: readonly WatchEvent[],
): Promise<number> {
  let report: WatchReport;
  try {
    report = await run();
  } catch (error) {
    if (!signal.aborted) throw error;
    terminal.note('Interrupted. What is finished is kept; the same command goes on from there.');
    return EXIT.interrupted;
  }
  const { jobs, waiting, known, failedBefore, unlisted } = report;
  const done = jobs.filter(({ state }) => state === 'done').length;
  terminal.document({
    videos: await Promise.all(jobs.map((job) => outcomeOf(job, engine))),
    changes: changes.map(changeJson),
    waiting: [...waiting].map(([file, why]) => ({ path: file, why })),
    known,
    failed_before: failedBefore,
    unlisted: [...unlisted].map(([place, error]) => ({ place, error: problemJson(error) })),
  });
  const failed = jobs.filter(({ state }) => state === 'failed').length;
  const parts = [`${known} known`, `${done} read`, `${failed} failed`, `${waiting.size} not complete yet`];
  if (failedBefore.length > 0) parts.push(`${failedBefore.length} failed before and did not change`);
  const unfinished = jobs.length - done - failed;
  if (unfinished > 0) parts.push(`${unfinished} paused, queued or cancelled`);
  terminal.note(`${parts.join(', ')}.`);
  for (const error of unlisted.values()) terminal.problem(error);
  if (unlisted.size === places) return EXIT.failed;
  if (failed === 0) return unlisted.size === 0 ? EXIT.done : EXIT.someFailed;
  return failed === jobs.length && unlisted.size === 0 ? EXIT.failed : EXIT.someFailed;
}

async function outcomeOf(job: JobRecord, engine: VerbContext['engine']): Promise<object> {
  const { path: file, state } = job;
  if (job.error && state === 'failed') return { path: file, outcome: state, error: problemJson(errorOf(job)) };
  const video = job.videoId === undefined ? undefined : await engine.library.getVideo(job.videoId);
  return { path: file, outcome: state === 'done' ? 'ingested' : state, ...(video ? { video: videoJson(video) } : {}) };
}

/** The error that a job stored, as the one that was thrown. */
function errorOf({ path: file, error }: JobRecord): LongwatchError {
  const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_TABLE, code);
  const code = error && isCode(error.code) ? error.code : 'internal';
  const details = error?.hint === undefined ? { path: file } : { path: file, hint: error.hint };
  return new LongwatchError(code, error?.detail ?? 'It failed without a reason.', details);
}

function changeJson(event: WatchEvent): object {
  if (!('videoId' in event)) return event;
  const { videoId: video_id, ...rest } = event;
  return { ...rest, video_id };
}

/** What a person reads of an event, or undefined for what is seen anyway. */
export function sentenceOf(event: WatchEvent): string | undefined {
  switch (event.kind) {
    case 'queued':
      return undefined;
    case 'moved':
      return `${event.videoId} moved from ${event.from} to ${event.path}.`;
    case 'copy':
      return `${event.path} is a copy of ${event.of} (${event.videoId}).`;
    case 'back':
      return `${event.videoId} is back at ${event.path}.`;
    case 'tagged':
      return `${event.videoId} carries ${event.tags.map((tag) => `"${tag}"`).join(', ')} now, as ${event.path}.`;
    case 'missing':
      return `${event.videoId} is missing: ${event.path} is not there any more. What was learnt is kept.`;
    case 'waiting':
      return `${event.path} is not complete yet: ${event.why}.`;
    case 'unlisted': {
      const { detail, hint = '' } = event.error;
      return `${detail} Nothing that lies in ${event.place} is called missing, and it is tried again. ${hint}`.trim();
    }
    case 'listed':
      return `${event.place} can be listed again.`;
    case 'remark':
      return event.text;
    default:
      return event satisfies never;
  }
}

function rulesOf(
  dirs: readonly string[],
  options: WatchOptions,
  configured: readonly WatchRule[],
): readonly WatchRule[] {
  const { include = [], exclude = [] } = options;
  const tags = tagSet(options.tag ?? []);
  const profile = options.profile === undefined ? {} : { profile: options.profile };
  if (dirs.length > 0) return dirs.map((dir) => ({ dir: watchedPlace(dir), include, exclude, tags, ...profile }));
  if (configured.length === 0)
    throw new LongwatchError('invalid_input', 'No folder is named.', {
      hint: 'Write `longwatch watch DIR` or `longwatch watch s3://BUCKET/PREFIX`, or `"watch": [{"dir": "…"}]` in the configuration file.',
    });
  return configured.map((rule) => ({
    ...rule,
    ...profile,
    tags: tagSet([...(rule.tags ?? []), ...tags]),
    include: include.length > 0 ? include : rule.include,
    exclude: [...rule.exclude, ...exclude],
  }));
}

function seconds(option: string, text: string, least: number): Milliseconds {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= 86_400) return value * 1000;
  throw new LongwatchError('invalid_input', `${option} cannot be "${text}".`, {
    hint: `Give seconds from ${least} to 86400.`,
  });
}
