/** The OpenAPI document against the server that it describes: what it shows, allows and promises is so. `npm run fuzz:api` tries the rest. */

import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { event, type Harness, HIT, openHarness, VIDEO_ID } from './harness.js';

interface Schema {
  readonly [keyword: string]: unknown;
}
interface Content {
  readonly [mediaType: string]: { readonly schema: Schema };
}
interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

let harness: Harness;
let document: Document;
let jobId: string;
beforeAll(async () => {
  harness = openHarness();
  harness.addVideo([event('caption', [0, 3], 'A rabbit.'), event('cut', [3, 3.04], 'cut')]);
  document = (await harness.get('/openapi.json')).body as Document;
  const added = await harness.get('/v1/videos', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: `${harness.folder}/bunny.mp4`, tags: ['a'] }),
  });
  jobId = (added.body as { id: string }).id;
});
afterAll(() => harness.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

/** A schema of the document by itself. */
const whole = (schema: Schema): Schema => ({ ...schema, components: document.components });

/** Every schema inside of one that shows an example of itself. */
function withExamples(schema: unknown): Schema[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const inner = Object.values(schema).flatMap(withExamples);
  return 'example' in schema && ('type' in schema || 'anyOf' in schema) ? [schema as Schema, ...inner] : inner;
}

/** The same schema, by which an object has no field but those that are named. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return 'properties' in copy && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
}

describe('the OpenAPI document', () => {
  it('shows examples that fit', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const shown = withExamples(document);
    expect(shown.length).toBeGreaterThan(30);
    expect(
      shown.filter((schema) => !ajv.validate(whole(schema), schema.example)).map(({ example }) => example),
    ).toEqual([]);
  });

  it('names the methods of each address, as OPTIONS does', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const methods = Object.keys(item).map((method) => method.toUpperCase());
      if (methods.includes('GET')) methods.push('HEAD');
      const { headers } = await harness.get(path.replaceAll(/\{\w+\}/g, 'x'), { method: 'OPTIONS' });
      expect([path, headers.get('allow')]).toEqual([path, [...methods, 'OPTIONS'].sort().join(', ')]);
    }
  });

  it('has every body that it requires refused when it is not there', async () => {
    const taken: string[] = [];
    for (const { method, path, operation } of operations()) {
      if (!operation.requestBody?.required) continue;
      const address = path.replace('{id}', path.startsWith('/v1/jobs') ? jobId : VIDEO_ID);
      const { status } = await harness.get(address, { method });
      if (status < 400 || status > 499) taken.push(`${method} ${path}: ${status}`);
    }
    expect(taken).toEqual([]);
  });

  it.each([
    '/v1/videos',
    `/v1/videos/${VIDEO_ID}`,
    `/v1/videos/${VIDEO_ID}/chapters`,
    `/v1/videos/${VIDEO_ID}/events`,
    `/v1/videos/${VIDEO_ID}/segments`,
    `/v1/videos/${VIDEO_ID}/timeline`,
    `/v1/videos/${VIDEO_ID}/transcript`,
    `/v1/search?q=${HIT.text.slice(4, 10)}`,
    '/v1/jobs',
    '/v1/models',
    '/v1/status',
    '/v1/tags',
    '/v1/watches',
    '/v1/workers',
    '/ready',
  ])('says all that is answered at %s', async (address) => {
    const { status, body } = await harness.get(address);
    const path = address.replace(VIDEO_ID, '{id}').replace(/\?.*/, '');
    const schema = document.paths[path]?.get?.responses[status]?.content?.['application/json']?.schema;
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.validate(closed(whole(schema ?? {})) as Schema, body);
    expect([status, schema === undefined, ajv.errors]).toEqual([200, false, null]);
  });
});
