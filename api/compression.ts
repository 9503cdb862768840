/** Answers of words made smaller on their way, where that is worth it. */

import { type ApiEnv, type Context, compress, type MiddlewareHandler } from './hono.js';

/** What gets smaller: words. Pictures and films do not, and a stream would wait for more. */
const COMPRESSIBLE = /^(?:application\/(?:json|x-ndjson|x-subrip)|text\/(?!event-stream)|image\/svg)/;

/** Below this an answer fits into one packet either way, and gzip would only add its own head and work. */
const WORTH_BYTES = 1024;

/** Of answers to `GET` only: what else is sent is small, or holds a secret beside words of the asker. */
export function compression(): MiddlewareHandler<ApiEnv> {
  const compressed = compress({ encoding: 'gzip', contentTypeFilter: COMPRESSIBLE, threshold: WORTH_BYTES });
  return (c, next) => {
    if (c.req.method !== 'GET') return next();
    return compressed(c, async () => {
      await next();
      if (c.req.header('accept-encoding') !== undefined) await measure(c);
    });
  };
}

/** An answer whose length nobody has said gets it where it is small. At most `WORTH_BYTES` and one more piece of it are read ahead. */
async function measure(c: Context<ApiEnv>): Promise<void> {
  const { body, headers } = c.res;
  if (!body || headers.has('content-length') || !COMPRESSIBLE.test(headers.get('content-type') ?? '')) return;
  const reader = body.getReader();
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < WORTH_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) {
      c.res = new Response(Buffer.concat(pieces), c.res);
      c.res.headers.set('Content-Length', String(length));
      return;
    }
    pieces.push(value);
    length += value.length;
  }
  c.res = new Response(putBack(pieces, reader), c.res);
}

/** The same stream from its beginning. */
function putBack(pieces: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const first = pieces.shift();
        if (first) return controller.enqueue(first);
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
