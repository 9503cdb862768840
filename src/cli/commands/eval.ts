import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { DEFAULT_GROUND_WINDOWS } from '../../../index/search/parse.js';
import { type Config, loadConfig } from '../../config.js';
import { LongwatchError } from '../../errors.js';
import type { Asker, AskingParts } from '../../eval/asking/asker.js';
import { groundedAsker } from '../../eval/asking/grounded-asker.js';
import { libraryAsker } from '../../eval/asking/library-asker.js';
import { modelAsker } from '../../eval/asking/model-asker.js';
import { type Evaluation, evaluateFile, evaluateRun } from '../../eval/evaluate.js';
import { MediaFolder } from '../../eval/media.js';
import { type Report, reportOf, reportTables } from '../../eval/report.js';
import { type Suite, WAYS, type Way } from '../../eval/suite.js';
import { findSuite, SUITES } from '../../eval/suites/list.js';
import { type Engine, openEngine } from '../../main.js';
import { type CommonOptions, collect, terminalOf, type VerbContext, verb, withSignal } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, type Terminal, table, visible } from '../terminal.js';

interface EvalOptions extends CommonOptions {
  readonly by?: Way;
  readonly limit?: string;
  readonly predictions?: string;
  readonly videos?: string[];
  readonly tokens: string;
  readonly groundWindows?: string;
  readonly snap: boolean;
  readonly output?: string;
}

type Context = Pick<VerbContext, 'terminal' | 'signal'>;

const listCommand = verb('list', 'which suites there are, and which files they read').action(
  // `eval` has the same options and takes them first.
  (_options: CommonOptions, command: Command) => {
    const terminal = terminalOf(command.optsWithGlobals<CommonOptions>());
    terminal.document({
      suites: SUITES.map(({ name, title, expects, kind, ways, published = [] }) => ({
        name,
        title,
        expects,
        kind,
        ways,
        published,
      })),
    });
    for (const line of table(SUITES.map(({ name, title, expects, ways }) => [name, ways.join(' or '), title, expects])))
      terminal.line(line);
  },
);

