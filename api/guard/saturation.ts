/** How many dear requests may be under way at once. What is beyond waits with its client, not in this process. */

import { LongwatchError } from '../../src/errors.js';
import { EVENT_STREAM } from '../event-stream.js';
import type { ApiEnv, MiddlewareHandler } from '../hono.js';

/**
 * A request counts until its answer is sent, streams included.
 * @param max Requests of the guarded routes at once.
 * @throws {LongwatchError} `overloaded`, which is answered with 503 and `Retry-After`
 */
export function saturationGuard(max: number, what: string): MiddlewareHandler<ApiEnv> {
  let running = 0;
  return async (c, next) => {
    if (running >= max)
      throw new LongwatchError('overloaded', `${max} ${what} are being answered already.`, {
        hint: 'Ask again in a few seconds.',
      });
    running++;
    let over = false;
    const end = () => {
      if (!over) running--;
      over = true;
    };
    try {
      await next();
      const { body, headers } = c.res;
      // Everything but a stream is ready by now.
      if (body && headers.get('content-type') === EVENT_STREAM) c.res = new Response(whenRead(body, end), c.res);
      else end();
    } catch (thrown) {
      end();
      throw thrown;
    }
  };
}

/** The same stream, which says when it is over or given up. */
function whenRead(body: ReadableStream<Uint8Array>, over: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          over();
          controller.close();
        } catch (thrown) {
          over();
          controller.error(thrown);
        }
      },
      async cancel(reason) {
        over();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
