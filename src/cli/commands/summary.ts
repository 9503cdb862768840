import { chaptersOf } from '../../../api/export/chapter-list.js';
import { chapterJson } from '../../../api/schema/chapter.js';
import { summaryJson } from '../../../api/schema/summary.js';
import type { VideoRecord } from '../../../index/store/records.js';
import { formatTime, overlaps, type TimeRange } from '../../time.js';
import { type CommonOptions, timeRange, type VerbContext, verb, withEngine } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, visible } from '../terminal.js';

interface SummaryOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

export const summaryCommand = verb(
  'summary',
  'what happens in a video, in a few sentences (its chapters, without a model)',
)
  .argument('<video>', 'id, id prefix or path')
  .option('--from <time>', 'only of what is there from this time on')
  .option('--to <time>', 'only of what is there before this time')
  .action((name: string, options: SummaryOptions) =>
    withEngine(options, false, async (context) => {
      const video = await context.engine.library.findVideo(name);
      const range = timeRange(options.from, options.to);
      const { backend, missing, notice } = await context.engine.model();
      if (notice !== undefined) context.terminal.note(notice);
      return backend ? summarize(context, video, range) : showChapters(context, video, range, missing ?? '');
    }),
  );

async function summarize({ engine, terminal, signal }: VerbContext, video: VideoRecord, range?: TimeRange) {
  const progress = new ProgressLine(terminal, visible(video.title));
  try {
    const summary = await engine.summary(video, {
      signal,
      ...(range ? { range } : {}),
      onProgress: ({ done, asks }) => progress.show({ stage: `question ${done} of ${asks}`, progress: done / asks }),
    });
    progress.end();
    const said = summaryJson(video.id, summary);
    terminal.document(said);
    for (const { start, end, text } of summary.sentences)
      terminal.line(`${terminal.bold(`${formatTime(start)} – ${formatTime(end)}`)}  ${visible(text)}`);
    if (said.note !== undefined) terminal.note(said.note);
    terminal.note(
      `Written by ${summary.model} from ${summary.texts} texts of the library; no frame was looked at again.`,
    );
    return EXIT.done;
  } finally {
    progress.end();
  }
}

/** What can be said without a model. */
async function showChapters(
  { engine, terminal }: VerbContext,
  video: VideoRecord,
  range: TimeRange | undefined,
  missing: string,
) {
  const chapters = [];
  for await (const chapter of chaptersOf(engine.library, video))
    if (!range || overlaps(chapter, range)) chapters.push(chapter);
  const note = `These are the chapters of the video, no summary: there is no model to write one. ${missing}`.trim();
  terminal.document({ video_id: video.id, sentences: [], chapters: chapters.map(chapterJson), note });
  for (const { start, end, title } of chapters)
    terminal.line(`${terminal.bold(`${formatTime(start)} – ${formatTime(end)}`)}  ${visible(title)}`);
  terminal.note(note);
  return EXIT.done;
}
