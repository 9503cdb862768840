import { searchJson } from '../../../api/schema/search.js';
import { DEFAULT_GROUND_WINDOWS, MAX_GROUND_WINDOWS } from '../../../index/search/parse.js';
import type { SearchHit } from '../../../index/search/types.js';
import { LongwatchError } from '../../errors.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, collect, timeRange, verb, withEngine } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, type Terminal, visible } from '../terminal.js';

interface SearchOptions extends CommonOptions {
  readonly video?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
  readonly minScore?: string;
  readonly ground?: boolean;
  readonly groundWindows?: string;
}

export const searchCommand = verb('search', 'when does it happen? ranges of time, best first')
  .argument(
    '<query>',
    'what happens, in words; also "X after Y", "before Y, X", "X between Y and 10:00", "X for the first time"',
  )
  .option('--video <id>', 'only in this video (id, id prefix or path); repeat for several', collect)
  .option('--from <time>', 'only after this time of the video')
  .option('--to <time>', 'only before this time of the video')
  .option('--limit <n>', 'at most so many answers', '10')
  .option('--min-score <0..1>', 'leave out answers below this score')
  .option('--ground', 'let the model look again at the best windows: when does it see it there?')
  .option(
    '--ground-windows <n>',
    `how many windows it looks at with --ground, 1 to ${MAX_GROUND_WINDOWS} (default: ${DEFAULT_GROUND_WINDOWS})`,
  )
  .action((query: string, options: SearchOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const range = timeRange(options.from, options.to);
      const progress = new ProgressLine(terminal, 'looking again');
      const answer = await engine.searcher
        .search(
          {
            query,
            limit: wholeNumber('--limit', options.limit),
            ...(options.video === undefined
              ? {}
              : { videoIds: options.video.map((video) => engine.library.findVideo(video).id) }),
            ...(range === undefined ? {} : { range }),
            ...(options.minScore === undefined ? {} : { minScore: Number(options.minScore) }),
            ...(options.ground ? { ground: true } : {}),
            ...(options.groundWindows === undefined
              ? {}
              : { groundWindows: wholeNumber('--ground-windows', options.groundWindows) }),
          },
          signal,
          (done, total) => progress.show({ stage: `window ${done + 1} of ${total}`, progress: done / total }),
        )
        .finally(() => progress.end());
      terminal.document(searchJson(answer));
      for (const hit of answer.results) printHit(terminal, hit);
      if (answer.noMatch) terminal.line('No match.');
      else if (answer.count > answer.results.length)
        terminal.line(`${answer.results.length} of ${answer.count} moments; --limit shows more.`);
      if (answer.nearMisses?.length) terminal.line(terminal.bold('Near misses:'));
      for (const hit of answer.nearMisses ?? []) printHit(terminal, hit);
      if (answer.note !== undefined) terminal.note(answer.note);
      if (answer.mode === 'words')
        terminal.note(`Searched by words only. ${(await engine.meaningMissing()) ?? ''}`.trim());
      return answer.noMatch ? EXIT.nothingFound : EXIT.done;
    }),
  );

/** One hit in two lines: when and what, then how precise and why. */
export function printHit(terminal: Terminal, hit: SearchHit): void {
  terminal.line(`${terminal.bold(`${formatTime(hit.start)} – ${formatTime(hit.end)}`)}  ${visible(hit.text)}`);
  terminal.line(
    terminal.dim(
      `  ${visible(hit.title)} (${hit.videoId}), ±${hit.precision.toFixed(3)} s, score ${hit.score.toFixed(2)}: ${visible(hit.why.join(', '))}`,
    ),
  );
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new LongwatchError('invalid_input', `${name} cannot be "${text}".`, { hint: 'Give a whole number.' });
}
