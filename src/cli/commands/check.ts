import { type CommonOptions, verb, withEngine } from '../command.js';
import { EXIT, table } from '../terminal.js';

export const checkCommand = verb('check', 'is the library whole? repairs nothing').action((options: CommonOptions) =>
  withEngine(options, false, async ({ engine, terminal }) => {
    const report = await engine.library.check();
    terminal.document(report);
    for (const row of table(report.checks.map((check) => [check.ok ? 'ok' : 'DAMAGED', check.name, check.detail])))
      terminal.line(row);
    return report.ok ? EXIT.done : EXIT.failed;
  }),
);

export const backupCommand = verb('backup', 'a consistent copy of the library while it is in use')
  .argument('<file>', 'where to write the copy')
  .action((file: string, options: CommonOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      await engine.library.backup(file);
      terminal.document({ output: file });
      terminal.line(file);
      return EXIT.done;
    }),
  );

export const rebuildIndexCommand = verb('rebuild-index', 'make the vector index anew from the store').action(
  (options: CommonOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      await engine.library.rebuildIndex();
      const { embeddings } = await engine.library.stats();
      terminal.document({ embeddings });
      terminal.line(`${embeddings} embeddings indexed.`);
      return EXIT.done;
    }),
);
