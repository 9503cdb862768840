/** The library as a partner in a chat, for programs that speak to OpenAI's. */

import { randomUUID } from 'node:crypto';
import type { AskAnswer, AskStep } from '../../src/ask.js';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { EVENT_STREAM, EVENT_STREAM_HEADERS, orSilence, STILL_HERE } from '../event-stream.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import {
  CHAT_PATH,
  type ChatHead,
  chatChunks,
  chatError,
  chatJson,
  chatRequestSchema,
  chatSchema,
  questionOf,
  turnsOf,
} from '../schema/chat.js';
import { textStream } from '../text-stream.js';
import { placeLinks } from './place-links.js';
import { problems } from './responses.js';

const post = createRoute({
  method: 'post',
  path: CHAT_PATH,
  operationId: 'createChatCompletion',
  tags: ['Search'],
  summary: "Ask the library in the shape of OpenAI's chat",
  description:
    'What `POST /v1/ask` answers, as a chat completion: each sentence with its times, and the places beside it in `citations`. With `stream`: a chunk for each sentence. Token counts are not known and not given.',
  request: { body: { required: true, content: { 'application/json': { schema: chatRequestSchema } } } },
  responses: {
    200: {
      description: 'The answer.',
      content: {
        'application/json': { schema: chatSchema },
        [EVENT_STREAM]: { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    ...problems,
  },
});

/** @param shutdown Ends the streams, so that the server can close. */
export function chatRoutes({ ask }: ApiParts, shutdown: AbortSignal) {
  return new OpenAPIHono<ApiEnv>().openapi(post, async (c) => {
    const body = c.req.valid('json');
    const request = {
      question: questionOf(body),
      turns: turnsOf(body),
      ...(body.video_ids ? { videoIds: body.video_ids } : {}),
      ...(body.tags ? { tags: body.tags } : {}),
    };
    const head: ChatHead = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000) };
    if (!body.stream) {
      const answer = await answerOf(ask(request, c.req.raw.signal));
      return c.json(chatJson(head, answer, placeLinks), 200);
    }
    const left = new AbortController();
    const steps = ask(request, AbortSignal.any([shutdown, left.signal]));
    // What is wrong with the question shows here, while the status can still say so.
    const first = await steps.next();
    const pieces = textStream(chatStream(head, first, steps), { eager: true, onCancel: () => left.abort() });
    return c.newResponse(pieces, 200, EVENT_STREAM_HEADERS) as never;
  });
}

async function answerOf(steps: AsyncIterable<AskStep>): Promise<AskAnswer> {
  for await (const step of steps) if (step.kind === 'answer') return step.answer;
  throw new LongwatchError('internal', 'A question ended without an answer.');
}

async function* chatStream(
  head: ChatHead,
  first: IteratorResult<AskStep>,
  steps: AsyncGenerator<AskStep>,
): AsyncGenerator<string> {
  try {
    for (let next = first; !next.done; ) {
      if (next.value.kind === 'answer')
        for (const chunk of chatChunks(head, next.value.answer, placeLinks)) yield data(chunk);
      for await (const waited of orSilence(steps.next())) {
        if (waited === 'silence') yield STILL_HERE;
        else next = waited;
      }
    }
    yield 'data: [DONE]\n\n';
  } catch (thrown) {
    yield data(chatError(toLongwatchError(thrown)));
  }
}

/** Chunks have no names: clients tell them apart by their shape. */
function data(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
