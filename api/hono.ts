/** The one file that knows Hono and its OpenAPI layer; everything else in `api/` takes them from here. */

import type { Caller } from './guard/token.js';

export { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
export type { Context, MiddlewareHandler } from 'hono';
export { accepts } from 'hono/accepts';
export { bodyLimit } from 'hono/body-limit';
export { compress } from 'hono/compress';
export { deleteCookie, getCookie, setCookie } from 'hono/cookie';
export { HTTPException } from 'hono/http-exception';
export { requestId } from 'hono/request-id';
export { matchedRoutes } from 'hono/route';
export { secureHeaders } from 'hono/secure-headers';
export type { ContentfulStatusCode } from 'hono/utils/http-status';

/** What a request carries through the app. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    /** Who asks, by the token; absent without one that fits. */
    caller?: Caller;
    /** The job that the request made or asked for: the log names both, so that a job's log lines are found from its request. */
    jobId?: string;
  };
}
