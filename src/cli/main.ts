#!/usr/bin/env node
/** The command line: verbs, their help and their exit codes. */

import { Command, CommanderError } from 'commander';
import { problemJson } from '../../api/schema/problem.js';
import { toLongwatchError } from '../errors.js';
import { VERSION } from '../version.js';
import { askCommand } from './commands/ask.js';
import { benchCommand } from './commands/bench.js';
import { backupCommand, checkCommand, rebuildIndexCommand } from './commands/check.js';
import { clipCommand } from './commands/clip.js';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { estimateCommand } from './commands/estimate.js';
import { evalCommand } from './commands/eval.js';
import { eventsCommand } from './commands/events.js';
import { exportCommand } from './commands/export.js';
import { frameCommand } from './commands/frame.js';
import { ingestCommand } from './commands/ingest.js';
import { jobsCommand } from './commands/jobs.js';
import { listCommand } from './commands/list.js';
import { lookCommand } from './commands/look.js';
import { migrateCommand } from './commands/migrate.js';
import { modelsCommand } from './commands/models.js';
import { removeCommand } from './commands/remove.js';
import { searchCommand } from './commands/search.js';
import { serveCommand } from './commands/serve.js';
import { showCommand } from './commands/show.js';
import { summaryCommand } from './commands/summary.js';
import { tagCommand } from './commands/tag.js';
import { watchCommand } from './commands/watch.js';
import { workerCommand } from './commands/worker.js';
import { EXIT, Terminal } from './terminal.js';

const program = new Command('longwatch')
  .description('When does X happen? Finds moments in hours of video, on your own machine.')
  .version(VERSION)
  .showHelpAfterError('(longwatch --help, or longwatch <verb> --help)')
  .addHelpText(
    'after',
    `
Times are seconds (90.5) or clock times (1:30, 01:01:30.250). A video is named by its id, the start of its id, or its path.
Exit codes: 0 done, 1 failed, 2 usage, 3 some of several inputs failed, 4 nothing found, 130 interrupted (run it again to go on).`,
  );

for (const command of [
  demoCommand,
  ingestCommand,
  estimateCommand,
  watchCommand,
  jobsCommand,
  searchCommand,
  askCommand,
  listCommand,
  tagCommand,
  lookCommand,
  showCommand,
  summaryCommand,
  eventsCommand,
  exportCommand,
  clipCommand,
  frameCommand,
  removeCommand,
  serveCommand,
  workerCommand,
  modelsCommand,
  evalCommand,
  benchCommand,
  doctorCommand,
  checkCommand,
  backupCommand,
  rebuildIndexCommand,
  migrateCommand,
]) {
  program.addCommand(command.exitOverride());
}

// A reader that has seen enough (`longwatch list | head`) closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});

try {
  await program.exitOverride().parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    const error = toLongwatchError(thrown);
    const terminal = new Terminal({
      json: process.argv.includes('--json'),
      quiet: false,
      color: !process.argv.includes('--no-color'),
      stdout: process.stdout,
      stderr: process.stderr,
    });
    terminal.document({ error: problemJson(error) });
    terminal.problem(error);
    if (error.code === 'internal') process.stderr.write(`${error.stack ?? ''}\n`);
    process.exitCode = exitCodeOf(error.code);
  }
}

function exitCodeOf(code: string): number {
  if (code === 'cancelled') return EXIT.interrupted;
  return code === 'bad_time' || code === 'bad_range' || code === 'invalid_input' || code === 'bad_config'
    ? EXIT.usage
    : EXIT.failed;
}
