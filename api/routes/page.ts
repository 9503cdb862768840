/** The page at `/` and the documentation at `/docs`: files that need nothing from elsewhere. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { runnableUrl } from '../../src/thread.js';
import { docsHtml, type OpenApiDocument } from '../docs-html.js';
import { type Asset, ffmpegAssets } from '../ffmpeg-assets.js';
import { type ApiEnv, type Context, OpenAPIHono } from '../hono.js';
import { fileBytes, streamBytes } from '../media-file.js';
import { matchesEtag } from './media.js';

const SCRIPT = 'text/javascript; charset=utf-8';

const FILES = {
  '/': { name: 'page.html', type: 'text/html; charset=utf-8' },
  '/page/page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
  '/page/work.css': { name: 'work.css', type: 'text/css; charset=utf-8' },
  '/page/views.css': { name: 'views.css', type: 'text/css; charset=utf-8' },
  '/page/ask.js': { name: 'ask.js', type: SCRIPT },
  '/page/clip.js': { name: 'clip.js', type: SCRIPT },
  '/page/clip-worker.js': { name: 'clip-worker.js', type: SCRIPT },
  '/page/dom.js': { name: 'dom.js', type: SCRIPT },
  '/page/hits.js': { name: 'hits.js', type: SCRIPT },
  '/page/jobs.js': { name: 'jobs.js', type: SCRIPT },
  '/page/keys.js': { name: 'keys.js', type: SCRIPT },
  '/page/page.js': { name: 'page.js', type: SCRIPT },
  '/page/player.js': { name: 'player.js', type: SCRIPT },
  '/page/route.js': { name: 'route.js', type: SCRIPT },
  '/page/scenes.js': { name: 'scenes.js', type: SCRIPT },
  '/page/session.js': { name: 'session.js', type: SCRIPT },
  '/page/tags.js': { name: 'tags.js', type: SCRIPT },
  '/page/timeline.js': { name: 'timeline.js', type: SCRIPT },
  '/page/timeline-drawing.js': { name: 'timeline-drawing.js', type: SCRIPT },
  '/page/timeline-tiles.js': { name: 'timeline-tiles.js', type: SCRIPT },
  '/page/uploads.js': { name: 'uploads.js', type: SCRIPT },
  '/page/videos.js': { name: 'videos.js', type: SCRIPT },
  '/page/virtual-list.js': { name: 'virtual-list.js', type: SCRIPT },
  '/page/watches.js': { name: 'watches.js', type: SCRIPT },
  '/page/work.js': { name: 'work.js', type: SCRIPT },
  '/icon.svg': { name: 'icon.svg', type: 'image/svg+xml' },
} as const;

/** The rules of cutting, which the page shares with the server. */
const PLAN_PATH = '/page/clip-plan.js';
const ASSETS = ffmpegAssets();

/** Files of the page; they hold no data of the library, so they are open. */
export const PAGE_PATHS: readonly string[] = [...Object.keys(FILES), PLAN_PATH, ...ASSETS.keys()];

/** @param document The OpenAPI document of the finished app. */
export function pageRoutes(document: () => OpenApiDocument) {
  const app = new OpenAPIHono<ApiEnv>();
  for (const [path, { name, type }] of Object.entries(FILES)) {
    const body = readFileSync(new URL(`../page/${name}`, import.meta.url), 'utf8');
    app.get(path, (c) => cached(c, body, type));
  }
  const plan = runnableUrl(new URL('../../ingest/video/clip-plan.js', import.meta.url), import.meta.url);
  const planBody = readFileSync(plan, 'utf8');
  app.get(PLAN_PATH, (c) => cached(c, planBody, SCRIPT));
  for (const [path, asset] of ASSETS) app.get(path, (c) => sendAsset(c, asset));
  app.get('/openapi.json', (c) => cached(c, JSON.stringify(document()), 'application/json'));
  app.get('/docs', (c) => cached(c, docsHtml(document()), 'text/html; charset=utf-8'));
  return app;
}

/** Read from the disk as it is sent: the core has 32 MB. */
async function sendAsset(c: Context<ApiEnv>, { file, type, version }: Asset): Promise<Response> {
  const etag = `"${version}"`;
  const headers = { 'Cache-Control': 'no-cache', ETag: etag };
  if (matchesEtag(c.req.header('if-none-match'), etag)) return c.newResponse(null, 304, headers);
  const handle = await open(file);
  const { size } = await handle.stat();
  const all = { ...headers, 'Content-Type': type, 'Content-Length': String(size) };
  if (c.req.method !== 'HEAD')
    return c.newResponse(streamBytes(fileBytes(handle, size), { start: 0, end: size }), 200, all);
  await handle.close();
  return c.newResponse(null, 200, all);
}

function cached(c: Context<ApiEnv>, body: string, type: string): Response {
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
  const headers = { 'Content-Type': type, 'Cache-Control': 'no-cache', ETag: etag };
  return matchesEtag(c.req.header('if-none-match'), etag)
    ? c.newResponse(null, 304, headers)
    : c.newResponse(body, 200, headers);
}
