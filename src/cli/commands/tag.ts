import { tagSet } from '../../tag.js';
import { type CommonOptions, collect, type VerbContext, verb, withEngine } from '../command.js';
import { EXIT, table, visible } from '../terminal.js';

interface TagOptions extends CommonOptions {
  readonly remove?: string[];
}

export const tagCommand = verb('tag', 'words that sort videos: put them on one and take them away, or list them')
  .argument('[video]', 'id, id prefix or path; none: every tag of the library')
  .argument('[tag...]', 'tags to put on it; none: what it carries')
  .option('--remove <tag>', 'take this tag from it; repeat for several', collect)
  .action((name: string | undefined, tags: string[], { remove = [], ...options }: TagOptions) =>
    withEngine(options, false, async (context) => {
      if (name === undefined) return listTags(context);
      const { library } = context.engine;
      const change = { add: tagSet(tags), remove: tagSet(remove) };
      const video = await library.findVideo(name);
      const isChange = tags.length > 0 || remove.length > 0;
      const { id, title, tags: carried } = isChange ? await library.tagVideo(video.id, change) : video;
      context.terminal.document({ id, tags: carried });
      context.terminal.line(
        `${id}  ${visible(title)}${carried.length === 0 ? '' : `  ${visible(carried.join(', '))}`}`,
      );
      return EXIT.done;
    }),
  );

async function listTags({ engine, terminal }: VerbContext): Promise<number> {
  const tags = await engine.library.tags();
  terminal.document({ tags });
  for (const row of table(
    tags.map(({ tag, videos }) => [visible(tag), `${videos} ${videos === 1 ? 'video' : 'videos'}`]),
  ))
    terminal.line(row);
  if (tags.length === 0) terminal.note('No video carries a tag. `longwatch tag VIDEO TAG` puts one on.');
  return EXIT.done;
}
