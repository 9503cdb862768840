/** What all tasks have in common: a request to a backend, and the reading of its answer. */

import type { Backend, BackendAnswer, BackendRequest, PromptPart } from '../backend.js';
import { LongwatchError } from '../errors.js';
import type { ModelInput } from '../model.js';
import { durationOf, intersect, type Seconds } from '../time.js';
import { jsonValues } from './json-text.js';
import { shownRange } from './window-time.js';
import { DATA_NOTICE, dataLine, estimateTokens, type VideoText } from './words.js';

export interface Task<Input, Output> {
  /** For errors and logs. */
  readonly name: string;
  /** @throws {LongwatchError} `invalid_input` for an input that nobody could be asked about */
  request(input: Input): BackendRequest;
  /**
   * The result, or undefined when the answer has not the form that was asked for. Never throws, whatever the answer is.
   * @param positionStep of the backend that answered
   */
  read(answer: BackendAnswer, input: Input, positionStep?: Seconds): Output | undefined;
}

/** Said after the same prompt when the first answer could not be read. */
const REMINDER =
  'The last answer was not JSON of this form. Answer again: JSON only, no other words, short enough to be complete.';

const EVIDENCE_LENGTH = 200;

/**
 * Asks, and once more when the answer cannot be read; an answer that was cut gets twice the room. A backend that keeps schemas is
 * asked once.
 * @throws {LongwatchError} `model_failed` with the beginning of the answer; `invalid_input`; `cancelled`; what the backend throws
 */
export async function runTask<Input, Output>(
  backend: Backend,
  task: Task<Input, Output>,
  input: Input,
  signal?: AbortSignal,
): Promise<Output> {
  const request = task.request(input);
  const first = await ask(backend, request, signal);
  const result = task.read(first, input, backend.positionStep);
  if (result !== undefined) return result;
  const second = await ask(backend, askedAgain(request, first), signal);
  const repeated = task.read(second, input, backend.positionStep);
  if (repeated !== undefined) return repeated;
  throw unreadable(task.name, second);
}

async function ask(backend: Backend, request: BackendRequest, signal: AbortSignal | undefined): Promise<BackendAnswer> {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
  return backend.ask(request, signal);
}

function askedAgain(request: BackendRequest, answer: BackendAnswer): BackendRequest {
  const maxTokens = answer.finish === 'length' ? request.maxTokens * 2 : request.maxTokens;
  return { ...request, parts: [...request.parts, { kind: 'text', text: `\n\n${REMINDER}` }], maxTokens };
}

function unreadable(name: string, { text, finish }: BackendAnswer): LongwatchError {
  const evidence = JSON.stringify(text.slice(0, EVIDENCE_LENGTH));
  const how = finish === 'length' ? 'breaks off' : 'has not the form that was asked for';
  return new LongwatchError('model_failed', `The model's answer to "${name}" ${how}, twice: ${evidence}`, {
    hint: 'Use a server that keeps JSON schemas, or a larger model.',
  });
}

/** The first JSON value in the answer that `read` accepts. */
export function readJson<T>(answer: BackendAnswer, read: (value: unknown) => T | undefined): T | undefined {
  for (const value of jsonValues(answer.text)) {
    const result = read(value);
    if (result !== undefined) return result;
  }
  return undefined;
}

/** Frames first, words last: what is shown is read once, whatever is asked about it. Second 0 is the first frame. */
export function aboutWindow(input: ModelInput, words: readonly string[]): readonly PromptPart[] {
  return [
    { kind: 'video', pictures: input.pictures, timeZero: shownRange(input).start },
    { kind: 'text', text: words.join('\n') },
  ];
}

/** How the window's length and the times in it are spoken of. */
export function lengthWords(input: ModelInput): string {
  return `The video lasts ${durationOf(shownRange(input)).toFixed(1)} seconds. Times are seconds from its start, with one decimal.`;
}

/** Most tokens of words that are quoted beside the frames of a window. */
const MAX_DATA_TOKENS = 1500;

/** Words found in the window, quoted, with their times cut to it, as many as have room; nothing when there are none. */
export function dataWords(texts: readonly VideoText[] | undefined, input: ModelInput): string[] {
  const { start: zero } = shownRange(input);
  const lines: string[] = [];
  let left = MAX_DATA_TOKENS;
  for (const text of texts ?? []) {
    const inside = intersect(text, input.range);
    if (!inside) continue;
    // What was said before the first frame is said at second 0.
    const shown = { start: Math.max(zero, inside.start), end: Math.max(zero, inside.end) };
    const line = dataLine({ ...text, ...shown }, zero);
    left -= estimateTokens(line) + 1;
    if (left < 0) break;
    lines.push(line);
  }
  return lines.length === 0 ? [] : [DATA_NOTICE, ...lines, ''];
}
