/** A question and its answer in the shape of OpenAI's chat completions, so that programs made for those can ask a library. */

import { MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import type { AskAnswer, Citation } from '../../src/ask.js';
import { LongwatchError } from '../../src/errors.js';
import { MAX_TURNS, type Turn } from '../../src/tasks/standalone.js';
import { formatTime } from '../../src/time.js';
import { z } from '../hono.js';
import { citationJson, citationSchema, type PlaceLinks } from './ask.js';
import { tagFilterSchema } from './tag.js';

export const CHAT_PATH = '/v1/chat/completions';

/** Who is asked, and who answers when no model does: the search. */
const NO_MODEL = 'longwatch';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z
    .union([z.string(), z.array(z.union([textPart, z.looseObject({ type: z.string() })]))])
    .nullish()
    .openapi({ description: 'Text, or parts of which each is text.' }),
});

/** What else a client may send is about how words are sampled, which is not done here: it is taken and changes nothing. */
export const chatRequestSchema = z
  .looseObject({
    model: z
      .string()
      .min(1)
      .max(256)
      .openapi({ description: 'Any name; who answered stands in the answer.', example: 'longwatch' }),
    messages: z.array(messageSchema).min(1).max(1000).openapi({
      description:
        'The last message of the user is the question; it is understood with those before it, of which the last few turns are looked back on.',
    }),
    stream: z.boolean().nullish(),
    n: z.number().int().nullish().openapi({ description: 'Only 1.' }),
    tools: z.array(z.unknown()).nullish().openapi({ description: 'None are called.' }),
    response_format: z.looseObject({ type: z.string() }).nullish().openapi({ description: 'Only text.' }),
    video_ids: z
      .array(z.string().min(1).max(128))
      .min(1)
      .max(1000)
      .optional()
      .openapi({ description: 'Not of OpenAI: asks these videos only.' }),
    tags: tagFilterSchema.optional(),
  })
  .openapi('ChatRequest');

/** The list of models as chat programs look for it: one partner, whoever speaks through it. */
export const chatModelsSchema = z.object({
  object: z.literal('list').openapi({ description: 'With `data`: for programs that speak to OpenAI.' }),
  data: z.array(
    z.object({
      id: z.string(),
      object: z.literal('model'),
      created: z.number().int().openapi({ description: '0: not known.' }),
      owned_by: z.string(),
    }),
  ),
});

export const CHAT_MODELS: z.infer<typeof chatModelsSchema> = {
  object: 'list',
  data: [{ id: NO_MODEL, object: 'model', created: 0, owned_by: 'longwatch' }],
};

type ChatRequest = z.infer<typeof chatRequestSchema>;
type Message = z.infer<typeof messageSchema>;

/** What OpenAI's shape has no place for. Clients pass over fields that they do not know. */
const beside = {
  citations: z
    .array(citationSchema)
    .openapi({ description: 'Not of OpenAI: the places that the answer rests on, each once.' }),
  longwatch: z
    .object({
      found: z.boolean(),
      by: z.enum(['model', 'quotes', 'search']),
      searched_for: z.string().optional(),
      note: z.string().optional(),
    })
    .openapi({ description: 'Not of OpenAI: as in `POST /v1/ask`.' }),
};

export const chatSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.number().int().openapi({ description: 'Seconds since 1970.' }),
    model: z
      .string()
      .openapi({ description: 'Whose sentences they are; `longwatch` when they are the words of the places.' }),
    choices: z.array(
      z.object({
        index: z.literal(0),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
        finish_reason: z.literal('stop'),
      }),
    ),
    ...beside,
  })
  .openapi('ChatCompletion');

export const chatChunkSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.literal(0),
        delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        logprobs: z.null(),
        finish_reason: z.literal('stop').nullable(),
      }),
    ),
    citations: beside.citations.optional(),
    longwatch: beside.longwatch.optional(),
  })
  .openapi('ChatChunk');

export type ChatChunk = z.infer<typeof chatChunkSchema>;

/** One completion: what all of its pieces share. */
export interface ChatHead {
  readonly id: string;
  readonly created: number;
}

/**
 * The question in a chat.
 * @throws {LongwatchError} `invalid_input` for what cannot be answered, which would otherwise be answered as if it had not been asked
 */
