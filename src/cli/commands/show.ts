import { segmentJson } from '../../../api/schema/segment.js';
import { videoJson } from '../../../api/schema/video.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, everyRow, verb, withEngine } from '../command.js';
import { EXIT, table, visible } from '../terminal.js';

interface ShowOptions extends CommonOptions {
  readonly plan?: boolean;
}

export const showCommand = verb('show', 'what is known about one video')
  .argument('<video>', 'id, id prefix or path')
  .option('--plan', 'also its windows and the frames that each rests on')
  .action((name: string, options: ShowOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      const video = await engine.library.findVideo(name);
      const segments = options.plan ? await everyRow((page) => engine.library.segments(video.id, page)) : [];
      const withEvents = [];
      for (const segment of segments) {
        const events = await everyRow((page) => engine.library.events(video.id, { ...page, range: segment }));
        withEvents.push(segmentJson(segment, events));
      }
      terminal.document({
        ...videoJson(video),
        ...(options.plan ? { segments: withEvents } : {}),
      });
      const { fps } = video;
      const facts: [string, string][] = [
        ['id', video.id],
        ['title', visible(video.title)],
        ['path', visible(video.path)],
        ...(video.tags.length === 0 ? [] : [['tags', visible(video.tags.join(', '))] as [string, string]]),
        ['state', video.state + (video.error ? `: ${visible(video.error.detail)}` : '')],
        ['length', formatTime(video.duration)],
        ['picture', `${video.width}x${video.height}, ${video.codec} in ${video.container}`],
        [
          'frame rate',
          fps.variable ? `${fps.min.toFixed(3)}–${fps.max.toFixed(3)} fps, variable` : `${fps.nominal.toFixed(3)} fps`,
        ],
        [
          'indexed',
          video.coverage.map((range) => `${formatTime(range.start)} – ${formatTime(range.end)}`).join(', ') ||
            'nothing yet',
        ],
        ...Object.entries(video.stages).map(([name, stage]): [string, string] => [
          name,
          stage.state + (stage.note ? `: ${visible(stage.note)}` : ''),
        ]),
      ];
      for (const row of table(facts)) terminal.line(row);
      for (const warning of video.warnings) terminal.warn(visible(warning));
      for (const segment of segments) {
        terminal.line(
          `${formatTime(segment.start)} – ${formatTime(segment.end)}  change ${segment.activity.toFixed(1)}  frames ${segment.frames.map((frame) => formatTime(frame.time)).join(' ')}`,
        );
      }
      return EXIT.done;
    }),
  );
