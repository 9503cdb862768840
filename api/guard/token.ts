/** Asks for the token, in the header or in the cookie that the page gets for it. */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, type Context, getCookie, type MiddlewareHandler } from '../hono.js';

export const SESSION_COOKIE = 'longwatch_session';

/** Equal strings, in a time that tells nothing about where they differ. */
export function sameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'longwatch compare').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/** What the cookie holds: derived from the token, so that the token itself is not stored by the browser. */
export function sessionValue(token: string): string {
  return createHmac('sha256', token).update('longwatch session').digest('hex');
}

/**
 * Media elements cannot send an `Authorization` header, so the page signs in once (`POST /v1/session`) and then has a cookie.
 * @param openPaths Paths that need no token.
 * @throws {LongwatchError} `unauthorized`
 */
export function tokenGuard(token: string, openPaths: ReadonlySet<string>): MiddlewareHandler<ApiEnv> {
  const session = sessionValue(token);
  return async (c, next) => {
    if (!openPaths.has(c.req.path) && !hasToken(c, token, session)) {
      c.header('WWW-Authenticate', 'Bearer realm="longwatch"');
      throw new LongwatchError('unauthorized', 'This server asks for a token, and the request has none that fits.', {
        hint: 'Send it as "Authorization: Bearer <token>", or sign in on the page.',
      });
    }
    await next();
  };
}

function hasToken(c: Context<ApiEnv>, token: string, session: string): boolean {
  const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (bearer !== undefined) return sameSecret(bearer, token);
  const cookie = getCookie(c, SESSION_COOKIE);
  return cookie !== undefined && sameSecret(cookie, session);
}
