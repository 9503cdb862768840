import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Option } from 'commander';
import { type CommonOptions, verb, withSignal } from '../command.js';
import { showFilm } from '../demo/film.js';
import { showHour } from '../demo/hour.js';
import { EXIT } from '../terminal.js';

const PARTS = ['film', 'hour'] as const;

interface DemoOptions extends CommonOptions {
  readonly part?: (typeof PARTS)[number];
  readonly keep?: boolean;
}

export const demoCommand = verb(
  'demo',
  'the tour: reads a real film and a drawn hour, asks a few questions, prints the answers with their times',
  'settings',
)
  .addOption(
    new Option('--part <part>', 'only the real film, or only the drawn hour with the small model').choices(PARTS),
  )
  .option('--keep', 'keep the libraries and say where they are')
  .action((options: DemoOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-demo-'));
      try {
        const part = { terminal, folder, config: options.config, signal };
        const film = options.part === 'hour' ? undefined : await showFilm(part);
        if (film) terminal.line();
        const hour = options.part === 'film' ? undefined : await showHour(part);
        terminal.document({ ...film, ...(hour && { drawn_hour: hour }) });
        terminal.line();
        if (options.keep) {
          if (film) terminal.line(`Kept: longwatch serve --library ${path.join(folder, 'library')}`);
          if (hour)
            terminal.line(
              `Kept: LONGWATCH_MODELS=${path.join(folder, 'models')} LONGWATCH_MODEL=nano longwatch serve --library ${path.join(folder, 'drawn-library')}`,
            );
        } else terminal.line('Your own: longwatch ingest FILE, then longwatch search "…"');
      } finally {
        if (!options.keep) await rm(folder, { recursive: true, force: true });
      }
      return EXIT.done;
    }),
  );
