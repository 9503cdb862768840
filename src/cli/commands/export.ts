import { createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InvalidArgumentError, Option } from 'commander';
import { EXPORT_FORMAT_NAMES, EXPORT_FORMATS, type ExportFormatName } from '../../../api/export/formats.js';
import { LAYERS, type Layer } from '../../../api/export/layer.js';
import { READING_SPEED_MAX, ReadingTally } from '../../../api/export/reading-speed.js';
import { failpoint } from '../../failpoint.js';
import { isProcessAlive } from '../../process.js';
import { formatTime, parseTime } from '../../time.js';
import { type CommonOptions, verb, withEngine } from '../command.js';
import { EXIT, type Terminal } from '../terminal.js';

interface ExportOptions extends CommonOptions {
  readonly format: ExportFormatName;
  readonly layer?: Layer;
  readonly output?: string;
  readonly targetCount?: number;
  readonly minLength?: string;
}

export const exportCommand = verb('export', 'subtitles, chapters or data of one video')
  .argument('<video>', 'id, id prefix or path')
  .addOption(new Option('--format <format>', 'what to write').choices(EXPORT_FORMAT_NAMES).makeOptionMandatory())
  .addOption(new Option('--layer <layer>', 'which layer (default: the one that suits the format)').choices([...LAYERS]))
  .option(
    '--target-count <n>',
    'of a summary: at most so many chapters, of even length; shots that go together are titled by a line of the film',
    wholeNumber,
  )
  .option('--min-length <time>', 'of a summary: no chapter is shorter')
  .option('-o, --output <file>', 'where to write it (default: stdout)')
  .action((name: string, options: ExportOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const video = await engine.library.findVideo(name);
      const format = EXPORT_FORMATS[options.format];
      const layer = options.layer ?? (await format.defaultLayer(engine.library, video));
      const tally = new ReadingTally();
      const text = format.render(engine.library, video, layer, {
        onCue: (cue) => tally.count(cue),
        targetCount: options.targetCount,
        minLength: options.minLength === undefined ? undefined : parseTime(options.minLength),
      });
      if (options.output === undefined) {
        for await (const piece of text) await terminal.write(piece);
        sayFastCues(terminal, tally);
        return EXIT.done;
      }
      await writeWhole(options.output, text, signal);
      terminal.document({
        video_id: video.id,
        format: options.format,
        layer,
        output: options.output,
        ...(tally.cues === 0
          ? {}
          : { cues: tally.cues, fast_cues: tally.fast, reading_speed_max_cps: READING_SPEED_MAX }),
      });
      terminal.line(options.output);
      sayFastCues(terminal, tally);
      return EXIT.done;
    }),
  );

/** What somebody who makes subtitles has to look at. */
function sayFastCues(terminal: Terminal, { cues, fast, fastest, fastestStartMs }: ReadingTally): void {
  if (fast === 0) return;
  const at = formatTime(fastestStartMs / 1000);
  terminal.note(
    `${fast} of ${cues} cues are faster to read than ${READING_SPEED_MAX} characters a second (the fastest, ${fastest.toFixed(1)}, at ${at}).`,
  );
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('Give a whole number of 1 or more.');
}

/** Writes beside the target and renames, so that the target is either the old file or the whole new one. */
async function writeWhole(file: string, text: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  const unfinished = `${file}.tmp-${process.pid}`;
  await removeDeadDrafts(file);
  try {
    await pipeline(Readable.from(text), createWriteStream(unfinished, { flush: true }), { signal });
    failpoint('export_tmp');
    await rename(unfinished, file);
    failpoint('export_rename');
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Drafts of processes that were killed while they wrote to this file. */
async function removeDeadDrafts(file: string): Promise<void> {
  const folder = path.dirname(file);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, target, writer] = /^(.*)\.tmp-([1-9]\d*)$/.exec(name) ?? [];
    if (target === path.basename(file) && !isProcessAlive(Number(writer))) await rm(path.join(folder, name));
  }
}
