/** Signing in on the page: media elements cannot send a header, so the token is changed for a cookie. */

import { LongwatchError } from '../../src/errors.js';
import { knownTokens, SESSION_COOKIE, sameSecret } from '../guard/token.js';
import { type ApiEnv, createRoute, deleteCookie, OpenAPIHono, setCookie, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { problems } from './responses.js';

const open = createRoute({
  method: 'post',
  path: '/v1/session',
  operationId: 'openSession',
  tags: ['Session'],
  summary: 'Change the token for a cookie',
  request: {
    body: {
      required: true,
      content: {
        'application/json': { schema: z.strictObject({ token: z.string().min(1).max(1024) }).openapi('Token') },
      },
    },
  },
  responses: { 204: { description: 'The cookie is set.' }, ...problems },
});

const close = createRoute({
  method: 'delete',
  path: '/v1/session',
  operationId: 'closeSession',
  tags: ['Session'],
  summary: 'Give the cookie back',
  responses: { 204: { description: 'The cookie is gone.' }, ...problems },
});

export function sessionRoutes({ config }: ApiParts) {
  const tokens = knownTokens(config);
  return new OpenAPIHono<ApiEnv>()
    .openapi(open, (c) => {
      if (tokens.length > 0) {
        const given = c.req.valid('json').token;
        const known = tokens.find(({ token }) => sameSecret(given, token));
        if (!known)
          throw new LongwatchError('unauthorized', 'That is not the token of this server.', {
            hint: 'It stands in the configuration of the server.',
          });
        const secure = new URL(c.req.url).protocol === 'https:';
        setCookie(c, SESSION_COOKIE, known.session, { httpOnly: true, sameSite: 'Strict', path: '/', secure });
      }
      return c.body(null, 204);
    })
    .openapi(close, (c) => {
      deleteCookie(c, SESSION_COOKIE, { path: '/' });
      return c.body(null, 204);
    });
}
