import { askJson } from '../../../api/schema/ask.js';
import type { AskAnswer, AskStep, Citation } from '../../ask.js';
import { LongwatchError } from '../../errors.js';
import { formatTime } from '../../time.js';
import { type CommonOptions, collect, idsOf, verb, withEngine } from '../command.js';
import { ProgressLine } from '../progress.js';
import { EXIT, type Terminal, visible } from '../terminal.js';

interface AskOptions extends CommonOptions {
  readonly video?: string[];
  readonly tag?: string[];
  readonly ground?: boolean;
}

export const askCommand = verb('ask', 'an answer in sentences, each with the times that it rests on')
  .argument('<question>', 'what you want to know')
  .option('--video <id>', 'only of this video (id, id prefix or path); repeat for several', collect)
  .option('--tag <tag>', 'only of videos that carry this tag; repeat it: all of them', collect)
  .option('--ground', 'let the model look again where the search leads, and answer from what it sees')
  .action((question: string, options: AskOptions) =>
    withEngine(options, false, async ({ engine, terminal, signal }) => {
      const videoIds = options.video && (await idsOf(engine.library, options.video));
      const request = {
        question,
        ...(videoIds ? { videoIds } : {}),
        ...(options.tag === undefined ? {} : { tags: options.tag }),
        ...(options.ground === undefined ? {} : { ground: options.ground }),
      };
      const answer = await answerOf(engine.ask(request, signal), terminal);
      terminal.document(askJson(answer));
      for (const { text, citations } of answer.sentences) {
        terminal.line(visible(text));
        for (const citation of citations) printCitation(terminal, citation);
      }
      if (!answer.found) terminal.line('The library does not show it.');
      if (answer.model !== undefined) {
        const { notice } = await engine.model();
        terminal.note(`Written by ${answer.model}.${notice === undefined ? '' : ` ${notice}`}`);
      }
      if (answer.note !== undefined) terminal.note(answer.note);
      return answer.found ? EXIT.done : EXIT.nothingFound;
    }),
  );

async function answerOf(steps: AsyncIterable<AskStep>, terminal: Terminal): Promise<AskAnswer> {
  const progress = new ProgressLine(terminal, 'looking again');
  try {
    for await (const step of steps) {
      if (step.kind === 'answer') return step.answer;
      if (step.kind === 'found') progress.end();
      else progress.show({ stage: `window ${step.done + 1} of ${step.total}`, progress: step.done / step.total });
    }
  } finally {
    progress.end();
  }
  throw new LongwatchError('internal', 'A question ended without an answer.');
}

function printCitation(terminal: Terminal, { start, end, kind, title, videoId, precision, why }: Citation): void {
  terminal.line(
    `  ${terminal.bold(`${formatTime(start)} – ${formatTime(end)}`)}  ${terminal.dim(
      `${kind}, ${visible(title)} (${videoId}), ±${precision.toFixed(3)} s${why === undefined ? '' : `: ${visible(why.join(', '))}`}`,
    )}`,
  );
}
