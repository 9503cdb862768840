/** A client of the API for TypeScript: every path, parameter and answer has its type. Runs in Node and in browsers; brings nothing of the server along. */

import { hc } from 'hono/client';
import type { ApiRoutes } from './routes/add-routes.js';

export interface ClientOptions {
  /** Sent as a bearer token. @default none */
  readonly token?: string;
  /** Sent with every request, beside the token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What carries the requests. @default the platform's `fetch` */
  readonly fetch?: typeof fetch;
}

/**
 * A client of the server at `url`: `client.v1.search.$post({ json: { query: 'a dog barks' } })`. An answer is a `Response` whose `json()` has
 * the type of its status; a problem is an answer too, and nothing is thrown for it.
 */
export function createClient(url: string, { token, headers = {}, fetch }: ClientOptions = {}) {
  return hc<ApiRoutes>(url, {
    headers: { ...headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
    ...(fetch === undefined ? {} : { fetch }),
  });
}

/** Every route, as properties along its path. */
export type Client = ReturnType<typeof createClient>;
