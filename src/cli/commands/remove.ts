import type { VideoRecord } from '../../../index/store/records.js';
import { type CommonOptions, verb, withEngine } from '../command.js';
import { EXIT, visible } from '../terminal.js';

export const removeCommand = verb('remove', 'forget videos; the files themselves stay')
  .argument('<video...>', 'ids, id prefixes or paths')
  .action((names: string[], options: CommonOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      // All names are looked up before the first removal: a wrong name removes nothing.
      const videos: VideoRecord[] = [];
      for (const name of names) videos.push(await engine.library.findVideo(name));
      for (const video of videos) await engine.library.removeVideo(video.id);
      terminal.document({ removed: videos.map((video) => video.id) });
      for (const video of videos) terminal.line(`${video.id}  ${visible(video.title)}`);
      return EXIT.done;
    }),
  );
