/** The chat completions protocol: what a request looks like in a dialect, and what an answer says. */

import type { JsonSchema } from '../backend.js';
import { isRecord } from '../json-value.js';
import { type Dialect, SCHEMA_FORMS } from './dialect.js';
import type { MessageContent, MessagePart } from './frames.js';
import { schemaForServer } from './json-answer.js';

export interface ChatQuestion {
  readonly model: string;
  readonly system: string | undefined;
  readonly content: MessageContent;
  readonly schema: JsonSchema | undefined;
  readonly maxTokens: number;
  readonly temperature: number;
  /** Whether the first token's probabilities are wanted. */
  readonly logprobs: boolean;
  /** Fields that override all others. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** More than this is refused by OpenAI and, unless it is started otherwise, by vLLM. */
const TOP_LOGPROBS = 20;

export function chatRequest(question: ChatQuestion, dialect: Dialect): Record<string, unknown> {
  const { model, system, content, schema, maxTokens, temperature, logprobs, extra } = question;
  const words = schema && dialect.schemaForm === SCHEMA_FORMS.at(-1) ? [inWords(schema)] : [];
  const parts = joined([...content.parts, ...words]);
  // Servers of text-only models want a plain string.
  const plain = parts.every((part) => part.type === 'text') ? parts.map(({ text }) => text).join('') : undefined;
  return {
    model,
    messages: [
      ...(system === undefined ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content: plain ?? parts },
    ],
    stream: false,
    [dialect.lengthField]: maxTokens,
    ...(dialect.temperature ? { temperature } : {}),
    ...(logprobs && dialect.logprobs ? { logprobs: true, top_logprobs: TOP_LOGPROBS } : {}),
    ...(schema ? schemaFields(schema, dialect) : {}),
    ...content.fields,
    ...extra,
  };
}

/** Neighbouring texts as one: between two, transformers puts nothing and llama.cpp a line end. */
function joined(parts: readonly MessagePart[]): readonly MessagePart[] {
  const all: MessagePart[] = [];
  for (const part of parts) {
    const before = all.at(-1);
    if (part.type !== 'text' || before?.type !== 'text') all.push(part);
    else all[all.length - 1] = { type: 'text', text: before.text + part.text };
  }
  return all;
}

function schemaFields(asked: JsonSchema, { schemaForm }: Dialect): Record<string, unknown> {
  const schema = schemaForServer(asked);
  switch (schemaForm) {
    case 'json_schema':
      return { response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } } };
    case 'structured_outputs':
      return { structured_outputs: { json: schema } };
    case 'guided_json':
      return { guided_json: schema };
    case 'json_object':
      return { response_format: { type: 'json_object', schema } };
    case 'words':
      return {};
    default:
      throw schemaForm satisfies never;
  }
}

function inWords(schema: JsonSchema) {
  const text = `\n\nAnswer with JSON and nothing else. It must match this JSON Schema:\n${JSON.stringify(schemaForServer(schema))}`;
  return { type: 'text' as const, text };
}

export interface ChatAnswer {
  readonly text: string;
  readonly cut: boolean;
  /** 0 where the server does not say. */
  readonly promptTokens: number;
  /** 0 where the server does not say. */
  readonly answerTokens: number;
  /** What the first token could have been, with natural logarithms of the probabilities, the likeliest first. */
  readonly first: readonly { readonly token: string; readonly logprob: number }[] | undefined;
}

/** An answer that is whole but of no use; `kind` says what to make of it. */
export type NoAnswer = { readonly kind: 'malformed' | 'declined'; readonly why: string };

/** Reads the body of an answer with status 200. */
export function readChatAnswer(body: string): ChatAnswer | NoAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return { kind: 'malformed', why: 'its answer is not JSON' };
  }
  const choice = isRecord(answer) && Array.isArray(answer['choices']) ? (answer['choices'] as unknown[])[0] : undefined;
  if (!isRecord(answer) || !isRecord(choice)) return { kind: 'malformed', why: 'its answer has no choices' };
  const message = isRecord(choice['message']) ? choice['message'] : {};
  const finish = choice['finish_reason'];
  if (typeof message['refusal'] === 'string' && message['refusal'] !== '') {
    return { kind: 'declined', why: 'the model declined to answer' };
  }
  if (finish === 'content_filter') return { kind: 'declined', why: 'a content filter held the answer back' };
  const text = textOf(message['content']);
  if (text === undefined) return { kind: 'malformed', why: 'its answer has no text' };
  const usage = isRecord(answer['usage']) ? answer['usage'] : {};
  return {
    text,
    cut: finish === 'length',
    promptTokens: count(usage['prompt_tokens']),
    answerTokens: count(usage['completion_tokens']),
    first: firstToken(choice['logprobs']),
  };
}

/** The status, or the one in the body where a server sends an error as if it were an answer. */
export function statusOf({ status, body }: { readonly status: number; readonly body: string }): number {
  if (status !== 200 || !body.includes('"error"')) return status;
  try {
    const answer: unknown = JSON.parse(body);
    const error = isRecord(answer) && !('choices' in answer) ? answer['error'] : undefined;
    const code = isRecord(error) ? Number(error['code']) : Number.NaN;
    return code >= 400 && code < 600 ? code : status;
  } catch {
    return status;
  }
}

/** Content is a string, or a list of parts. */
function textOf(content: unknown): string | undefined {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  return content.map((part) => (isRecord(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('');
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function firstToken(logprobs: unknown): ChatAnswer['first'] {
  const tokens: unknown = isRecord(logprobs) ? logprobs['content'] : undefined;
  const first: unknown = Array.isArray(tokens) ? tokens[0] : undefined;
  const top: unknown = isRecord(first) ? first['top_logprobs'] : undefined;
  if (!Array.isArray(top)) return undefined;
  return top.flatMap((entry) => {
    if (!isRecord(entry)) return [];
    const { token, logprob } = entry;
    return typeof token === 'string' && typeof logprob === 'number' && logprob <= 0 ? [{ token, logprob }] : [];
  });
}

/**
 * Probability of each choice as the first token, summing to 1 over them. A token stands for the choice that it begins, white space before
 * it aside; one that begins two choices tells nothing. A choice that is not listed has at most the probability of the rarest listed token
 * and at most what the listed ones leave over, and is given that.
 * @returns undefined when no choice is listed
 */
export function choiceProbabilities(
  first: NonNullable<ChatAnswer['first']>,
  choices: readonly string[],
): readonly number[] | undefined {
  const masses = choices.map((): number | undefined => undefined);
  for (const { token, logprob } of first) {
    const word = token.trimStart();
    const begun = choices.flatMap((choice, i) => (word !== '' && choice.startsWith(word) ? [i] : []));
    const exact = choices.indexOf(word);
    const of = exact >= 0 ? exact : begun.length === 1 ? begun[0] : undefined;
    if (of !== undefined) masses[of] = (masses[of] ?? 0) + Math.exp(logprob);
  }
  if (masses.every((mass) => mass === undefined)) return undefined;
  const listed = first.map(({ logprob }) => Math.exp(logprob));
  const rest = Math.max(0, 1 - listed.reduce((sum, p) => sum + p, 0));
  const unlisted = Math.min(rest, ...listed);
  const known = masses.map((mass) => mass ?? unlisted);
  const total = known.reduce((sum, mass) => sum + mass, 0);
  return total > 0 ? known.map((mass) => mass / total) : undefined;
}
