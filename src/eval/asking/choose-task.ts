/**
 * A question with options about a video, answered with the letter of one. How probable each letter is as the first word of the answer decides,
 * where the backend can tell; the letter that it writes otherwise. The words are ours: official prompts differ between
 * evaluations, and figures differ with them.
 */

import type { ModelInput } from '../../model.js';
import { aboutWindow, type Task } from '../../tasks/task.js';
import { checkWindow } from '../../tasks/window-time.js';
import { checkedQuestion, cleanText, DATA_NOTICE, quoted } from '../../tasks/words.js';
import { letterOf } from '../item.js';

export interface ChooseInput extends ModelInput {
  readonly question: string;
  readonly options: readonly string[];
  /** Subtitles of the shown frames, in order. @default none */
  readonly subtitles?: readonly string[];
}

export interface Choice {
  readonly choice: string;
  /** Probability of the letter among the letters; undefined where the backend cannot tell. */
  readonly confidence?: number;
}

const MAX_OPTION = 500;
const MAX_LINE = 300;

export const chooseTask: Task<ChooseInput, Choice> = {
  name: 'choose',

  request(input) {
    checkWindow(input);
    const { options, subtitles = [] } = input;
    const letters = options.map((_, at) => letterOf(at));
    return {
      parts: aboutWindow(input, [
        ...(subtitles.length === 0 ? [] : [DATA_NOTICE, ...subtitles.map((line) => `- ${quoted(line, MAX_LINE)}`), '']),
        `Question: ${checkedQuestion(input.question, 'question')}`,
        ...options.map((option, at) => `${letterOf(at)}. ${cleanText(option, MAX_OPTION)}`),
        `Which option is right? Answer with its letter only: ${letters.join(', ')}.`,
      ]),
      maxTokens: 8,
      choices: letters,
    };
  },

  read({ text, choiceProbabilities }, { options }) {
    const letters = options.map((_, at) => letterOf(at));
    const most = choiceProbabilities && Math.max(...choiceProbabilities);
    const likely = most === undefined ? undefined : letters[choiceProbabilities?.indexOf(most) ?? -1];
    if (likely !== undefined && most !== undefined) return { choice: likely, confidence: most };
    // "B", "(B)", "B. A dog", "Option B"; an "A" that begins a sentence is an article, not a letter.
    const written = /^\W*(?:option\s+|answer\s*:?\s*)?\(?([A-Z])(?![\w'])(?!\s+\w)/i.exec(text)?.[1]?.toUpperCase();
    return written !== undefined && letters.includes(written) ? { choice: written } : undefined;
  },
};
