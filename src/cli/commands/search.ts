import { searchJson } from '../../../api/schema/search.js';
import type { Library } from '../../../index/library.js';
import { DEFAULT_GROUND_WINDOWS, MAX_GROUND_WINDOWS } from '../../../index/search/parse.js';
import type { SearchAnswer, Searcher, SearchFilters, SearchHit, SearchRequest } from '../../../index/search/types.js';
import { LongwatchError } from '../../errors.js';
import type { PictureSource } from '../../picture-search.js';
import { formatTime, parseTime } from '../../time.js';
import { type CommonOptions, collect, idsOf, timeRange, verb, withEngine } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, type Terminal, visible } from '../terminal.js';

interface SearchOptions extends CommonOptions {
  readonly video?: string[];
  readonly tag?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
  readonly minScore?: string;
  readonly ground?: boolean;
  readonly groundWindows?: string;
  readonly picture?: string;
  readonly like?: string;
  readonly at?: string;
}

export const searchCommand = verb('search', 'when does it happen? ranges of time, best first')
  .argument(
    '[query]',
    'what happens, in words; also "X after Y", "before Y, X", "X between Y and 10:00", "X for the first time"',
  )
  .option('--video <id>', 'only in this video (id, id prefix or path); repeat for several', collect)
  .option('--tag <tag>', 'only in videos that carry this tag; repeat it: all of them', collect)
  .option('--from <time>', 'only after this time of the video')
  .option('--to <time>', 'only before this time of the video')
  .option('--limit <n>', 'at most so many answers', '10')
  .option('--min-score <0..1>', 'leave out answers below this score')
  .option('--ground', 'let the model look again at the best windows: when does it see it there?')
  .option(
    '--ground-windows <n>',
    `how many windows it looks at with --ground, 1 to ${MAX_GROUND_WINDOWS} (default: ${DEFAULT_GROUND_WINDOWS})`,
  )
  .option('--picture <file>', 'instead of words: what looks like this JPEG, PNG or WebP picture?')
  .option('--like <video>', 'instead of words: what looks like the frame of this video at the time of --at?')
  .option('--at <time>', 'the time of --like')
  .action((query: string | undefined, options: SearchOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const range = timeRange(options.from, options.to);
      const filters: SearchFilters = {
        limit: wholeNumber('--limit', options.limit),
        ...(options.video === undefined ? {} : { videoIds: await idsOf(engine.library, options.video) }),
        ...(options.tag === undefined ? {} : { tags: options.tag }),
        ...(range === undefined ? {} : { range }),
        ...(options.minScore === undefined ? {} : { minScore: Number(options.minScore) }),
      };
      const asked = await askedWith(query, options, engine.library);
      const answer = await (typeof asked === 'string'
        ? searchByWords({ query: asked, ...filters, ...groundingOf(options) }, engine.searcher, terminal, signal)
        : engine.searchByPicture({ source: asked, ...filters }, signal));
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

async function searchByWords(
  request: SearchRequest,
  searcher: Searcher,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const progress = new ProgressLine(terminal, 'looking again');
  try {
    return await searcher.search(request, signal, (done, total) =>
      progress.show({ stage: `window ${done + 1} of ${total}`, progress: done / total }),
    );
  } finally {
    progress.end();
  }
}

/** Words, or the picture that stands for them. @throws {LongwatchError} `invalid_input` when it is not one of them; as `findVideo` */
async function askedWith(
  query: string | undefined,
  options: SearchOptions,
  library: Library,
): Promise<string | PictureSource> {
  const { picture, like, at, ground, groundWindows } = options;
  const ways = [query, picture, like].filter((way) => way !== undefined).length;
  if (ways !== 1)
    throw new LongwatchError('invalid_input', ways === 0 ? 'Nothing is asked.' : 'Several things are asked at once.', {
      hint: 'Give a question in words, or --picture FILE, or --like VIDEO --at TIME.',
    });
  if ((like === undefined) !== (at === undefined))
    throw new LongwatchError('invalid_input', '--like and --at belong together.', {
      hint: 'Give both: which video, and when in it.',
    });
  if (query !== undefined) return query;
  if (ground || groundWindows !== undefined)
    throw new LongwatchError('invalid_input', 'Only a question in words can be looked at again.', {
      hint: 'Leave out --ground.',
    });
  if (picture !== undefined) return { kind: 'file', path: picture };
  return { kind: 'frame', video: await library.findVideo(like ?? ''), at: parseTime(at ?? '') };
}

function groundingOf({ ground, groundWindows }: SearchOptions): Pick<SearchRequest, 'ground' | 'groundWindows'> {
  return {
    ...(ground ? { ground: true } : {}),
    ...(groundWindows === undefined ? {} : { groundWindows: wholeNumber('--ground-windows', groundWindows) }),
  };
}

/** One hit in two lines: when and what, then how precise and why. */
export function printHit(terminal: Terminal, hit: SearchHit): void {
  terminal.line(`${terminal.bold(`${formatTime(hit.start)} – ${formatTime(hit.end)}`)}  ${visible(hit.text)}`);
  terminal.line(
    terminal.dim(
      `  ${visible(hit.title)} (${hit.videoId}), ±${hit.precision.toFixed(3)} s, score ${hit.score.toFixed(2)}${sureness(hit)}: ${visible(hit.why.join(', '))}`,
    ),
  );
}

/** As it is said: in tests so many of a hundred hits like it were right. */
function sureness({ confidence }: SearchHit): string {
  return confidence === undefined ? '' : `, confidence ${confidence.toFixed(2)}`;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new LongwatchError('invalid_input', `${name} cannot be "${text}".`, { hint: 'Give a whole number.' });
}
