import { problemJson } from '../../../api/schema/problem.js';
import { videoJson } from '../../../api/schema/video.js';
import { findVideoFiles } from '../../../ingest/folder.js';
import { toLongwatchError } from '../../errors.js';
import { formatTime } from '../../time.js';
import { profileOption, type ReadingOptions, type VerbContext, verb, withEngine } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, visible } from '../terminal.js';

interface IngestOptions extends ReadingOptions {
  readonly force?: boolean;
  readonly detach?: boolean;
}

export const ingestCommand = verb(
  'ingest',
  'read videos (files, or folders with all that lies in them) into the library',
)
  .argument('<path...>', 'video files and folders')
  .addOption(profileOption())
  .option('--force', 'do everything again, also what is already there')
  .option('--wait', 'stay until it is done (the default)')
  .option('--detach', 'leave the work to a running `longwatch serve` on the same library (with its profile)')
  .action((paths: string[], options: IngestOptions) =>
    withEngine(options, true, async (context) => {
      const files = await findVideoFiles(paths);
      return options.detach ? queue(context, files) : ingestAll(context, files, options.force ?? false);
    }),
  );

function queue({ engine, terminal }: VerbContext, files: readonly string[]): number {
  const jobs = files.map((file) => engine.jobs.leave(file));
  terminal.document({ jobs: jobs.map((job) => ({ id: job.id, path: job.path })) });
  for (const job of jobs) terminal.line(`${job.id}  ${visible(job.path)}`);
  terminal.note(`${jobs.length} waiting for \`longwatch serve\` on ${engine.config.library}.`);
  return EXIT.done;
}

async function ingestAll(
  { engine, terminal, signal }: VerbContext,
  files: readonly string[],
  force: boolean,
): Promise<number> {
  const report: object[] = [];
  let failed = 0;
  for (const file of files) {
    const progress = new ProgressLine(terminal, visible(file));
    try {
      const { video, outcome, took } = await engine.ingest(file, {
        force,
        signal,
        onProgress: (step) => progress.show(step),
      });
      progress.end();
      report.push({ path: file, outcome, took_ms: Math.round(took), video: videoJson(video) });
      const speed =
        outcome === 'ingested' ? `, ${(video.duration / (took / 1000)).toFixed(1)}x realtime` : ', already there';
      terminal.line(`${video.id}  ${formatTime(video.duration)}  ${visible(video.title)}${speed}`);
      for (const warning of video.warnings) terminal.warn(`${visible(file)}: ${visible(warning)}`);
    } catch (thrown) {
      progress.end();
      if (signal.aborted) {
        terminal.note('Interrupted. What is finished is kept; the same command goes on from there.');
        return EXIT.interrupted;
      }
      failed += 1;
      const error = toLongwatchError(thrown, file);
      report.push({ path: file, outcome: 'failed', error: problemJson(error) });
      terminal.warn(`${visible(file)} was not ingested.`);
      terminal.problem(error);
    }
  }
  terminal.document({ videos: report });
  if (failed === 0) return EXIT.done;
  return failed === files.length ? EXIT.failed : EXIT.someFailed;
}
