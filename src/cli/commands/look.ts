import { readFile } from 'node:fs/promises';
import { Argument } from 'commander';
import { lookJson } from '../../../api/schema/look.js';
import { LongwatchError } from '../../errors.js';
import { LOOKS, type Look } from '../../look-request.js';
import { parseTime } from '../../time.js';
import { type CommonOptions, timeRange, verb, withEngine } from '../command.js';
import { EXIT } from '../terminal.js';

interface LookOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly at?: string;
  readonly schema?: string;
}

export const lookCommand = verb(
  'look',
  'ask the model about a stretch (caption, events, ground, answer) or a moment (boxes, points, lines, form, act)',
)
  .argument('<video>', 'id, id prefix or path')
  .addArgument(new Argument('<look>', 'what to ask').choices(LOOKS))
  .argument('[words]', 'what is looked for or asked; the goal of act')
  .option('--from <time>', 'start of the stretch')
  .option('--to <time>', 'end of the stretch, at most 120 s later')
  .option('--at <time>', 'the moment')
  .option('--schema <file>', 'JSON schema of a form')
  .action((name: string, look: Look, words: string | undefined, options: LookOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const video = await engine.library.findVideo(name);
      const range = timeRange(options.from, options.to);
      const { notice } = await engine.model();
      if (notice !== undefined) terminal.note(notice);
      const result = await engine.look(
        video,
        {
          look,
          ...(words === undefined ? {} : { words }),
          ...(range === undefined ? {} : { range }),
          ...(options.at === undefined ? {} : { at: parseTime(options.at) }),
          ...(options.schema === undefined ? {} : { schema: await readSchema(options.schema) }),
        },
        signal,
      );
      const said = lookJson(video.id, result);
      terminal.document(said);
      terminal.line(JSON.stringify(said.result, null, 2));
      return EXIT.done;
    }),
  );

async function readSchema(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new LongwatchError('invalid_input', `${file} is no JSON schema: ${(cause as Error).message}`, {
      cause,
      path: file,
    });
  }
}