export const evalCommand = verb('eval', 'score answers on a public benchmark that lies in a folder')
  .argument('<suite>', 'which benchmark: see `longwatch eval list`')
  .argument('<dir>', 'folder of its annotations, videos or pictures')
  .addOption(
    new Option(
      '--by <way>',
      'who answers: the library (ingest, then search), the model alone, or the library grounded by the model',
    ).choices(WAYS),
  )
  .option('--videos <dir>', 'a further folder where videos lie; repeat for several', collect)
  .option('--limit <n>', 'only the first so many items')
  .option('--tokens <n>', 'most visual tokens of one prompt to the model', '4096')
  .option('--ground-windows <n>', 'how many windows the model looks at for a question with --by grounded (default: 5)')
  .option('--no-snap', 'with --by grounded, leave edges where the model says')
  .option('--predictions <file>', 'score these answers (NDJSON) and ask nobody')
  .option('-o, --output <dir>', 'folder of answers and report (default: ./longwatch-eval/SUITE)')
  .addHelpText(
    'after',
    `
Answers are kept in OUTPUT/predictions.ndjson as they come; the same command goes on from there. Videos are ingested into OUTPUT/library
unless --library names another one. Formats and metrics: docs/accuracy.md.`,
  )
  .addCommand(listCommand.exitOverride())
  .action((name: string, directory: string, options: EvalOptions) =>
    withSignal(options, async (context) => {
      const suite = findSuite(name);
      const output = path.resolve(options.output ?? path.join('longwatch-eval', suite.name));
      const limit = options.limit === undefined ? undefined : wholeNumber('--limit', options.limit);
      const folder = await MediaFolder.open(directory, options.videos ?? [], output);
      const what = { suite, folder, signal: context.signal, ...(limit === undefined ? {} : { limit }) };
      const evaluation =
        options.predictions === undefined
          ? await run(context, what, output, options)
          : await evaluateFile(what, options.predictions);
      const report = reportOf(suite, evaluation);
      await mkdir(output, { recursive: true });
      await writeFile(path.join(output, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
      context.terminal.document(report);
      print(context.terminal, report, output);
      if (evaluation.interrupted) return EXIT.interrupted;
      return evaluation.failures.length > 0 ? EXIT.someFailed : EXIT.done;
    }),
  );

async function run(
  { terminal }: Context,
  what: { readonly suite: Suite; readonly folder: MediaFolder; readonly limit?: number; readonly signal: AbortSignal },
  output: string,
  options: EvalOptions,
): Promise<Evaluation> {
  const way = options.by ?? what.suite.ways[0];
  if (!what.suite.ways.includes(way)) {
    throw new LongwatchError('invalid_input', `${what.suite.name} cannot be answered by ${WORDS[way]}.`, {
      hint: `Leave --by out, or give ${what.suite.ways.join(' or ')}.`,
    });
  }
  const tokens = wholeNumber('--tokens', options.tokens);
  const progress = new ProgressLine(terminal, what.suite.name);
  const opened: Engine[] = [];
  const openAsker = async () => {
    const engine = await openEngine(configOf(options, output), { create: true });
    opened.push(engine);
    const { notice } = await engine.model();
    if (notice !== undefined) terminal.note(notice);
    const onIngest = (file: string, part: number) =>
      progress.show({ stage: `reading ${visible(path.basename(file))}`, progress: part });
    const { snap, groundWindows: windows } = options;
    const groundWindows = windows === undefined ? DEFAULT_GROUND_WINDOWS : wholeNumber('--ground-windows', windows);
    const parts = { engine, tokens, groundWindows, snap, onIngest };
    return openWay(way, parts, what.folder);
  };
  try {
    return await evaluateRun(what, openAsker, path.join(output, 'predictions.ndjson'), (done, total) =>
      progress.show({ stage: `item ${done + 1} of ${total}`, progress: done / total }),
    );
  } finally {
    progress.end();
    for (const engine of opened) await engine.close();
  }
}

const WORDS: Readonly<Record<Way, string>> = {
  library: 'the library',
  model: 'the model',
  grounded: 'the library grounded by the model',
};

function openWay(way: Way, parts: AskingParts, folder: MediaFolder): Promise<Asker> {
  switch (way) {
    case 'library':
      return libraryAsker(parts);
    case 'model':
      return modelAsker(parts, folder);
    case 'grounded':
      return groundedAsker(parts);
    default:
      return way satisfies never;
  }
}

/** The user's settings and models, with a library of the evaluation's own: thousands of clips do not belong among somebody's videos. */
function configOf(options: EvalOptions, output: string): Config {
  const config = loadConfig({ library: options.library, config: options.config });
  if (options.library !== undefined) return config;
  const folder = path.join(output, 'library');
  return { ...config, library: folder, state: folder };
}

function print(terminal: Terminal, report: Report, output: string): void {
  for (const { title, rows } of reportTables(report)) {
    terminal.line(terminal.bold(visible(title)));
    for (const line of table(rows)) terminal.line(`  ${visible(line)}`);
    terminal.line();
  }
  const { items } = report;
  terminal.line(
    `${items.scored} of ${items.total} items scored, ${items.answered} answered. Report: ${path.join(output, 'report.json')}`,
  );
  if (items.missing_media > 0)
    terminal.warn(
      `${items.missing_media} items have no video in the folder and count nowhere, e.g. ${report.missing_media[0]}.`,
    );
  if (items.unknown_predictions > 0) terminal.warn(`${items.unknown_predictions} predictions belong to no item.`);
  for (const { id, error } of report.failures.slice(0, 5))
    terminal.warn(`${id} was not answered: ${error.detail} [${error.code}]`);
  if (items.failed > 0)
    terminal.warn(`${items.failed} items failed and count as not answered; the same command asks them again.`);
  if (report.interrupted) terminal.note('Interrupted. The same command goes on from here.');
}

function wholeNumber(name: string, text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new LongwatchError('invalid_input', `${name} cannot be "${text}".`, { hint: 'Give a whole number above 0.' });
}
