import path from 'node:path';
import { libraryRows } from '../../../index/transfer/library-rows.js';
import { transferLibrary } from '../../../index/transfer/transfer.js';
import { isPostgresAddress, publicAddress } from '../../library-address.js';
import { type CommonOptions, verb, withSignal } from '../command.js';
import { EXIT, table } from '../terminal.js';

export const migrateCommand = verb('migrate', 'take a library from a folder to PostgreSQL or back', 'nothing')
  .argument('<from>', 'folder, or postgres://USER@HOST/DATABASE')
  .argument('<to>', 'the same; nothing may be in it')
  .addHelpText(
    'after',
    `
All rows arrive and are compared, or none do: stopped half-way, the target is as it was. The library that is left stays as it is.
End what works on it first. Models and the vector index are not moved: models lie in a folder (LONGWATCH_MODELS), the index is made anew.`,
  )
  .action((from: string, to: string, options: CommonOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const [source, target] = [from, to].map((place) => (isPostgresAddress(place) ? place : path.resolve(place)));
      let shown = '';
      const tables = await transferLibrary(
        await libraryRows(source ?? from, 'source'),
        await libraryRows(target ?? to, 'target'),
        {
          signal,
          onProgress: ({ step, table: name }) => {
            if (shown === `${step} ${name}`) return;
            shown = `${step} ${name}`;
            terminal.note(`${step === 'copy' ? 'copying' : 'comparing'} ${name}`);
          },
        },
      );
      terminal.document({ from: publicAddress(from), to: publicAddress(to), tables });
      for (const row of table(tables.map(({ table: name, rows, sha256 }) => [name, String(rows), sha256.slice(0, 12)])))
        terminal.line(row);
      return EXIT.done;
    }),
  );
