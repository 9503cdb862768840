import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportJsonSchema } from '../../api/export/document.js';
import { EXPORT_FORMAT_NAMES, EXPORT_FORMATS } from '../../api/export/formats.js';
import { z } from '../../api/hono.js';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

const ROUTES = [
  'DELETE /v1/jobs/{id}',
  'DELETE /v1/session',
  'DELETE /v1/uploads/{id}',
  'DELETE /v1/videos/{id}',
  'DELETE /v1/watches/{id}',
  'GET /live',
  'GET /metrics',
  'GET /ready',
  'GET /v1/events/stream',
  'GET /v1/folders',
  'GET /v1/jobs',
  'GET /v1/jobs/{id}',
  'GET /v1/models',
  'GET /v1/search',
  'GET /v1/status',
  'GET /v1/status/parts',
  'GET /v1/tags',
  'GET /v1/uploads/{id}',
  'GET /v1/videos',
  'GET /v1/videos/{id}',
  'GET /v1/videos/{id}/chapters',
  'GET /v1/videos/{id}/clip',
  'GET /v1/videos/{id}/events',
  'GET /v1/videos/{id}/export',
  'GET /v1/videos/{id}/frames/{frame}',
  'GET /v1/videos/{id}/media',
  'GET /v1/videos/{id}/segments',
  'GET /v1/videos/{id}/summary',
  'GET /v1/videos/{id}/timeline',
  'GET /v1/videos/{id}/transcript',
  'GET /v1/watches',
  'GET /v1/watches/{id}',
  'GET /v1/watches/{id}/deliveries',
  'GET /v1/workers',
  'PATCH /v1/uploads/{id}',
  'PATCH /v1/videos/{id}',
  'POST /mcp',
  'POST /v1/ask',
  'POST /v1/chat/completions',
  'POST /v1/estimate',
  'POST /v1/jobs/pause',
  'POST /v1/jobs/resume',
  'POST /v1/jobs/{id}/pause',
  'POST /v1/jobs/{id}/priority',
  'POST /v1/jobs/{id}/resume',
  'POST /v1/jobs/{id}/retry',
  'POST /v1/search',
  'POST /v1/session',
  'POST /v1/uploads',
  'POST /v1/videos',
  'POST /v1/videos/{id}/look',
  'POST /v1/watches',
];

let harness: Harness;
let document: Document;
beforeEach(async () => {
  harness = openHarness();
  document = (await harness.get('/openapi.json')).body as Document;
});
afterEach(() => harness.close());

describe('the OpenAPI document', () => {
  it('is of version 3.1 and lists every route', () => {
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual(ROUTES);
  });

  it('gives each operation a name of its own, a summary, an answer and a problem', () => {
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(ROUTES.length);
    for (const operation of operations) {
      expect(operation.summary).toMatch(/^\S.{5,}[^.]$/);
      expect(Object.keys(operation.responses).some((status) => /^[23]\d\d$/.test(status))).toBe(true);
      for (const range of ['4XX', '5XX'])
        expect(operation.responses[range]?.content?.['application/problem+json']?.schema).toEqual({
          $ref: '#/components/schemas/Problem',
        });
    }
  });

  it('declares every part of a path as a required parameter', () => {
    for (const [path, item] of Object.entries(document.paths))
      for (const operation of Object.values(item)) {
        const declared = (operation.parameters ?? []).filter(
          (parameter) => parameter.in === 'path' && parameter.required,
        );
        expect(declared.map((parameter) => parameter.name).sort()).toEqual(
          [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort(),
        );
      }
  });

  it('points at nothing that it does not hold', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1],
    );
    expect(refs.length).toBeGreaterThan(20);
    expect(refs.filter((name) => !Object.hasOwn(document.components.schemas, name ?? ''))).toEqual([]);
  });
});

describe('the documentation page', () => {
  it('shows every route without a script and without another server', async () => {
    const { body, headers } = await harness.get('/docs');
    const html = String(body);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const route of ROUTES) expect(html).toContain(`<code>${route.split(' ')[1]}</code>`);
    expect(html).not.toMatch(/<script|https?:\/\//);
  });
});

describe('the page', () => {
  it('loads only its own files, which all exist, and holds no inline script or style', async () => {
    const html = String((await harness.get('/')).body);
    expect(html).not.toMatch(/https?:\/\/|<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/);
    const files = [...html.matchAll(/(?:src|href)="(\/(?:page\/)?[\w.]+\.(?:js|css|svg))"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(files.sort()).toEqual(['/icon.svg', '/page/page.css', '/page/page.js', '/page/views.css', '/page/work.css']);
    const seen = new Set(files);
    for (const file of seen) {
      const { status, body } = await harness.get(file);
      expect([file, status]).toEqual([file, 200]);
      if (file.endsWith('.js'))
        for (const match of String(body).matchAll(/(?:from|import) '\.\/([\w-]+\.js)'/g)) seen.add(`/page/${match[1]}`);
    }
    expect(seen.size).toBe(25);
  });

  it('is not sent again to a browser that has it', async () => {
    const etag = (await harness.get('/')).headers.get('etag') ?? '';
    expect((await harness.get('/', { headers: { 'if-none-match': etag } })).status).toBe(304);
  });
});

describe('the schema of the JSON export', () => {
  it('is the one that is published (`vitest -u` publishes a new one)', async () => {
    const text = `${JSON.stringify(exportJsonSchema(), undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../docs/schema/export.schema.json');
  });

  it('describes what is exported, in every layer', async () => {
    harness.addVideo([event('caption', [0, 3], 'A rabbit.'), event('cut', [3, 3.04], 'cut')]);
    const schema = z.fromJSONSchema(exportJsonSchema());
    for (const layer of ['summary', 'captions', 'events', 'text']) {
      const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/export?format=json&layer=${layer}`);
      expect(schema.safeParse(body)).toMatchObject({ success: true });
    }
    expect(schema.safeParse({ schema_version: 2 }).success).toBe(false);
  });
});

describe('an export over HTTP', () => {
  it.each(EXPORT_FORMAT_NAMES)('comes as a file of the type of %s', async (format) => {
    harness.addVideo([event('subtitle', [1, 2], 'Hello')], { title: 'Ümlaut "a/b"' });
    const { status, headers } = await harness.get(`/v1/videos/${VIDEO_ID}/export?format=${format}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe(EXPORT_FORMATS[format].mediaType);
    const extension = EXPORT_FORMATS[format].extension;
    expect(headers.get('content-disposition')).toBe(
      `attachment; filename="_mlaut _a_b_.${extension}"; filename*=UTF-8''%C3%9Cmlaut%20_a_b_.${extension}`,
    );
  });

  it('refuses a format or layer that is none', async () => {
    harness.addVideo();
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/export?format=docx`)).status).toBe(422);
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/export?format=srt&layer=smell`)).status).toBe(422);
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/export`)).status).toBe(422);
  });
});
