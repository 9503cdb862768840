import { estimateJson } from '../../../api/schema/estimate.js';
import { problemJson } from '../../../api/schema/problem.js';
import { findVideoFiles } from '../../../ingest/folder.js';
import { LongwatchError, toLongwatchError } from '../../errors.js';
import { estimateIngest, type IngestEstimate } from '../../estimate.js';
import { openParts } from '../../parts.js';
import { formatTime, type Milliseconds } from '../../time.js';
import { configOf, profileOption, type ReadingOptions, verb, withSignal } from '../command.js';
import { EXIT, type Terminal, visible } from '../terminal.js';

export const estimateCommand = verb('estimate', 'how long an ingest will take on this machine, and what it costs')
  .argument('<path...>', 'video files and folders')
  .addOption(profileOption())
  .action((paths: string[], options: ReadingOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const parts = openParts(configOf(options));
      const files = await findVideoFiles(paths, parts.objects);
      try {
        const pipeline = await parts.pipeline();
        const report: object[] = [];
        const estimates: IngestEstimate[] = [];
        for (const file of files) {
          terminal.note(`Trying ${visible(file)} …`);
          try {
            const estimate = await estimateIngest(pipeline, file, { signal });
            estimates.push(estimate);
            report.push(estimateJson(estimate));
            show(estimate, terminal);
          } catch (thrown) {
            if (signal.aborted) throw thrown;
            const error = toLongwatchError(thrown, file);
            report.push({ path: file, error: problemJson(error) });
            terminal.problem(error);
          }
        }
        terminal.document({ estimates: report });
        if (estimates.length > 1) {
          const sum = (of: (estimate: IngestEstimate) => number) => estimates.reduce((all, one) => all + of(one), 0);
          terminal.line(
            `Together: ${formatTime(sum(({ duration }) => duration))} of video in about ${span(sum(({ took }) => took))}, ${megabytes(sum(({ diskBytes }) => diskBytes))}`,
          );
        }
        if (estimates.length === files.length) return EXIT.done;
        return estimates.length === 0 ? EXIT.failed : EXIT.someFailed;
      } catch (error) {
        if (signal.aborted) throw new LongwatchError('cancelled', 'The estimate was interrupted.', { cause: error });
        throw error;
      } finally {
        await parts.close();
      }
    }),
  );

function show({ path, duration, took, stages, skipped, tokens, diskBytes }: IngestEstimate, terminal: Terminal): void {
  terminal.line(
    `${visible(path)}: ${formatTime(duration)} of video in about ${span(took)}, ${megabytes(diskBytes)}${tokens > 0 ? `, ${tokens} visual tokens` : ''}`,
  );
  for (const { name, took: part, speed, beside } of stages) {
    if (beside) terminal.line(`  ${name}: in the time of ${beside}`);
    else if (part === undefined) terminal.line(`  ${name}: too slow to tell from a short try`);
    else terminal.line(`  ${name}: ${span(part)} (${speed.toFixed(1)}x realtime)`);
  }
  for (const [name, why] of Object.entries(skipped)) terminal.line(`  ${name}: left out. ${visible(why)}`);
}

/** An estimate has no milliseconds. */
function span(took: Milliseconds): string {
  return formatTime(Math.round(took / 1000)).replace(/\.000$/, '');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB on the disk`;
}
