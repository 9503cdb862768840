/** Refuses requests that a foreign page could have steered here: a rebound host name, a foreign origin. */

import { LongwatchError } from '../../src/errors.js';
import type { ApiEnv, MiddlewareHandler } from '../hono.js';
import type { ApiConfig } from '../ports.js';
import { asksForToken } from './token.js';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/**
 * A page on evil.example may resolve its own name to 127.0.0.1 and then speak to this server as "same origin"; its requests still carry
 * `Host: evil.example`. So only known names are answered (see `ApiConfig.hostNames`).
 * @throws {LongwatchError} `forbidden`
 */
export function hostGuard(config: ApiConfig): MiddlewareHandler<ApiEnv> {
  const known = new Set([...LOOPBACK_NAMES, ...(config.hostNames ?? []).map((name) => name.toLowerCase())]);
  const anyHost = asksForToken(config) && (config.hostNames ?? []).length === 0;
  return async (c, next) => {
    const host = (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase();
    if (!anyHost && !known.has(nameOf(host)) && !isLoopback(nameOf(host)))
      throw new LongwatchError('forbidden', `This server does not answer to the host name "${nameOf(host)}".`, {
        hint: 'Use localhost, or add the name to the host names of the configuration.',
      });
    const origin = c.req.header('origin');
    if (origin !== undefined && !SAFE_METHODS.includes(c.req.method) && originHost(origin) !== host)
      throw new LongwatchError('forbidden', `A page of ${origin} may not change anything here.`);
    await next();
  };
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/, '');
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
