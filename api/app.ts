/** The API and its page as one Hono app, from parts that are handed in. It opens no port (see `server.ts`). */

import { LongwatchError } from '../src/errors.js';
import { MAX_PICTURE_BYTES } from '../src/picture-search.js';
import { hostGuard } from './guard/host.js';
import { tokenGuard } from './guard/token.js';
import { type ApiEnv, bodyLimit, type MiddlewareHandler, OpenAPIHono, requestId, secureHeaders } from './hono.js';
import type { ApiParts, Log } from './ports.js';
import { onError, problemResponse, validationError } from './problem-response.js';
import { askRoutes } from './routes/ask.js';
import { clipRoutes } from './routes/clip.js';
import { estimateRoutes } from './routes/estimate.js';
import { eventRoutes } from './routes/events.js';
import { exportRoutes } from './routes/export.js';
import { frameRoutes } from './routes/frames.js';
import { healthRoutes } from './routes/health.js';
import { jobRoutes } from './routes/jobs.js';
import { lookRoutes } from './routes/look.js';
import { mediaRoutes } from './routes/media.js';
import { modelRoutes } from './routes/models.js';
import { overviewRoutes } from './routes/overview.js';
import { PAGE_PATHS, pageRoutes } from './routes/page.js';
import { searchRoutes } from './routes/search.js';
import { segmentRoutes } from './routes/segments.js';
import { sessionRoutes } from './routes/session.js';
import { summaryRoutes } from './routes/summary.js';
import { UPLOADS_PATH, uploadRoutes } from './routes/uploads.js';
import { videoRoutes } from './routes/videos.js';

/** Bodies are questions and paths, but for the pieces of uploads. */
const BODY_BYTES_MAX = 1024 * 1024;
/** A search may carry a picture, in base64. */
const SEARCH_BYTES_MAX = BODY_BYTES_MAX + Math.ceil((4 / 3) * MAX_PICTURE_BYTES);

/** Paths that are answered without a token. */
const OPEN_PATHS = new Set(['/live', '/ready', '/v1/session', ...PAGE_PATHS]);

/**
 * Every route of `INTERFACE` that this part serves, with its guards. Errors are problem details; the app never throws.
 * @param shutdown Ends the streams of clients, so that a server can close. @default never
 */
export function createApp(parts: ApiParts, shutdown: AbortSignal = new AbortController().signal): OpenAPIHono<ApiEnv> {
  const { config, log } = parts;
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error, result.target);
    },
  });
  app.onError(onError(log));
  app.use(requestId(), logLine(log), headers());
  app.use(hostGuard(config));
  if (config.token !== undefined) app.use(tokenGuard(config.token, OPEN_PATHS));
  const [small, large] = [BODY_BYTES_MAX, SEARCH_BYTES_MAX].map(limitBody) as [Guard, Guard];
  app.use((c, next) => {
    // Pieces of uploads have limits of their own.
    if (c.req.path.startsWith(UPLOADS_PATH)) return next();
    return (c.req.path === '/v1/search' ? large : small)(c, next);
  });

  app.route('/', searchRoutes(parts));
  app.route('/', askRoutes(parts, shutdown));
  app.route('/', videoRoutes(parts));
  app.route('/', estimateRoutes(parts));
  app.route('/', uploadRoutes(parts));
  app.route('/', segmentRoutes(parts));
  app.route('/', eventRoutes(parts));
  app.route('/', overviewRoutes(parts));
  app.route('/', exportRoutes(parts));
  app.route('/', mediaRoutes(parts));
  app.route('/', frameRoutes(parts));
  app.route('/', clipRoutes(parts));
  app.route('/', lookRoutes(parts));
  app.route('/', summaryRoutes(parts));
  app.route('/', modelRoutes(parts));
  app.route('/', jobRoutes(parts, shutdown));
  app.route('/', sessionRoutes(parts));
  app.route('/', healthRoutes(parts, shutdown));
  app.route(
    '/',
    pageRoutes(() => openApiDocument(app, config.version)),
  );
  const methodsOf = methodTable(app);
  app.notFound((c) => {
    const methods = methodsOf(c.req.path);
    if (methods.length === 0)
      return problemResponse(
        c,
        new LongwatchError('not_found', 'There is nothing at this address.', { hint: 'See /docs.' }),
      );
    c.header('Allow', methods.join(', '));
    return problemResponse(
      c,
      new LongwatchError('method_not_allowed', `${c.req.method} is not possible here; ${methods.join(', ')} is.`),
    );
  });
  return app;
}

/** OpenAPI 3.1 of all routes. */
export function openApiDocument(app: OpenAPIHono<ApiEnv>, version: string) {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Longwatch',
      version,
      description: 'When does X happen? Answers over hours of video, with times that a player can jump to.',
    },
    servers: [{ url: '/' }],
  });
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

/** One line per request: no query and no headers, where questions and tokens stand. */
function logLine(log: Log): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const ms = Math.round(performance.now() - start);
    const { status } = c.res;
    log.info({ request: c.get('requestId'), method: c.req.method, path: c.req.path, status, ms }, 'request');
  };
}

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

/** Which methods a path has, from the routes themselves. */
function methodTable(app: OpenAPIHono<ApiEnv>): (path: string) => string[] {
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replace(/:[^/]+/g, '[^/]+')}$`) }));
  return (path) => {
    const methods = new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  };
}
