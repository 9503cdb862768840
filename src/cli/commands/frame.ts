import { writeFile } from 'node:fs/promises';
import { formatTime, parseTime, roundToMilliseconds } from '../../time.js';
import { type CommonOptions, verb, withEngine } from '../command.js';
import { EXIT } from '../terminal.js';

interface FrameOptions extends CommonOptions {
  readonly at: string;
  readonly output: string;
}

export const frameCommand = verb('frame', 'the picture that is on screen at a time, as JPEG')
  .argument('<video>', 'id, id prefix or path')
  .requiredOption('--at <time>', 'time in the video')
  .requiredOption('-o, --output <file>', 'where to write it')
  .action((name: string, options: FrameOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const video = await engine.library.findVideo(name);
      const still = await engine.still(video, parseTime(options.at), signal);
      await writeFile(options.output, still.jpeg);
      terminal.document({
        video_id: video.id,
        time_s: roundToMilliseconds(still.time),
        output: options.output,
        bytes: still.jpeg.length,
      });
      terminal.line(`${options.output}: the frame of ${formatTime(still.time)}`);
      return EXIT.done;
    }),
  );
