import { realpath } from 'node:fs/promises';
import { startServer } from '../../../api/server.js';
import type { FolderWatcher, WatchEvent } from '../../../ingest/watch/watcher.js';
import { loadConfig } from '../../config.js';
import { examine } from '../../doctor.js';
import { LongwatchError } from '../../errors.js';
import { publicAddress } from '../../library-address.js';
import { type Engine, openEngine } from '../../main.js';
import { VERSION } from '../../version.js';
import { collect, profileOption, type ReadingOptions, terminalOf, verb } from '../command.js';
import { type Log, logJobs, logWindows, openLog } from '../log.js';
import { stopSignal } from '../stop-signal.js';
import { EXIT } from '../terminal.js';
import { sentenceOf } from './watch.js';

interface ServeOptions extends ReadingOptions {
  readonly host?: string;
  readonly port?: string;
  readonly root?: string[];
  readonly watch?: string[];
  /** False: jobs are left to workers. */
  readonly jobs: boolean;
}

export const serveCommand = verb('serve', 'the API and the page, until it is stopped')
  .option('--host <host>', 'address to listen on (default: 127.0.0.1; any other needs LONGWATCH_TOKEN)')
  .option('--port <n>', 'port to listen on, 0 for any free one (default: 7333)')
  .addOption(profileOption())
  .option(
    '--watch <dir>',
    'a folder, or s3://bucket/prefix, to keep in the library; repeat for several (see `longwatch watch`)',
    collect,
  )
  .option('--root <dir>', 'a folder, or s3://bucket/prefix, that the API may ingest from; repeat for several', collect)
  .option('--no-jobs', 'leave all jobs to other processes (see `longwatch worker`)')
  .action(async (options: ServeOptions) => {
    const terminal = terminalOf(options);
    const config = loadConfig({
      library: options.library,
      config: options.config,
      profile: options.profile,
      host: options.host,
      port: options.port === undefined ? undefined : portNumber(options.port),
      roots: options.root,
      watch: options.watch?.map((dir) => ({ dir })),
    });
    const log = openLog(config, options.quiet ?? false);
    const engine = await openEngine(config, {
      create: true,
      readers: true,
      calls: true,
      ...(options.jobs ? {} : { work: { parts: [] } }),
    });
    try {
      const watcher = config.watch.length === 0 ? undefined : await watcherOf(engine, log);
      await watcher?.requireFolders();
      const server = await startServer(
        {
          library: engine.library,
          searcher: engine.searcher,
          searchByPicture: engine.searchByPicture,
          decoder: await engine.decoder(),
          objects: engine.objects,
          jobs: engine.jobs,
          ask: engine.ask,
          look: engine.look,
          summary: engine.summary,
          models: engine.models,
          modelServers: engine.modelServers,
          examine: () => examine(config),
          estimate: (file, signal) => engine.estimate(file, { signal }),
          watchedPlaces: () => watcher?.places() ?? [],
          config: {
            version: VERSION,
            allowedRoots: config.roots,
            hostNames: config.hosts,
            tokens: config.tokens,
            privateHosts: config.privateHosts,
            ...(config.rateLimit === undefined ? {} : { rateLimit: config.rateLimit }),
            ...(config.token === undefined ? {} : { token: config.token }),
          },
          log,
        },
        { host: config.host, port: config.port },
      );
      engine.jobs.onTrouble((error) => log.warn({ code: error.code, hint: error.hint }, error.message));
      logJobs(engine.jobs, log);
      logWindows(engine.windows, log);
      engine.jobs.takeUpWaiting();
      if (options.jobs) {
        engine.windows.start();
        engine.presence.start();
      }
      engine.standing.start(
        (error, about) => log.warn({ ...about, code: error.code }, error.message),
        (about, message) => log.info(about, message),
      );
      terminal.document({ url: server.url, library: publicAddress(config.library) });
      terminal.line(
        `Longwatch ${VERSION} on ${server.url} (library ${publicAddress(config.library)}). Stop with Ctrl-C.`,
      );
      if (config.roots.length === 0) terminal.note('The API ingests from no folder: give --root DIR to allow one.');
      const watching = new AbortController();
      // That a watch has ended early is logged; the server goes on.
      const watched = watcher
        ?.run(watching.signal)
        .catch((error: unknown) => log.error({ error }, 'the watch has ended'));
      await stopSignal();
      watching.abort();
      await watched;
      await server.close();
    } finally {
      await engine.close();
    }
    process.exitCode = EXIT.done;
  });

const TROUBLE: ReadonlySet<WatchEvent['kind']> = new Set(['unlisted', 'remark']);

/** @throws {LongwatchError} `invalid_input` for a rule that is none */
async function watcherOf(engine: Engine, log: Log): Promise<FolderWatcher> {
  return engine.watch({
    rules: engine.config.watch,
    leaveOut: await realpath(engine.config.state),
    onEvent: (event) => log[TROUBLE.has(event.kind) ? 'warn' : 'info'](event, sentenceOf(event) ?? 'a file was found'),
  });
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new LongwatchError('invalid_input', `--port cannot be "${text}".`, { hint: 'Give a number from 0 to 65535.' });
}
