/** A question about the library, answered in cited sentences: as one document, or as it comes. */

import type { AskStep } from '../../src/ask.js';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { EVENT_STREAM, EVENT_STREAM_HEADERS, orSilence, STILL_HERE, serverSentEvent } from '../event-stream.js';
import { wantsStream } from '../guard/accept.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { askJson, askRequestSchema, askSchema, citationJson } from '../schema/ask.js';
import { problemJson } from '../schema/problem.js';
import { textStream } from '../text-stream.js';
import { placeLinks } from './place-links.js';
import { problems } from './responses.js';

const post = createRoute({
  method: 'post',
  path: '/v1/ask',
  operationId: 'ask',
  tags: ['Search'],
  summary: 'Answer a question in sentences that name the times they rest on',
  description:
    'With `Accept: text/event-stream`: the event `found` with the places that the search found, then a `sentence` each, then `answer` with the whole document; with `ground`, `looking` with `done` and `total` before each look at a window; `problem` in place of what failed.',
  request: { body: { required: true, content: { 'application/json': { schema: askRequestSchema } } } },
  responses: {
    200: {
      description: 'The answer; `found` is false when the library does not show it.',
      content: {
        'application/json': { schema: askSchema },
        [EVENT_STREAM]: { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    ...problems,
  },
});

/** @param shutdown Ends the streams, so that the server can close. */
export function askRoutes({ ask }: ApiParts, shutdown: AbortSignal) {
  return new OpenAPIHono<ApiEnv>().openapi(post, async (c) => {
    const { question, video_ids: videoIds, tags, turns, ground } = c.req.valid('json');
    const request = {
      question,
      ...(videoIds ? { videoIds } : {}),
      ...(tags ? { tags } : {}),
      ...(turns ? { turns } : {}),
      ...(ground === undefined ? {} : { ground }),
    };
    if (!wantsStream(c)) {
      for await (const step of ask(request, c.req.raw.signal))
        if (step.kind === 'answer') return c.json(askJson(step.answer, placeLinks), 200);
      throw new LongwatchError('internal', 'A question ended without an answer.');
    }
    const left = new AbortController();
    const steps = ask(request, AbortSignal.any([shutdown, left.signal]));
    // What is wrong with the question shows here, while the status can still say so.
    const first = await steps.next();
    const body = textStream(answerEvents(first, steps, c.get('requestId')), {
      eager: true,
      onCancel: () => left.abort(),
    });
    return c.newResponse(body, 200, EVENT_STREAM_HEADERS) as never;
  });
}

async function* answerEvents(
  first: IteratorResult<AskStep>,
  steps: AsyncGenerator<AskStep>,
  requestId: string,
): AsyncGenerator<string> {
  try {
    for (let next = first; !next.done; ) {
      yield* eventsOf(next.value);
      for await (const waited of orSilence(steps.next())) {
        if (waited === 'silence') yield STILL_HERE;
        else next = waited;
      }
    }
  } catch (thrown) {
    yield serverSentEvent('problem', problemJson(toLongwatchError(thrown), requestId));
  }
}

function* eventsOf(step: AskStep): Generator<string> {
  if (step.kind === 'looking') {
    yield serverSentEvent('looking', { done: step.done, total: step.total });
    return;
  }
  if (step.kind === 'found') {
    yield serverSentEvent('found', { citations: step.citations.map((citation) => citationJson(citation, placeLinks)) });
    return;
  }
  const answer = askJson(step.answer, placeLinks);
  for (const sentence of answer.sentences) yield serverSentEvent('sentence', sentence);
  yield serverSentEvent('answer', answer);
}
