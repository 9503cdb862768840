/** A request that is sent twice under one `Idempotency-Key` is done once: the second gets the first one's answer. */

import { createHash } from 'node:crypto';
import type { Library } from '../../index/library.js';
import type { KeptAnswer } from '../../index/store/kept-answers.js';
import { LongwatchError } from '../../src/errors.js';
import type { ApiEnv, Context, MiddlewareHandler } from '../hono.js';

/** Printable ASCII, as a header can carry. */
const KEY = /^[\x21-\x7e]{1,255}$/;
/** Of an answer, what belongs to it rather than to the way that it went. */
const KEPT_HEADERS = ['cache-control', 'content-type', 'location', 'upload-offset', 'tus-resumable'];

/**
 * Only answers that did something are kept: what failed may be tried again under the same key.
 * @throws {LongwatchError} `invalid_input` for a key that is none, or that was used for another request; `conflict` while the first is under way
 */
export function idempotencyGuard({ keptAnswers }: Library): MiddlewareHandler<ApiEnv> {
  const underWay = new Set<string>();
  return async (c, next) => {
    const key = c.req.header('idempotency-key');
    if (c.req.method !== 'POST' || key === undefined) return next();
    if (!KEY.test(key))
      throw new LongwatchError('invalid_input', 'The Idempotency-Key is not 1 to 255 printable characters.', {
        hint: 'Send a random UUID.',
      });
    const caller = c.get('caller')?.id ?? '';
    const request = await fingerprintOf(c);
    const kept = await keptAnswers.get(caller, key);
    if (kept) return answerAgain(c, kept, request);
    const claim = `${caller} ${key}`;
    if (underWay.has(claim))
      throw new LongwatchError('conflict', 'A request with this Idempotency-Key is under way.', {
        hint: 'Wait for its answer.',
      });
    underWay.add(claim);
    try {
      // The first request may have ended between the two looks.
      const meanwhile = await keptAnswers.get(caller, key);
      if (meanwhile) return answerAgain(c, meanwhile, request);
      await next();
      if (!c.res.ok) return;
      const headers = Object.fromEntries(
        KEPT_HEADERS.flatMap((name) => {
          const value = c.res.headers.get(name);
          return value === null ? [] : [[name, value]];
        }),
      );
      await keptAnswers.put(caller, key, { request, status: c.res.status, headers, body: await c.res.clone().text() });
    } finally {
      underWay.delete(claim);
    }
  };
}

function answerAgain(c: Context<ApiEnv>, kept: KeptAnswer, request: string): Response {
  if (kept.request !== request)
    throw new LongwatchError('invalid_input', 'The Idempotency-Key was used for another request.', {
      hint: 'Use a new key for each request.',
    });
  const { body, status, headers } = kept;
  const answer = new Response(body, { status, headers: { ...headers, 'Idempotency-Replayed': 'true' } });
  // In the log, this request leads to the job, too.
  const job = /^\/v1\/jobs\/(.+)$/.exec(answer.headers.get('location') ?? '')?.[1];
  if (job !== undefined) c.set('jobId', job);
  return answer;
}

/** What makes two requests the same one. */
async function fingerprintOf(c: Context<ApiEnv>): Promise<string> {
  const hash = createHash('sha256').update(`${c.req.method} ${c.req.path}\n`);
  for (const name of ['upload-length', 'upload-metadata']) hash.update(`${c.req.header(name) ?? ''}\n`);
  return hash.update(await c.req.text()).digest('hex');
}
