import { videoJson } from '../../../api/schema/video.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, collect, everyRow, verb, withEngine } from '../command.js';
import { EXIT, table, visible } from '../terminal.js';

interface ListOptions extends CommonOptions {
  readonly tag?: string[];
}

export const listCommand = verb('list', 'what is in the library')
  .option('--tag <tag>', 'only videos that carry this tag; repeat it: all of them', collect)
  .action(({ tag: tags = [], ...options }: ListOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      const videos = await everyRow((page) => engine.library.listVideos({ ...page, tags }));
      terminal.document({ videos: videos.map(videoJson) });
      const tagged = videos.some((video) => video.tags.length > 0);
      for (const row of table(
        videos.map((video) => [
          video.id,
          formatTime(video.duration),
          video.state,
          visible(video.title),
          ...(tagged ? [visible(video.tags.join(', '))] : []),
        ]),
      ))
        terminal.line(row);
      if (videos.length === 0)
        terminal.note(
          tags.length > 0
            ? 'No video carries that. `longwatch tag` lists the tags.'
            : 'The library is empty. `longwatch ingest FILE` puts a video in.',
        );
      return EXIT.done;
    }),
  );
