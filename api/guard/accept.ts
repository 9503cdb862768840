/** What a client can read (`Accept`, RFC 9110 section 12.5.1), where an answer comes as JSON. */

import { LongwatchError } from '../../src/errors.js';
import { EVENT_STREAM } from '../event-stream.js';
import { type ApiEnv, accepts, type Context, type MiddlewareHandler, type OpenAPIHono } from '../hono.js';

const JSON_TYPE = 'application/json';

/** Probes ask for a status; what they would read of a body is nobody's business. The protocol of `/mcp` has rules of its own. */
const EXEMPT = new Set(['/live', '/ready', '/mcp']);

/**
 * How much a client wants an answer of a type: 0 is not at all, 1 most. The most specific range that covers the type counts, whatever
 * others say. Without a header all is wanted.
 */
export function qualityOf(c: Context<ApiEnv>, type: string): number {
  let quality = 1;
  accepts(c, {
    header: 'Accept',
    supports: [],
    default: '',
    match: (ranges) => {
      const fitting = ranges
        .map((range) => ({ q: range.q, rank: rankOf(range.type.toLowerCase(), type) }))
        .filter(({ rank }) => rank > 0);
      const best = Math.max(0, ...fitting.map(({ rank }) => rank));
      quality = Math.max(0, ...fitting.filter(({ rank }) => rank === best).map(({ q }) => q));
      return '';
    },
  });
  return quality;
}

/** How closely a range means a type; 0: it does not. Old clients write `*` for all. */
function rankOf(range: string, type: string): number {
  if (range === type) return 3;
  if (range === `${type.split('/', 1)[0]}/*`) return 2;
  return range === '*/*' || range === '*' ? 1 : 0;
}

/** Whether a client that may have JSON would rather have the answer as it comes. It has to name that form. */
export function wantsStream(c: Context<ApiEnv>): boolean {
  const named = (c.req.header('accept') ?? '').toLowerCase().includes(EVENT_STREAM);
  return named && qualityOf(c, EVENT_STREAM) > 0 && qualityOf(c, EVENT_STREAM) >= qualityOf(c, JSON_TYPE);
}

/**
 * Refuses who can read none of what an address answers with, before anything is done. Counts where that is JSON, or JSON and a stream of
 * events; where a parameter or the address names the form (exports, pictures, films), that one counts.
 * @param app whose routes are looked at when the first request comes
 * @throws {LongwatchError} `not_acceptable`
 */
export function acceptGuard(app: OpenAPIHono<ApiEnv>): MiddlewareHandler<ApiEnv> {
  let routes: readonly FormedRoute[] | undefined;
  return (c, next) => {
    const { path } = c.req;
    if (c.req.header('accept') === undefined || EXEMPT.has(path)) return next();
    routes ??= routesWithForms(app);
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
    const forms = routes.find((route) => route.method === method && route.pattern.test(path))?.forms ?? [];
    if (forms.length === 0 || forms.some((form) => qualityOf(c, form) > 0)) return next();
    throw new LongwatchError('not_acceptable', `The answer comes as ${forms.join(' or ')}.`, {
      hint: `Send the header "Accept: ${JSON_TYPE}", or none. Tables and subtitles: GET /v1/videos/{id}/export.`,
    });
  };
}

interface FormedRoute {
  readonly method: string;
  readonly pattern: RegExp;
  /** Media types of what it answers when all is well. */
  readonly forms: readonly string[];
}

function routesWithForms(app: OpenAPIHono<ApiEnv>): FormedRoute[] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return [];
    const { method, path, responses = {} } = definition.route;
    const forms = Object.entries(responses).flatMap(([status, response]) =>
      status.startsWith('2') && 'content' in response ? Object.keys(response.content ?? {}) : [],
    );
    const guarded = forms.includes(JSON_TYPE) && forms.every((form) => form === JSON_TYPE || form === EVENT_STREAM);
    const pattern = new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`);
    return guarded ? [{ method: method.toUpperCase(), pattern, forms }] : [];
  });
}
