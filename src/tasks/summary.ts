/**
 * A summary of any number of captions. Neighbours are summarised group by group, then the summaries, until one group is left: no prompt
 * is longer than its budget, and every sentence knows the time that it speaks of.
 */

import type { Backend } from '../backend.js';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import type { TimeRange } from '../time.js';
import { fieldOf, readNumber } from './json-text.js';
import { listOf, objectOf, textOf } from './schema.js';
import { readJson, runTask, type Task } from './task.js';
import { cleanText, cleanValue, DATA_NOTICE, estimateTokens } from './words.js';

/** What is said about a stretch of time. */
export interface TimedSentence extends TimeRange {
  readonly text: string;
}

export interface SummaryInput {
  /** In any order. Equal neighbours in time are read once. */
  readonly captions: readonly TimedSentence[];
  /** Sentences of the summary at most, 1 to 30. @default 8 */
  readonly maxSentences?: number;
  /** Most tokens of captions in one prompt, 500 or more. @default 4000 */
  readonly tokenBudget?: number;
  /** Tokens of a text. @default an estimate that is rather too high */
  readonly countTokens?: (text: string) => number;
}

export interface SummaryOptions {
  readonly signal?: AbortSignal;
  /** After every ask. `asks` grows by level: how many a level needs is known when the one before is done. */
  readonly onProgress?: (progress: { readonly level: number; readonly done: number; readonly asks: number }) => void;
}

const DEFAULT_SENTENCES = 8;
const MAX_SENTENCES = 30;
const DEFAULT_BUDGET = 4000;
const LEAST_BUDGET = 500;
/** A caption takes at most this part of the budget, so that every full group holds as many and every level gets shorter. */
const LEAST_PER_GROUP = 4;
const MAX_CAPTION = 600;
const MAX_SENTENCE = 300;
/** On the way up, as many captions become one sentence … */
const CAPTIONS_PER_SENTENCE = 5;
/** … and a group this many at most, so that no answer gets long. */
const MAX_PER_GROUP = 24;

interface GroupInput {
  readonly captions: readonly TimedSentence[];
  readonly most: number;
}

/** One group: sentences that each name the first and the last caption they speak of. */
export const summarizeGroupTask: Task<GroupInput, readonly TimedSentence[]> = {
  name: 'summary',

  request({ captions, most }) {
    const number = { type: 'integer', minimum: 1, maximum: captions.length } as const;
    return {
      parts: [
        {
          kind: 'text',
          text: [
            'These are descriptions of consecutive parts of one video, in order.',
            DATA_NOTICE,
            ...captions.map(({ text }, position) => lineOf(text, position)),
            '',
            `Summarize what happens, in order, in at most ${most} ${most === 1 ? 'sentence' : 'sentences'}. Say nothing that is not above.`,
            'For each sentence:',
            '- "first" and "last": the numbers of the first and the last part that it is about;',
            '- "text": the sentence.',
            'Answer with JSON only: {"sentences": [{"first": number, "last": number, "text": "..."}]}',
          ].join('\n'),
        },
      ],
      schema: objectOf({
        sentences: listOf(objectOf({ first: number, last: number, text: textOf(MAX_SENTENCE) }), most, 1),
      }),
      maxTokens: 128 + 96 * most,
    };
  },

  read(answer, { captions, most }) {
    return readJson(answer, (value) => {
      const list = isRecord(value) ? fieldOf(value, ['sentences', 'summary']) : value;
      if (!Array.isArray(list)) return undefined;
      const items = list.slice(0, most).filter(isRecord);
      if (list.length > 0 && items.length === 0) return undefined;
      return items
        .map((item) => ({ ...partsOf(item, captions), text: cleanValue(item['text'], MAX_SENTENCE) }))
        .filter(({ text }) => text !== '')
        .sort((a, b) => a.start - b.start || a.end - b.end);
    });
  },
};

/** The time of the named captions; a number that names none leaves its side open. */
function partsOf(item: Readonly<Record<string, unknown>>, captions: readonly TimedSentence[]): TimeRange {
  const first = partNumber(item['first'], captions.length) ?? 1;
  const last = partNumber(item['last'], captions.length) ?? captions.length;
  const parts = captions.slice(Math.min(first, last) - 1, Math.max(first, last));
  return {
    start: parts.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY),
    end: parts.reduce((most, { end }) => Math.max(most, end), Number.NEGATIVE_INFINITY),
  };
}

