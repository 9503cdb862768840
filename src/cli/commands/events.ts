import { InvalidArgumentError, Option } from 'commander';
import { eventJson } from '../../../api/schema/event.js';
import { EVENT_KINDS, type EventKind, TELLING_KINDS } from '../../event.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, everyRow, timeRange, verb, withEngine } from '../command.js';
import { EXIT, visible } from '../terminal.js';

interface EventsOptions extends CommonOptions {
  readonly kind?: EventKind[];
  readonly from?: string;
  readonly to?: string;
}

export const eventsCommand = verb('events', 'what happens in one video, in order')
  .argument('<video>', 'id, id prefix or path')
  .addOption(
    new Option(
      '--kind <kind>',
      'only this kind; repeat for several (default: all but `picture`, which has no words)',
    ).argParser((value: string, before: EventKind[] | undefined) => [...(before ?? []), checkedKind(value)]),
  )
  .option('--from <time>', 'only what lies after this time')
  .option('--to <time>', 'only what lies before this time')
  .action((name: string, options: EventsOptions) =>
    withEngine(options, false, async ({ engine, terminal }) => {
      const video = await engine.library.findVideo(name);
      const range = timeRange(options.from, options.to);
      const filter = {
        kinds: options.kind ?? TELLING_KINDS,
        ...(range === undefined ? {} : { range }),
      };
      const events = await everyRow((page) => engine.library.events(video.id, { ...filter, ...page }));
      terminal.document({ video_id: video.id, events: events.map(eventJson) });
      for (const event of events) {
        terminal.line(
          `${formatTime(event.start)} – ${formatTime(event.end)}  ±${event.precision.toFixed(3)} s  ${event.kind}: ${visible(event.text)}`,
        );
      }
      return EXIT.done;
    }),
  );

function checkedKind(value: string): EventKind {
  const kind = EVENT_KINDS.find((known) => known === value);
  if (kind === undefined) throw new InvalidArgumentError(`Kinds are ${EVENT_KINDS.join(', ')}.`);
  return kind;
}
