import { setTimeout as pause } from 'node:timers/promises';
import { problemJson } from '../../../api/schema/problem.js';
import { videoJson } from '../../../api/schema/video.js';
import { findVideoFiles } from '../../../ingest/folder.js';
import type { JobRecord } from '../../../ingest/jobs/job.js';
import { DEFAULT_PRIORITY } from '../../../ingest/jobs/job.js';
import { canonicalPlace } from '../../../ingest/media.js';
import { toLongwatchError } from '../../errors.js';
import { publicAddress } from '../../library-address.js';
import type { PartCost } from '../../pipeline.js';
import { tagSet } from '../../tag.js';
import { formatTime, type Milliseconds } from '../../time.js';
import { collect, profileOption, type ReadingOptions, type VerbContext, verb, withEngine } from '../command.js';
import { parsePriority } from '../priority.js';
import { ProgressLine } from '../progress.js';
import { EXIT, visible } from '../terminal.js';

/** How often a file is asked for that another process is at. */
const ASK_AGAIN: Milliseconds = 1_000;

interface IngestOptions extends ReadingOptions {
  readonly force?: boolean;
  readonly detach?: boolean;
  readonly priority?: string;
  readonly tag?: string[];
}

export const ingestCommand = verb(
  'ingest',
  'read videos (files, or folders with all that lies in them) into the library',
)
  .argument('<path...>', 'video files and folders; s3://bucket/key and s3://bucket/folder/ too')
  .addOption(profileOption())
  .option('--force', 'do everything again, also what is already there')
  .option('--tag <tag>', 'put this tag on the videos, beside those that they carry; repeat for several', collect)
  .option('--wait', 'stay until it is done (the default)')
  .option('--detach', 'leave the work to a running `longwatch serve` on the same library, with this profile')
  .option('--priority <n>', 'with --detach: from -100 to 100, higher ones first (default: 0)')
  .action((paths: string[], options: IngestOptions) =>
    withEngine(options, true, async (context) => {
      const files = await findVideoFiles(paths, context.engine.objects);
      const priority = parsePriority(options.priority ?? String(DEFAULT_PRIORITY));
      const tags = tagSet(options.tag ?? []);
      return options.detach
        ? queue(context, files, { priority, tags })
        : ingestAll(context, files, { force: options.force ?? false, tags });
    }),
  );

async function queue(
  { engine, terminal }: VerbContext,
  files: readonly string[],
  settings: { readonly priority: number; readonly tags: readonly string[] },
): Promise<number> {
  const places = await Promise.all(files.map(canonicalPlace));
  const jobs: JobRecord[] = [];
  for (const file of places) jobs.push(await engine.jobs.leave(file, settings));
  terminal.document({ jobs: jobs.map((job) => ({ id: job.id, path: job.path })) });
  for (const job of jobs) terminal.line(`${job.id}  ${visible(job.path)}`);
  terminal.note(`${jobs.length} waiting for \`longwatch serve\` on ${publicAddress(engine.config.library)}.`);
  return EXIT.done;
}

async function ingestAll(
  { engine, terminal, signal }: VerbContext,
  files: readonly string[],
  options: { readonly force: boolean; readonly tags: readonly string[] },
): Promise<number> {
  const report: object[] = [];
  let failed = 0;
  /** Files that another process was at come again at the end. */
  const left = [...files];
  const postponed = new Set<string>();
  for (let file = left.shift(); file !== undefined; file = left.shift()) {
    if (postponed.has(file)) await pause(ASK_AGAIN, undefined, { signal }).catch(() => undefined);
    const progress = new ProgressLine(terminal, visible(file));
    try {
      const { video, outcome, took, parts } = await engine.ingest(file, {
        ...options,
        signal,
        onProgress: (step) => progress.show(step),
      });
      progress.end();
      report.push({
        path: file,
        outcome,
        took_ms: Math.round(took),
        parts: parts.map(({ name, took, beside }) => ({ name, took_ms: Math.round(took), ...(beside && { beside }) })),
        video: videoJson(video),
      });
      const speed =
        outcome === 'ingested' ? `, ${(video.duration / (took / 1000)).toFixed(1)}x realtime` : ', already there';
      terminal.line(`${video.id}  ${formatTime(video.duration)}  ${visible(video.title)}${speed}`);
      if (parts.some(({ name }) => name !== 'windows')) {
        const cost = ({ name, took, beside }: PartCost) =>
          beside ? `${name} in the time of ${beside}` : `${name} ${(took / 1000).toFixed(1)} s`;
        terminal.note(parts.map(cost).join(', '));
      }
      for (const [name, { state, note }] of Object.entries(video.stages))
        if (state === 'failed') terminal.warn(`${visible(file)}: ${name} failed. ${visible(note ?? '')}`);
      for (const warning of video.warnings) terminal.warn(`${visible(file)}: ${visible(warning)}`);
    } catch (thrown) {
      progress.end();
      if (signal.aborted) {
        terminal.note('Interrupted. What is finished is kept; the same command goes on from there.');
        return EXIT.interrupted;
      }
      const error = toLongwatchError(thrown, file);
      if (error.retry === 'later') {
        if (!postponed.has(file)) terminal.note(`${visible(file)}: another process is at it; it comes later.`);
        postponed.add(file);
        left.push(file);
        continue;
      }
      failed += 1;
      report.push({ path: file, outcome: 'failed', error: problemJson(error) });
      terminal.warn(`${visible(file)} was not ingested.`);
      terminal.problem(error);
    }
  }
  terminal.document({ videos: report });
  if (failed === 0) return EXIT.done;
  return failed === files.length ? EXIT.failed : EXIT.someFailed;
}
