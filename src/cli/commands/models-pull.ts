import path from 'node:path';
import { loadConfig } from '../../config.js';
import { parseQwenConfig } from '../../qwen/config.js';
import { pullCheckpoint } from '../../weights/pull.js';
import { checkpointFolderName, parseCheckpointName } from '../../weights/source.js';
import { type CommonOptions, verb, withSignal } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, visible } from '../terminal.js';

interface PullOptions extends CommonOptions {
  readonly models?: string;
  readonly endpoint?: string;
  readonly output?: string;
  readonly acceptLicence?: boolean;
}

export const pullCommand = verb('pull', 'fetch a published checkpoint; goes on where it stopped, checks every byte')
  .argument('<name>', 'qwen2.5-vl-3b, qwen2.5-vl-7b, qwen2.5-vl-72b, or owner/name; with @revision for a certain one')
  .option('--models <dir>', 'the folder of models (default: models in the library)')
  .option('--endpoint <url>', 'address of a mirror (default: LONGWATCH_HUB, else the public model hub)')
  .option('-o, --output <dir>', 'where to put it (default: checkpoints in the folder of models)')
  .option(
    '--accept-licence',
    'you have read the licence and agree; needed where it is not a permissive one (3B: non-commercial)',
  )
  .action((name: string, options: PullOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const config = loadConfig({ library: options.library, models: options.models, config: options.config });
      const directory = path.resolve(
        options.output ?? path.join(config.models, 'checkpoints', checkpointFolderName(parseCheckpointName(name))),
      );
      const line = new ProgressLine(terminal, visible(name));
      try {
        const pulled = await pullCheckpoint(name, {
          directory,
          endpoint: options.endpoint ?? config.hub.endpoint,
          token: config.hub.token,
          acceptLicence: options.acceptLicence ?? false,
          onLicence: (licence) => terminal.note(`Licence: ${visible(licence.name)}. ${visible(licence.summary)}`),
          checkConfig: (json) => parseQwenConfig(json, undefined, name),
          onProgress: ({ doneBytes, totalBytes, bytesPerSecond, etaSeconds }) =>
            line.show({
              stage: `${(doneBytes / 1e9).toFixed(2)} of ${(totalBytes / 1e9).toFixed(2)} GB, ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`,
              progress: totalBytes === 0 ? 0 : doneBytes / totalBytes,
              ...(etaSeconds === undefined ? {} : { eta: etaSeconds * 1000 }),
            }),
          signal,
        });
        line.end();
        terminal.document({ directory, already_there: pulled.alreadyThere });
        terminal.line(directory);
        terminal.note(`Build it: longwatch models add ${directory}`);
        return EXIT.done;
      } finally {
        line.end();
      }
    }),
  );
