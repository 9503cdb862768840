import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Option } from 'commander';
import { LongwatchError } from '../../errors.js';
import { formatTime, parseTime, roundToMilliseconds } from '../../time.js';
import { type CommonOptions, verb, withEngine } from '../command.js';
import { EXIT } from '../terminal.js';

const CUTS = ['auto', 'copy', 'encode'] as const;

interface ClipOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly output: string;
  readonly cut: (typeof CUTS)[number];
}

export const clipCommand = verb('clip', 'a stretch of a video as an MP4, exact to the frame')
  .argument('<video>', 'id, id prefix or path')
  .requiredOption('--from <time>', 'its first frame is the one on screen then')
  .requiredOption('--to <time>', 'where it ends')
  .addOption(
    new Option(
      '--cut <how>',
      'copy: the stored frames, from the key frame before; encode: coded again; auto: copied where that is exact',
    )
      .choices(CUTS)
      .default('auto'),
  )
  .requiredOption('-o, --output <file.mp4>', 'where to write it')
  .action((name: string, options: ClipOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const video = await engine.library.findVideo(name);
      const range = { start: parseTime(options.from), end: parseTime(options.to) };
      if (path.extname(options.output).toLowerCase() !== '.mp4')
        throw new LongwatchError('invalid_input', `A clip is an MP4, and ${options.output} does not end in .mp4.`);
      const decoder = await engine.decoder();
      const { firstFrameTime, duration } = video;
      const clip = await decoder.clip(
        video.path,
        await decoder.probe(video.path, { signal }),
        { range, firstFrameTime, duration, cut: options.cut },
        { signal },
      );
      const unfinished = `${options.output}.tmp-${process.pid}`;
      try {
        await pipeline(Readable.from(clip.bytes()), createWriteStream(unfinished, { flush: true }), { signal });
        await rename(unfinished, options.output);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      terminal.document({
        video_id: video.id,
        start_s: roundToMilliseconds(clip.start),
        end_s: roundToMilliseconds(clip.end),
        cut: clip.cut,
        output: options.output,
        bytes: (await stat(options.output)).size,
      });
      const how = clip.cut === 'copy' ? 'stored frames copied' : 'coded again';
      terminal.note(`${formatTime(clip.start)} – ${formatTime(clip.end)}, ${how}`);
      terminal.line(options.output);
      return EXIT.done;
    }),
  );
