/** The API and its page as one Hono app, from parts that are handed in. It opens no port (see `server.ts`). */

import { LongwatchError } from '../src/errors.js';
import { MAX_PICTURE_BYTES } from '../src/picture-search.js';
import { compression } from './compression.js';
import { acceptGuard } from './guard/accept.js';
import { hostGuard } from './guard/host.js';
import { idempotencyGuard } from './guard/idempotency.js';
import { RateLimiter, rateGuard } from './guard/rate-limit.js';
import { saturationGuard } from './guard/saturation.js';
import { scopesOf } from './guard/scope.js';
import { asksForToken, identify, tokenGuard } from './guard/token.js';
import {
  type ApiEnv,
  bodyLimit,
  type Context,
  type MiddlewareHandler,
  matchedRoutes,
  OpenAPIHono,
  requestId,
  secureHeaders,
} from './hono.js';
import { RequestMetrics } from './metrics.js';
import type { ApiParts, Log } from './ports.js';
import { onError, problemResponse, validationError } from './problem-response.js';
import { addRoutes } from './routes/add-routes.js';
import { PAGE_PATHS, pageRoutes } from './routes/page.js';
import { UPLOADS_PATH } from './routes/uploads.js';

/** Bodies are questions and paths, but for the pieces of uploads. */
const BODY_BYTES_MAX = 1024 * 1024;
/** A search may carry a picture, in base64. */
const SEARCH_BYTES_MAX = BODY_BYTES_MAX + Math.ceil((4 / 3) * MAX_PICTURE_BYTES);

/** Paths that are answered without a token. */
const OPEN_PATHS = new Set(['/live', '/ready', '/v1/session', ...PAGE_PATHS]);
/** Paths that are not counted: they cost nothing, and a monitor must not be told that it asks too often. Signing in is counted. */
const STATIC_PATHS = new Set(['/live', '/ready', ...PAGE_PATHS]);

/** Requests that a model answers, one after another, and how many of them may wait for it. */
const MODEL_REQUESTS_MAX = 32;
const MODEL_PATHS = ['/v1/ask', '/v1/chat/completions', '/v1/videos/:id/look', '/v1/videos/:id/summary', '/mcp'];
const SEARCHES_MAX = 256;
/** They are made one after another, each for half a minute or so: who comes later would be told nothing before the connection is cut. */
const ESTIMATES_MAX = 8;

/** Requests that bring something in, which a client that heard no answer sends again. */
const IDEMPOTENT_PATHS = ['/v1/videos', '/v1/uploads', '/v1/watches'];

/** The other end of a connection, as the server knows it; no header says it. */
export type AddressOf = (c: Context<ApiEnv>) => string | undefined;

/**
 * Every route of `INTERFACE` that this part serves, with its guards. Errors are problem details; the app never throws.
 * @param shutdown Ends the streams of clients, so that a server can close. @default never
 * @param addressOf @default nobody's address is known, so that limits count all as one
 */
export function createApp(
  parts: ApiParts,
  shutdown: AbortSignal = new AbortController().signal,
  addressOf: AddressOf = () => undefined,
): OpenAPIHono<ApiEnv> {
  const { config, log } = parts;
  const metrics = new RequestMetrics();
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error, result.target);
    },
  });
  app.onError(onError(log));
  app.use(requestId(), observe(log, metrics), headers(), compression(), askAgain);
  app.use(hostGuard(config));
  app.use(identify(config));
  if (config.rateLimit) app.use(rateGuard(new RateLimiter(config.rateLimit), addressOf, STATIC_PATHS));
  if (asksForToken(config)) app.use(tokenGuard(OPEN_PATHS));
  const [small, large] = [BODY_BYTES_MAX, SEARCH_BYTES_MAX].map(limitBody) as [Guard, Guard];
  app.use((c, next) => {
    // Pieces of uploads have limits of their own.
    if (c.req.path.startsWith(UPLOADS_PATH)) return next();
    return (c.req.path === '/v1/search' ? large : small)(c, next);
  });
  for (const path of IDEMPOTENT_PATHS) app.use(path, idempotencyGuard(parts.library));
  const questions = saturationGuard(MODEL_REQUESTS_MAX, 'questions');
  for (const path of MODEL_PATHS) app.use(path, questions);
  app.use('/v1/search', saturationGuard(SEARCHES_MAX, 'searches'));
  app.use('/v1/estimate', saturationGuard(ESTIMATES_MAX, 'estimates'));

  // Known when all routes are there, and asked for by requests only.
  let methodsOf: MethodsOf | undefined;
  app.use((c, next) => {
    methodsOf ??= methodTable(app);
    const methods = methodsOf(c.req.path);
    const answered = methods.length === 0 || (methods.includes(c.req.method) && c.req.method !== 'OPTIONS');
    return answered ? next() : Promise.resolve(onlyThese(c, methods));
  });
  app.use(acceptGuard(app));
  addRoutes(app, { parts, shutdown, metrics });
  // Made once, when all routes are there: it takes tens of milliseconds.
  let document: ReturnType<typeof openApiDocument> | undefined;
  app.route(
    '/',
    pageRoutes(() => {
      document ??= openApiDocument(app, config.version);
      return document;
    }),
  );
  app.notFound((c) => {
    const shorter = c.req.path.replace(/\/+$/, '');
    const known = methodsOf !== undefined && methodsOf(shorter).length > 0;
    const hint = known ? `Leave out the slash at the end: ${shorter}` : 'See /docs.';
    return problemResponse(c, new LongwatchError('not_found', 'There is nothing at this address.', { hint }));
  });
  return app;
}

