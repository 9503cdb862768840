/** Opens the port. The one file that knows `@hono/node-server`. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { RateLimit } from '../src/config.js';
import { LongwatchError } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';
import { createApp } from './app.js';
import { answerBrokenRequests } from './broken-request.js';
import { isLoopback } from './guard/host.js';
import { asksForToken } from './guard/token.js';
import type { ApiParts } from './ports.js';

export interface ServerOptions {
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export interface ApiServer {
  /** Where a browser finds the page, e.g. `http://127.0.0.1:7333`. */
  readonly url: string;
  readonly port: number;
  /**
   * Takes no more requests, ends the streams, lets running requests finish and then cuts what is left.
   * @param grace How long running requests may take. @default 5,000
   */
  close(grace?: Milliseconds): Promise<void>;
}

/** Where others can ask. Two a second is more than a person clicks; a page asks for twenty frames at once. */
const DEFAULT_RATE_LIMIT: RateLimit = { perMinute: 600, burst: 120 };
/** A client must send its head, and then its whole request, within these times. */
const HEADERS_TIMEOUT: Milliseconds = 15_000;
const REQUEST_TIMEOUT: Milliseconds = 60_000;
/** A connection over which nothing moves for so long is cut; a player that was paused simply asks again. */
const IDLE_TIMEOUT: Milliseconds = 5 * 60_000;

/**
 * Serves the API and the page until `close`.
 * @throws {LongwatchError} `bad_config` when the address is taken, unknown or needs rights, or when it can be reached from other
 * machines and no token is set
 */
export async function startServer(parts: ApiParts, { host = '127.0.0.1', port }: ServerOptions): Promise<ApiServer> {
  const guarded = asksForToken(parts.config);
  if (!isLoopback(host) && !guarded)
    throw new LongwatchError('bad_config', `Without a token the server does not listen on ${host}.`, {
      hint: 'Other machines could read the library. Set a token, or listen on 127.0.0.1.',
    });
  const shutdown = new AbortController();
  const rateLimit = parts.config.rateLimit ?? (isLoopback(host) && !guarded ? false : DEFAULT_RATE_LIMIT);
  const app = createApp(
    { ...parts, config: { ...parts.config, rateLimit } },
    shutdown.signal,
    (c) => getConnInfo(c).remote.address,
  );
  const server = createAdaptorServer({ fetch: app.fetch, hostname: host }) as Server;
  server.headersTimeout = HEADERS_TIMEOUT;
  server.requestTimeout = REQUEST_TIMEOUT;
  server.setTimeout(IDLE_TIMEOUT);
  answerBrokenRequests(server);
  await listen(server, host.replace(/^\[(.*)\]$/, '$1'), port);
  const bound = server.address() as AddressInfo;
  return {
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    port: bound.port,
    async close(grace = 5_000) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      shutdown.abort();
      // A connection whose stream just ended is idle only now, and would otherwise be kept alive for seconds.
      const sweep = setInterval(() => server.closeIdleConnections(), 20);
      const cut = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearInterval(sweep);
      clearTimeout(cut);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new LongwatchError('bad_config', `The server cannot listen on ${host}:${port}: ${cause.message}.`, {
          hint:
            cause.code === 'EADDRINUSE' ? 'Another program uses the port; choose another one.' : 'Check host and port.',
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
}
