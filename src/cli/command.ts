/** What every verb of the command line has in common. */

import { Command, Option } from 'commander';
import { everyPage } from '../../api/export/rows.js';
import type { Library } from '../../index/library.js';
import { type Config, loadConfig } from '../config.js';
import { LongwatchError } from '../errors.js';
import { type Engine, openEngine } from '../main.js';
import { PROFILE_NAMES, type Profile } from '../profile.js';
import { parseTime, type TimeRange } from '../time.js';
import { EXIT, Terminal } from './terminal.js';

/** Options that verbs take, as far as they have a meaning there: `verb`. */
export interface CommonOptions {
  readonly library?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

/** Of verbs that read videos. */
export interface ReadingOptions extends CommonOptions {
  readonly profile?: Profile;
}

export interface VerbContext {
  readonly terminal: Terminal;
  /** Opened for this verb and closed after it. */
  readonly engine: Engine;
  /** Aborts on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal;
}

/** What a verb goes by beside its own arguments: a library and the settings, the settings alone, or nothing. */
export type VerbGround = 'library' | 'settings' | 'nothing';

/** A verb with the common options. One that nothing would come of is not offered: it would be taken and mean nothing. */
export function verb(name: string, description: string, ground: VerbGround = 'library'): Command {
  const command = new Command(name).description(description);
  if (ground === 'library')
    command.option(
      '--library <place>',
      'the library: a folder, or postgres://USER@HOST/DATABASE (default: LONGWATCH_LIBRARY, else ./longwatch-library)',
    );
  if (ground !== 'nothing') command.option('--config <file>', 'settings as JSON');
  return command
    .option('--json', 'one JSON document on stdout and nothing else there')
    .option('--quiet', 'no progress and no remarks')
    .option('--no-color', 'no colours');
}

export function terminalOf(options: CommonOptions): Terminal {
  return new Terminal({
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    color: loadConfig({ color: options.color }).color,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

/** The settings of a verb's options, over environment and file. @throws {LongwatchError} `bad_config` */
export function configOf({ library, config, profile }: ReadingOptions): Config {
  return loadConfig({ library, config, profile });
}

/** Runs a verb that Ctrl-C and SIGTERM abort, and sets the exit code that it returns. */
export async function withSignal<O extends CommonOptions>(
  options: O,
  run: (context: Omit<VerbContext, 'engine'>) => Promise<number>,
): Promise<void> {
  const terminal = terminalOf(options);
  const abort = new AbortController();
  const stop = () => {
    // The second Ctrl-C does not wait.
    if (abort.signal.aborted) process.exit(EXIT.interrupted);
    abort.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    process.exitCode = await run({ terminal, signal: abort.signal });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/**
 * Runs a verb on an opened engine and sets the exit code that it returns.
 * @param create Whether a missing library is made; verbs that only read say `library_not_found` instead.
 */
export function withEngine<O extends ReadingOptions>(
  options: O,
  create: boolean,
  run: (context: VerbContext) => Promise<number>,
): Promise<void> {
  return withSignal(options, async (context) => {
    const engine = await openEngine(configOf(options), { create });
    try {
      return await run({ ...context, engine });
    } finally {
      await engine.close();
    }
  });
}

/** The option that says how much is read from a video. */
export function profileOption(): Option {
  return new Option(
    '--profile <name>',
    'how much is read: fast (signals, words of the file, sound), standard (also speech and text on screen), thorough (text at Full HD)',
  ).choices(PROFILE_NAMES);
}

/** Gathers a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/**
 * The range that `--from` and `--to` mean; a missing side is open.
 * @throws {LongwatchError} `bad_time`, `bad_range`
 */
export function timeRange(from?: string, to?: string): TimeRange | undefined {
  if (from === undefined && to === undefined) return undefined;
  const range = {
    start: from === undefined ? 0 : parseTime(from),
    end: to === undefined ? Number.MAX_SAFE_INTEGER : parseTime(to),
  };
  if (range.end > range.start) return range;
  throw new LongwatchError('bad_range', `--to ${to} is not after --from ${from ?? 0}.`, {
    hint: 'Give the earlier time with --from.',
  });
}

/** The ids of the videos that people name. @throws {LongwatchError} as `findVideo` */
export async function idsOf(library: Library, names: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) ids.push((await library.findVideo(name)).id);
  return ids;
}

/** Every row of a paged listing. */
export async function everyRow<T>(list: Parameters<typeof everyPage<T>>[0]): Promise<T[]> {
  const rows: T[] = [];
  for await (const row of everyPage(list)) rows.push(row);
  return rows;
}