export function questionOf({ messages, n, tools, response_format: format }: ChatRequest): string {
  if ((n ?? 1) !== 1) throw invalid('There is one answer to a question.', 'Leave n out.', '/n');
  if (tools && tools.length > 0)
    throw invalid('No tools are called here.', 'Leave tools out; MCP clients find them at /mcp.', '/tools');
  if (format && format.type !== 'text')
    throw invalid('Answers are text.', 'Leave response_format out; POST /v1/ask answers in JSON.', '/response_format');
  const position = messages.findLastIndex(({ role }) => role === 'user');
  const message = messages[position];
  if (!message) throw invalid('No message is of the user.', 'Ask something.', '/messages');
  const pointer = `/messages/${position}/content`;
  if (!isText(message)) throw invalid('A question is text here.', 'Leave pictures and sound out.', pointer);
  const question = textOf(message);
  if (question.length === 0 || question.length > MAX_QUERY_LENGTH)
    throw invalid(`The question has ${question.length} characters.`, `Write 1 to ${MAX_QUERY_LENGTH}.`, pointer);
  return question;
}

/** What was asked and answered before the question. What others say in a chat, and what is no text, is passed over. */
export function turnsOf({ messages }: ChatRequest): Turn[] {
  const before = messages.slice(
    0,
    messages.findLastIndex(({ role }) => role === 'user'),
  );
  const turns: Turn[] = [];
  for (const message of before) {
    const last = turns.at(-1);
    if (message.role === 'user') turns.push({ question: textOf(message), answer: '' });
    else if (message.role === 'assistant' && last)
      turns.splice(-1, 1, { ...last, answer: `${last.answer}\n${textOf(message)}`.trim() });
  }
  return turns.slice(-MAX_TURNS);
}

function partsOf({ content }: Message) {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
}

function isText(message: Message): boolean {
  return partsOf(message).every(({ type }) => type === 'text');
}

function textOf(message: Message): string {
  return partsOf(message)
    .map((part) => ('text' in part && typeof part.text === 'string' ? part.text : ''))
    .join('\n')
    .trim();
}

export function chatJson(head: ChatHead, answer: AskAnswer, links: PlaceLinks): z.infer<typeof chatSchema> {
  const content = chatPieces(answer).join('');
  return {
    ...head,
    object: 'chat.completion',
    model: answer.model ?? NO_MODEL,
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
    ],
    ...besideOf(answer, links),
  };
}

/** The pieces of a stream, in order: who speaks, a sentence each, and that it is over, with the citations. */
export function* chatChunks(head: ChatHead, answer: AskAnswer, links: PlaceLinks): Generator<ChatChunk> {
  const piece = (delta: ChatChunk['choices'][0]['delta'], finish: 'stop' | null = null): ChatChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    model: answer.model ?? NO_MODEL,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  });
  yield piece({ role: 'assistant', content: '' });
  for (const content of chatPieces(answer)) yield piece({ content });
  yield { ...piece({}, 'stop'), ...besideOf(answer, links) };
}

/** Sentences with their times, since most programs show nothing else of an answer. */
function chatPieces({ found, sentences, note }: AskAnswer): string[] {
  const lines = sentences.map(({ text, citations }) => `${text} (${citations.map(placeText).join('; ')})`);
  const said = found ? lines : ['The library does not show it.', ...lines];
  const all = note === undefined ? said : [...said, `Note: ${note}`];
  return all.map((line, index) => (index === 0 ? line : `\n\n${line}`));
}

function placeText({ title, start, end }: Citation): string {
  return `${title}, ${formatTime(start)} – ${formatTime(end)}`;
}

function besideOf({ found, by, searchedFor, note, sentences }: AskAnswer, links: PlaceLinks) {
  const places = new Map<string, Citation>();
  for (const place of sentences.flatMap(({ citations }) => citations))
    places.set(JSON.stringify([place.videoId, place.start, place.end, place.text]), place);
  return {
    citations: [...places.values()].map((place) => citationJson(place, links)),
    longwatch: {
      found,
      by,
      ...(searchedFor === undefined ? {} : { searched_for: searchedFor }),
      ...(note === undefined ? {} : { note }),
    },
  };
}

/** The member in which clients of OpenAI look for what went wrong; it stands beside the problem's own. */
export function chatError(error: LongwatchError) {
  return {
    error: {
      message: error.code === 'internal' ? error.title : error.message,
      type: error.status === 429 ? 'rate_limit_error' : error.status < 500 ? 'invalid_request_error' : 'server_error',
      param: error.pointer?.slice(1).replaceAll('/', '.') ?? null,
      code: error.code,
    },
  };
}

function invalid(message: string, hint: string, pointer: string): LongwatchError {
  return new LongwatchError('invalid_input', message, { hint, pointer });
}
