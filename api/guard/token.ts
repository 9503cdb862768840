/** Who asks, and what they may do: tokens with scopes, in the header or in the cookie that the page gets for one. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { LongwatchError } from '../../src/errors.js';
import type { Scope } from '../../src/settings.js';
import { type ApiEnv, type Context, getCookie, type MiddlewareHandler } from '../hono.js';
import type { ApiConfig } from '../ports.js';
import { mayDo, scopesOf } from './scope.js';

export const SESSION_COOKIE = 'longwatch_session';

/** Someone with a token. */
export interface Caller {
  /** Tells callers apart in logs, limits and stored keys; says nothing about the token. */
  readonly id: string;
  readonly scopes: readonly Scope[];
}

interface KnownToken extends Caller {
  readonly token: string;
  readonly session: string;
}

/** Every token of the configuration; `token` alone may do everything. */
export function knownTokens({ token, tokens = [] }: Pick<ApiConfig, 'token' | 'tokens'>): readonly KnownToken[] {
  const all = [...(token === undefined ? [] : [{ token, scopes: ['admin' as const] }]), ...tokens];
  return all.map((known) => ({
    ...known,
    id: createHash('sha256').update(`longwatch caller ${known.token}`).digest('hex').slice(0, 16),
    session: sessionValue(known.token),
  }));
}

/** Whether the server asks for tokens at all. */
export function asksForToken(config: Pick<ApiConfig, 'token' | 'tokens'>): boolean {
  return knownTokens(config).length > 0;
}

/** Equal strings, in a time that tells nothing about where they differ. */
export function sameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'longwatch compare').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/** What the cookie holds: derived from the token, so that the token itself is not stored by the browser. */
export function sessionValue(token: string): string {
  return createHmac('sha256', token).update('longwatch session').digest('hex');
}

/** Finds out who asks and notes it as `caller`; refuses nobody, so that limits can count before anyone is refused. */
export function identify(config: ApiConfig): MiddlewareHandler<ApiEnv> {
  const known = knownTokens(config);
  return async (c, next) => {
    const caller = callerOf(c, known);
    if (caller) c.set('caller', { id: caller.id, scopes: caller.scopes });
    await next();
  };
}

/**
 * Media elements cannot send an `Authorization` header, so the page signs in once (`POST /v1/session`) and then has a cookie.
 * @param openPaths Paths that need no token.
 * @throws {LongwatchError} `unauthorized` without a token that fits, `forbidden` with one that may not do this
 */
export function tokenGuard(openPaths: ReadonlySet<string>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (openPaths.has(c.req.path)) return next();
    const caller = c.get('caller');
    if (!caller) {
      c.header('WWW-Authenticate', 'Bearer realm="longwatch"');
      throw new LongwatchError('unauthorized', 'This server asks for a token, and the request has none that fits.', {
        hint: 'Send it as "Authorization: Bearer <token>", or sign in on the page.',
      });
    }
    const wanted = scopesOf(c.req.method, c.req.path);
    if (!mayDo(caller.scopes, wanted)) {
      c.header('WWW-Authenticate', `Bearer realm="longwatch", error="insufficient_scope", scope="${wanted.join(' ')}"`);
      throw new LongwatchError('forbidden', `This needs a token with the scope ${wanted.join(' or ')}.`, {
        hint: `The token that was sent has: ${caller.scopes.join(', ')}.`,
      });
    }
    await next();
  };
}

function callerOf(c: Context<ApiEnv>, known: readonly KnownToken[]): KnownToken | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (bearer !== undefined) return known.find(({ token }) => sameSecret(bearer, token));
  const cookie = getCookie(c, SESSION_COOKIE);
  return cookie === undefined ? undefined : known.find(({ session }) => sameSecret(cookie, session));
}
