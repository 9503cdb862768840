/** A question about a window, answered in words, with the times that the answer rests on. */

import { isRecord } from '../json-value.js';
import type { ModelInput } from '../model.js';
import { durationOf } from '../time.js';
import { fieldOf } from './json-text.js';
import { listOf, objectOf, textOf, timesWithin } from './schema.js';
import { aboutWindow, dataWords, lengthWords, readJson, type Task } from './task.js';
import { checkWindow, shownRange, spansOf, type TimeSpan } from './window-time.js';
import { checkedQuestion, cleanValue, quoted, type VideoText } from './words.js';

export interface AnswerInput extends ModelInput {
  readonly question: string;
  /** Subtitles, text on screen, speech: words of the video, in media time. The first 1500 tokens of them are shown, quoted. @default none */
  readonly texts?: readonly VideoText[];
}

export interface WindowAnswer {
  /** False when the window does not show it; `answer` then says what is missing, or is empty. */
  readonly found: boolean;
  readonly answer: string;
  /** Where to look, in order; empty when nothing was found. */
  readonly times: readonly TimeSpan[];
}

const MAX_ANSWER = 1000;
const MAX_TIMES = 8;

export const answerTask: Task<AnswerInput, WindowAnswer> = {
  name: 'answer',

  request(input) {
    checkWindow(input);
    const question = checkedQuestion(input.question, 'question');
    return {
      parts: aboutWindow(input, [
        lengthWords(input),
        ...dataWords(input.texts, input),
        `Question: ${quoted(question, question.length)}`,
        'Answer the question from what this video shows.',
        '"found": false when the video does not show the answer.',
        '"answer": one to three sentences. When "found" is false, say what is missing.',
        '"times": "start" and "end" of each stretch that the answer rests on; empty when "found" is false.',
        'Answer with JSON only: {"found": true or false, "answer": "...", "times": [{"start": seconds, "end": seconds}]}',
      ]),
      schema: objectOf({
        found: { type: 'boolean' },
        answer: textOf(MAX_ANSWER),
        times: listOf(objectOf(timesWithin(durationOf(shownRange(input)))), MAX_TIMES),
      }),
      maxTokens: 512,
    };
  },

  read(answer, input, positionStep) {
    return readJson(answer, (value) => {
      if (!isRecord(value) || typeof value['answer'] !== 'string') return undefined;
      const times = spansOf(fieldOf(value, ['times', 'spans']) ?? [], input, MAX_TIMES, positionStep);
      const text = cleanValue(value['answer'], MAX_ANSWER);
      if (!times) return undefined;
      // Servers without schemas leave "found" out when there is an answer.
      const found = text !== '' && value['found'] !== false && value['found'] !== 'false';
      return { found, answer: text, times: found ? times : [] };
    });
  },
};
