/** When does something happen in a window: no stretch, one, or several; and how sure the model is of each when it looks again. */

import type { Backend } from '../backend.js';
import { isRecord } from '../json-value.js';
import type { ModelInput } from '../model.js';
import { durationOf, type TimeRange } from '../time.js';
import { fieldOf } from './json-text.js';
import { listOf, objectOf, timesWithin } from './schema.js';
import { aboutWindow, lengthWords, readJson, runTask, type Task } from './task.js';
import { checkWindow, picturesIn, shownRange, spansOf, type TimeSpan } from './window-time.js';
import { checkedQuestion, quoted } from './words.js';

export interface GroundInput extends ModelInput {
  /** What is looked for, in the words of a person: `a man opens a red door`. */
  readonly query: string;
}

export interface GroundedSpan extends TimeSpan {
  /**
   * Probability of "yes" against "no" when the model sees this stretch alone and is asked whether it shows the query. Not calibrated.
   * Undefined where the backend cannot tell.
   */
  readonly score?: number;
}

export interface GroundOptions {
  /** Whether each stretch is looked at again for its score: one short ask each. @default true */
  readonly verify?: boolean;
  /** Stretches with a lower score are left out; those without a score stay. @default 0 */
  readonly minScore?: number;
}

/** Stretches of one window; more are listed by models that count, not look. */
const MAX_SPANS = 8;

export const groundTask: Task<GroundInput, readonly TimeSpan[]> = {
  name: 'ground',

  request(input) {
    checkWindow(input);
    const query = checkedQuestion(input.query, 'query');
    return {
      parts: aboutWindow(input, [
        lengthWords(input),
        `Query: ${quoted(query, query.length)}`,
        'When does what the query describes happen in this video? Give "start" and "end" of each time it happens.',
        'If it happens once, give one. If it does not happen at all, the list is empty.',
        'Answer with JSON only: {"spans": [{"start": seconds, "end": seconds}]}',
      ]),
      schema: objectOf({ spans: listOf(objectOf(timesWithin(durationOf(shownRange(input)))), MAX_SPANS) }),
      maxTokens: 256,
    };
  },

  read(answer, input, positionStep) {
    return readJson(answer, (value) =>
      spansOf(isRecord(value) ? fieldOf(value, ['spans', 'times']) : value, input, MAX_SPANS, positionStep),
    );
  },
};

export interface VerifyInput extends GroundInput {
  /** Inside the window. */
  readonly span: TimeRange;
}

/** Whether a stretch of a window shows the query. */
export const verifyTask: Task<VerifyInput, { readonly score?: number }> = {
  name: 'verify',

  request(input) {
    checkWindow(input);
    const query = checkedQuestion(input.query, 'query');
    return {
      parts: aboutWindow({ range: input.range, pictures: picturesIn(input, input.span) }, [
        `Description: ${quoted(query, query.length)}`,
        'Does this video show what is described? Answer with one word, yes or no.',
      ]),
      maxTokens: 1,
      choices: ['yes', 'no'],
    };
  },

  read({ choiceProbabilities }) {
    const yes = choiceProbabilities?.[0];
    return yes !== undefined && yes >= 0 && yes <= 1 ? { score: yes } : {};
  },
};

/**
 * Finds the query in a window and scores what was found. Edges are those that the model named: snap them to cuts where there are any.
 * @throws {LongwatchError} `model_failed`, `invalid_input`, `cancelled`; no partial result
 */
export async function ground(
  backend: Backend,
  input: GroundInput,
  { verify = true, minScore = 0 }: GroundOptions = {},
  signal?: AbortSignal,
): Promise<GroundedSpan[]> {
  const spans = await runTask(backend, groundTask, input, signal);
  const scored: GroundedSpan[] = [];
  for (const span of spans) {
    const { score } = verify ? await runTask(backend, verifyTask, { ...input, span }, signal) : {};
    if (score === undefined) scored.push(span);
    else if (score >= minScore) scored.push({ ...span, score });
  }
  return scored;
}
