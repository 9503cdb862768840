/** Which scope each request needs. One table, so that what a token may do is read in one place; a route that is in no row needs `admin`. */

import type { Scope } from '../../src/settings.js';

interface Row {
  readonly methods: readonly string[];
  /** The path itself, and with `/*` what lies below it. */
  readonly path: string;
  /** Any of these is enough; `admin` always is. */
  readonly scopes: readonly Scope[];
}

const LOOK = ['GET', 'HEAD', 'OPTIONS'];

/** The first row that fits counts. */
const TABLE: readonly Row[] = [
  // Addresses of webhooks are secrets of whoever receives there.
  { methods: [...LOOK, 'POST', 'PUT', 'PATCH', 'DELETE'], path: '/v1/watches/*', scopes: ['admin'] },
  // Who brings a film in may see how far it is.
  { methods: LOOK, path: '/v1/jobs/*', scopes: ['read', 'ingest'] },
  { methods: LOOK, path: '/v1/events/stream', scopes: ['read', 'ingest'] },
  { methods: [...LOOK, 'POST', 'PUT', 'PATCH', 'DELETE'], path: '/v1/uploads/*', scopes: ['ingest'] },
  { methods: ['POST'], path: '/v1/videos', scopes: ['ingest'] },
  // Tags: who brings films in sorts them.
  { methods: ['PATCH'], path: '/v1/videos/:id', scopes: ['ingest'] },
  { methods: ['POST'], path: '/v1/estimate', scopes: ['ingest'] },
  // All of the work, whoever asked for it.
  { methods: ['POST'], path: '/v1/jobs/pause', scopes: ['admin'] },
  { methods: ['POST'], path: '/v1/jobs/resume', scopes: ['admin'] },
  { methods: ['POST', 'DELETE'], path: '/v1/jobs/*', scopes: ['ingest'] },
  // Questions, which only read.
  { methods: ['POST'], path: '/v1/search/*', scopes: ['read'] },
  { methods: ['POST'], path: '/v1/ask', scopes: ['read'] },
  { methods: ['POST'], path: '/v1/videos/:id/look', scopes: ['read'] },
  { methods: ['POST'], path: '/v1/chat/completions', scopes: ['read'] },
  { methods: ['POST'], path: '/mcp', scopes: ['read'] },
  { methods: LOOK, path: '/*', scopes: ['read'] },
];

const ROWS = TABLE.map((row) => ({ ...row, pattern: patternOf(row.path) }));

/** Scopes of which a token needs one. */
export function scopesOf(method: string, path: string): readonly Scope[] {
  return ROWS.find((row) => row.methods.includes(method) && row.pattern.test(path))?.scopes ?? ['admin'];
}

export function mayDo(scopes: readonly Scope[], wanted: readonly Scope[]): boolean {
  return scopes.includes('admin') || wanted.some((scope) => scopes.includes(scope));
}

function patternOf(path: string): RegExp {
  const source = path.replace(/\/\*$/, '(?:/.*)?').replace(/:[^/]+/g, '[^/]+');
  return new RegExp(`^${source}$`);
}