function partNumber(value: unknown, count: number): number | undefined {
  const number = readNumber(value);
  return number !== undefined && Number.isInteger(number) && number >= 1 && number <= count ? number : undefined;
}

function lineOf(text: string, position: number): string {
  return `[${position + 1}] ${JSON.stringify(text)}`;
}

/**
 * The summary in order of time; empty for no captions, or when the model had no words. The same captions give the same prompts.
 * @throws {LongwatchError} `invalid_input`, `model_failed`, `cancelled`; no partial result
 */
export async function summarize(
  backend: Backend,
  input: SummaryInput,
  { signal, onProgress }: SummaryOptions = {},
): Promise<TimedSentence[]> {
  const { maxSentences, tokenBudget, countTokens } = settingsOf(input);
  const inOrder = [...input.captions].sort((a, b) => a.start - b.start || a.end - b.end);
  let parts = prepared(inOrder, tokenBudget, countTokens);
  for (let level = 1, done = 0; parts.length > 0; level++) {
    const groups = groupsOf(parts, tokenBudget, countTokens);
    const last = groups.length === 1;
    const asks = done + groups.length;
    const next: TimedSentence[] = [];
    for (const captions of groups) {
      const most = last ? maxSentences : sentencesFor(captions.length);
      // The lonely end of a level waits for company on the next one.
      const alone = captions.length === 1 && !last;
      next.push(...(alone ? captions : await runTask(backend, summarizeGroupTask, { captions, most }, signal)));
      onProgress?.({ level, done: ++done, asks });
    }
    if (last) return next;
    parts = prepared(next, tokenBudget, countTokens);
  }
  return [];
}

function sentencesFor(captions: number): number {
  return Math.min(MAX_PER_GROUP, Math.max(1, Math.floor(captions / CAPTIONS_PER_SENTENCE)));
}

function settingsOf(input: SummaryInput) {
  const { maxSentences = DEFAULT_SENTENCES, tokenBudget = DEFAULT_BUDGET, countTokens = estimateTokens } = input;
  if (!Number.isInteger(maxSentences) || maxSentences < 1 || maxSentences > MAX_SENTENCES)
    throw new LongwatchError('invalid_input', `A summary cannot have ${maxSentences} sentences.`, {
      hint: `Ask for 1 to ${MAX_SENTENCES}.`,
    });
  if (!(tokenBudget >= LEAST_BUDGET))
    throw new LongwatchError('invalid_input', `A budget of ${tokenBudget} tokens is too small for a summary.`, {
      hint: `Allow ${LEAST_BUDGET} or more.`,
    });
  return { maxSentences, tokenBudget, countTokens };
}

/** Clean texts that each fit their part of the budget; equal neighbours joined, empty ones dropped. */
function prepared(
  captions: readonly TimedSentence[],
  tokenBudget: number,
  countTokens: (text: string) => number,
): TimedSentence[] {
  const most = tokenBudget / LEAST_PER_GROUP;
  const parts: { start: number; end: number; text: string }[] = [];
  for (const { start, end, text } of captions) {
    const clean = cutTo(cleanText(text, MAX_CAPTION), most, countTokens);
    const before = parts.at(-1);
    if (clean === '') continue;
    if (before?.text === clean) {
      before.start = Math.min(before.start, start);
      before.end = Math.max(before.end, end);
    } else parts.push({ start, end, text: clean });
  }
  return parts;
}

/** The longest beginning by halves that fits, with room for its number and quotation marks. */
function cutTo(text: string, most: number, countTokens: (text: string) => number): string {
  let cut = text;
  while (cut !== '' && costOf(cut, countTokens) > most) {
    const points = [...cut];
    cut = points
      .slice(0, Math.floor(points.length / 2))
      .join('')
      .trimEnd();
  }
  return cut;
}

/** Tokens of a line of the prompt; the number is counted as long as it can get. */
function costOf(text: string, countTokens: (text: string) => number): number {
  return countTokens(lineOf(text, 99_998)) + 1;
}

/** Neighbours, as many as the budget holds. */
function groupsOf(
  parts: readonly TimedSentence[],
  tokenBudget: number,
  countTokens: (text: string) => number,
): TimedSentence[][] {
  const groups: TimedSentence[][] = [];
  let left = 0;
  for (const part of parts) {
    const cost = costOf(part.text, countTokens);
    const group = groups.at(-1);
    if (group && cost <= left) group.push(part);
    else groups.push([part]);
    left = (group && cost <= left ? left : tokenBudget) - cost;
  }
  return groups;
}
