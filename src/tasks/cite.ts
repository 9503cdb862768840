/** A question answered from what is already known: notes from any number of videos, cited sentence by sentence. No frames are shown. */

import { isRecord } from '../json-value.js';
import { fieldOf, readNumber } from './json-text.js';
import { listOf, objectOf, textOf } from './schema.js';
import { readJson, type Task } from './task.js';
import { checkedQuestion, cleanValue, DATA_NOTICE, dataLine, estimateTokens, quoted, type VideoText } from './words.js';

export interface CiteInput {
  readonly question: string;
  /** Captions, events and texts that may hold the answer, the best first. What does not fit into the prompt is left out. */
  readonly notes: readonly VideoText[];
  /** Most tokens of quoted notes. @default 6000 */
  readonly tokenBudget?: number;
}

export interface CitedAnswer {
  readonly found: boolean;
  readonly sentences: readonly {
    readonly text: string;
    /** Positions in `notes`, ascending, at least one. */
    readonly notes: readonly number[];
  }[];
}

const DEFAULT_BUDGET = 6000;
const MAX_NOTES = 200;
const MAX_SENTENCES = 8;
const MAX_SENTENCE = 400;
const MAX_CITED = 8;

export const citeTask: Task<CiteInput, CitedAnswer> = {
  name: 'cite',

  request(input) {
    const question = checkedQuestion(input.question, 'question');
    const lines = linesOf(input);
    return {
      parts: [
        {
          kind: 'text',
          text: [
            ...(lines.length > 0 ? [DATA_NOTICE, ...lines] : ['Nothing was found in the videos.']),
            '',
            `Question: ${quoted(question, question.length)}`,
            'Answer the question from these notes alone.',
            '"found": false when they do not hold the answer.',
            '"sentences": the answer, one sentence after the other; empty when "found" is false. For each:',
            '- "notes": the numbers of the notes that it rests on;',
            '- "text": the sentence, without numbers of notes.',
            'Answer with JSON only: {"found": true or false, "sentences": [{"notes": [number], "text": "..."}]}',
          ].join('\n'),
        },
      ],
      schema: objectOf({
        found: { type: 'boolean' },
        sentences: listOf(
          objectOf({
            notes: listOf({ type: 'integer', minimum: 1, maximum: Math.max(1, lines.length) }, MAX_CITED, 1),
            text: textOf(MAX_SENTENCE),
          }),
          lines.length > 0 ? MAX_SENTENCES : 0,
        ),
      }),
      maxTokens: 768,
    };
  },

  read(answer, input) {
    const count = linesOf(input).length;
    return readJson(answer, (value) => {
      const list = isRecord(value) ? value['sentences'] : undefined;
      if (!isRecord(value) || !Array.isArray(list)) return undefined;
      const sentences = list.slice(0, MAX_SENTENCES).flatMap((item) => {
        const text = isRecord(item) ? cleanValue(item['text'], MAX_SENTENCE) : '';
        const notes = isRecord(item) ? citedOf(fieldOf(item, ['notes', 'note']), count) : [];
        // A sentence that rests on nothing is not an answer from the notes.
        return text === '' || notes.length === 0 ? [] : [{ text, notes }];
      });
      const found = sentences.length > 0 && value['found'] !== false && value['found'] !== 'false';
      return { found, sentences: found ? sentences : [] };
    });
  },
};

/** The notes that fit, numbered from 1. */
function linesOf({ notes, tokenBudget = DEFAULT_BUDGET }: CiteInput): string[] {
  const lines: string[] = [];
  let left = tokenBudget;
  for (const note of notes.slice(0, MAX_NOTES)) {
    const line = `[${lines.length + 1}] ${dataLine(note).slice(2)}`;
    left -= estimateTokens(line) + 1;
    if (left < 0) break;
    lines.push(line);
  }
  return lines;
}

function citedOf(value: unknown, count: number): number[] {
  const numbers = (Array.isArray(value) ? value : [value]).slice(0, MAX_CITED).map(readNumber);
  const positions = numbers.filter(
    (number): number is number => number !== undefined && Number.isInteger(number) && number >= 1 && number <= count,
  );
  return [...new Set(positions)].sort((a, b) => a - b).map((number) => number - 1);
}
