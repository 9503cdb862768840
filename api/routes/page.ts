/** The page at `/` and the documentation at `/docs`: files that need nothing from elsewhere. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { docsHtml, type OpenApiDocument } from '../docs-html.js';
import { type ApiEnv, type Context, OpenAPIHono } from '../hono.js';
import { matchesEtag } from './media.js';

const SCRIPT = 'text/javascript; charset=utf-8';

const FILES = {
  '/': { name: 'page.html', type: 'text/html; charset=utf-8' },
  '/page/page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
  '/page/page.js': { name: 'page.js', type: SCRIPT },
  '/page/dom.js': { name: 'dom.js', type: SCRIPT },
  '/page/hits.js': { name: 'hits.js', type: SCRIPT },
  '/page/jobs.js': { name: 'jobs.js', type: SCRIPT },
  '/page/player.js': { name: 'player.js', type: SCRIPT },
  '/page/videos.js': { name: 'videos.js', type: SCRIPT },
  '/icon.svg': { name: 'icon.svg', type: 'image/svg+xml' },
} as const;

/** Files of the page; they hold no data of the library, so they are open. */
export const PAGE_PATHS = Object.keys(FILES);

/** @param document The OpenAPI document of the finished app. */
export function pageRoutes(document: () => OpenApiDocument) {
  const app = new OpenAPIHono<ApiEnv>();
  for (const [path, { name, type }] of Object.entries(FILES)) {
    const body = readFileSync(new URL(`../page/${name}`, import.meta.url), 'utf8');
    app.get(path, (c) => cached(c, body, type));
  }
  app.get('/openapi.json', (c) => cached(c, JSON.stringify(document()), 'application/json'));
  app.get('/docs', (c) => cached(c, docsHtml(document()), 'text/html; charset=utf-8'));
  return app;
}

function cached(c: Context<ApiEnv>, body: string, type: string): Response {
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
  const headers = { 'Content-Type': type, 'Cache-Control': 'no-cache', ETag: etag };
  return matchesEtag(c.req.header('if-none-match'), etag)
    ? c.newResponse(null, 304, headers)
    : c.newResponse(body, 200, headers);
}
