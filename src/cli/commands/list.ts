import { videoJson } from '../../../api/schema/video.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, everyRow, verb, withEngine } from '../command.js';
import { EXIT, table, visible } from '../terminal.js';

export const listCommand = verb('list', 'what is in the library').action((options: CommonOptions) =>
  withEngine(options, false, async ({ engine, terminal }) => {
    const videos = await everyRow((page) => engine.library.listVideos(page));
    terminal.document({ videos: videos.map(videoJson) });
    for (const row of table(
      videos.map((video) => [video.id, formatTime(video.duration), video.state, visible(video.title)]),
    ))
      terminal.line(row);
    if (videos.length === 0) terminal.note('The library is empty. `longwatch ingest FILE` puts a video in.');
    return EXIT.done;
  }),
);