/** What an address can do, said to who asks and to who wants something else. */
function onlyThese(c: Context<ApiEnv>, methods: readonly string[]): Response {
  c.header('Allow', methods.join(', '));
  if (c.req.method === 'OPTIONS') return c.body(null, 204);
  return problemResponse(
    c,
    new LongwatchError('method_not_allowed', `${c.req.method} is not possible here; ${methods.join(', ')} is.`),
  );
}

/** OpenAPI 3.1 of all routes. */
export function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Longwatch',
      version,
      description: 'When does X happen? Answers over hours of video, with times that a player can jump to.',
    },
    servers: [{ url: '/' }],
  });
  document.components = {
    ...document.components,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'Asked for where the server has tokens.' },
    },
  };
  // OpenAPI 3.1 lets any scheme name the roles that an operation needs.
  for (const [path, item] of Object.entries(document.paths ?? {}))
    for (const method of ['get', 'post', 'put', 'patch', 'delete', 'head'] as const) {
      const operation = item[method];
      if (!operation) continue;
      const scopes = scopesOf(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'));
      operation.security = OPEN_PATHS.has(path) ? [] : scopes.map((scope) => ({ bearer: [scope] }));
    }
  return document;
}

type Guard = MiddlewareHandler<ApiEnv>;

function limitBody(maxSize: number): Guard {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new LongwatchError('payload_too_large', `The body is larger than ${maxSize} bytes.`);
    },
  });
}

/** One line per request: no query and no headers, where questions and tokens stand. And what a monitor counts. */
function observe(log: Log, metrics: RequestMetrics): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const start = performance.now();
    metrics.inFlight++;
    try {
      await next();
    } finally {
      metrics.inFlight--;
    }
    const took = performance.now() - start;
    const { status } = c.res;
    const caller = c.get('caller');
    const jobId = c.get('jobId');
    metrics.record(METHODS.has(c.req.method) ? c.req.method : 'other', routeOf(c), status, took);
    log.info(
      {
        request: c.get('requestId'),
        method: c.req.method,
        path: c.req.path,
        status,
        ms: Math.round(took),
        ...(caller ? { caller: caller.id } : {}),
        ...(jobId === undefined ? {} : { job_id: jobId }),
      },
      'request',
    );
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The pattern of the route that answered; "none" where there is none. */
function routeOf(c: Context<ApiEnv>): string {
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'none';
}

/** What says nothing else about it is for the asker alone, and is asked for anew each time. */
const askAgain: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'private, no-cache');
};

function headers(): MiddlewareHandler<ApiEnv> {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      // The page cuts clips with ffmpeg in WebAssembly; no text is ever run as a script.
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      mediaSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    // The server speaks plain HTTP; whoever puts TLS before it sets this header there.
    strictTransportSecurity: false,
    xFrameOptions: 'DENY',
  });
}

/** Sorted; none where there is nothing. */
type MethodsOf = (path: string) => readonly string[];

/**
 * Which methods a path has, from the routes themselves. A fixed path has its own only, though a pattern such as `/v1/jobs/:id` would fit
 * `/v1/jobs/pause` too.
 */
function methodTable(app: OpenAPIHono<ApiEnv>): MethodsOf {
  const byPath = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === 'ALL') continue;
    const methods = byPath.get(path) ?? new Set(['OPTIONS']);
    methods.add(method);
    if (method === 'GET') methods.add('HEAD');
    byPath.set(path, methods);
  }
  const rows = [...byPath].map(([path, methods]) => ({
    fixed: !path.includes(':'),
    pattern: new RegExp(`^${path.replace(/:[^/]+/g, '[^/]+')}$`),
    methods: [...methods].sort(),
  }));
  rows.sort((a, b) => Number(b.fixed) - Number(a.fixed));
  return (path) => rows.find(({ pattern }) => pattern.test(path))?.methods ?? [];
}
