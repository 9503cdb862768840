import { describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import { RemoteBackend } from '../../../src/remote/remote-backend.js';
import { type Act, answer, completion, hangUpAfter, json, raw } from './misbehaving-server.js';
import { ASK_SCHEMA, backend, everythingSaid, failure, KEY, other, QUESTION, STILL, server } from './remote-world.js';

describe('a no', () => {
  it.each([
    [401, 'bad_config', 'key'],
    [403, 'bad_config', 'key'],
    [404, 'bad_config', 'base URL'],
    [418, 'model_failed', 'base URL'],
    [413, 'overloaded', 'fewer'],
  ])('with status %i is final: %s', async (status, code, hint) => {
    server.script = [json({ error: { message: 'no such thing' } }, status)];
    const error = await failure(backend().ask(QUESTION));
    expect(error).toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`answered ${status}: {"error":{"message":"no such thing"}}`);
    expect(server.asked).toHaveLength(1);
  });

  it('is quoted for 200 characters on one line, without control characters', async () => {
    server.script = [raw(`first\r\n\u001b[31msecond ${'é'.repeat(500)}`, 400)];
    const { message } = await failure(backend().ask(QUESTION));
    const quoted = message.slice(message.indexOf('400: ') + 5);
    expect([...quoted]).toHaveLength(201);
    expect(quoted).toMatch(/^first \[31msecond é+…$/);
  });

  it.each([
    ['vLLM', "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"],
    ['vLLM on pictures', 'At most 1 image(s) may be provided in one prompt.'],
    ['llama.cpp', 'the request exceeds the available context size. try increasing the context size'],
  ])('to a question that is too long is overloaded (%s), with or without a schema', async (_, words) => {
    server.script = [json({ error: { message: words } }, 400)];
    for (const request of [QUESTION, ASK_SCHEMA]) {
      server.asked.length = 0;
      const error = await failure(backend().ask(request));
      expect(error).toMatchObject({
        code: 'overloaded',
        hint: expect.stringContaining('--limit-mm-per-prompt'),
        retry: 'smaller',
      });
      expect(server.asked).toHaveLength(1);
    }
  });

  it('that names the model is about the name (transformers serve)', async () => {
    server.script = [json({ detail: "Server is pinned to 'tiny'; requested 'qwen'." }, 400)];
    const error = await failure(backend().ask(QUESTION));
    expect(error).toMatchObject({ code: 'bad_config', hint: expect.stringContaining('name of the model') });
    expect(server.asked).toHaveLength(1);
  });

  it('in which the name is only part of a word is not about it', async () => {
    server.script = [json({ detail: 'qwen2_processor: unknown field' }, 400)];
    expect((await failure(backend().ask(QUESTION))).code).toBe('model_failed');
  });

  it('to a question that is too large for a proxy comes before it is read', async () => {
    server.hasty = true;
    server.script = [raw('<h1>413 Request Entity Too Large</h1>', 413, { 'content-type': 'text/html' })];
    const parts = [{ kind: 'text' as const, text: 'x'.repeat(8_000_000) }];
    const error = await failure(backend().ask({ parts, maxTokens: 1 }));
    expect(error).toMatchObject({ code: 'overloaded', message: expect.stringContaining('Too Large') });
    expect(server.asked).toHaveLength(1);
  });

  it('to frames as a video advises images', async () => {
    server.script = [json({ detail: 'Unexpected fields' }, 422)];
    const pictures = [0, 0.5].map((time): Picture => ({ ...STILL, time }));
    const asking = backend({ frames: 'video' }).ask({
      parts: [{ kind: 'video', pictures, timeZero: 0 }],
      maxTokens: 1,
    });
    expect((await failure(asking)).hint).toContain('as images');
    expect(server.asked).toHaveLength(1);
  });

  it('of the model itself is final', async () => {
    server.script = [json(completion(null, { message: { refusal: 'I cannot help with that.' } }))];
    const error = await failure(backend().ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('declined') });
    expect(server.asked).toHaveLength(1);
  });

  it('of a content filter is final', async () => {
    server.script = [json(completion('', { finish: 'content_filter' }))];
    expect((await failure(backend().ask(QUESTION))).message).toContain('content filter');
    expect(server.asked).toHaveLength(1);
  });
});

describe('the key', () => {
  it.each([301, 302, 303, 307, 308])('does not follow a redirect (%i) to another server', async (status) => {
    other.script = [answer('stolen')];
    server.script = [raw('', status, { location: `${other.origin}/v1/chat/completions` })];
    const error = await failure(backend().ask(QUESTION));
    expect(error).toMatchObject({ code: 'bad_config', hint: expect.stringContaining(other.origin) });
    expect(other.asked).toEqual([]);
  });

  it('follows a redirect within the server, where the question is the same', async () => {
    server.script = [raw('', 307, { location: '/v2/chat/completions' }), answer('x')];
    expect((await backend().ask(QUESTION)).text).toBe('x');
    expect(server.asked.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v2/chat/completions']);
    expect(server.asked[1]?.body).toEqual(server.asked[0]?.body);
  });

  it('does not go round in circles', async () => {
    server.script = [raw('', 308, { location: '/v1/chat/completions' })];
    expect((await failure(backend().ask(QUESTION))).code).toBe('bad_config');
    expect(server.asked).toHaveLength(4);
  });

  it.each([301, 302, 303])(
    'does not follow a redirect (%i) that would turn the question into another',
    async (status) => {
      server.script = [raw('', status, { location: '/elsewhere' }), answer('x')];
      expect((await failure(backend().ask(QUESTION))).code).toBe('bad_config');
      expect(server.asked).toHaveLength(1);
    },
  );

  it('is in no error, even when the server repeats it', async () => {
    const acts: Act[] = [
      json({ error: { message: `Incorrect API key provided: ${KEY}` } }, 401),
      json({ error: `${'x'.repeat(190)}${KEY}` }, 400),
      raw(KEY, 200, { 'content-type': KEY }),
      raw('', 307, { location: `http://${KEY}.example/` }),
      hangUpAfter(Buffer.alloc(0)),
      hangUpAfter(Buffer.from(KEY)),
    ];
    for (const act of acts) {
      server.script = [act];
      const error = await failure(backend({ retry: { attempts: 2 } }).ask(ASK_SCHEMA));
      expect(everythingSaid(error)).not.toContain('very-secret');
    }
  });

  it.each([
    ['a line end', { apiKey: 'sk-1\r\nhost: evil' }],
    ['a space', { apiKey: 'sk 1' }],
    ['a password in the base URL', { baseUrl: 'http://me:sk-1@localhost/v1' }],
  ])('is refused with %s, and not repeated', (_, options) => {
    const made = () => new RemoteBackend({ endpoints: [{ baseUrl: 'http://localhost', model: 'm', ...options }] });
    expect(made).toThrow(expect.objectContaining({ code: 'bad_config' }));
    expect(made).toThrow(/^(?!.*sk.1).*$/);
  });

  it.each(['localhost:8000', 'ftp://localhost', '', 'not a url'])('needs a base URL, and "%s" is none', (baseUrl) => {
    expect(() => new RemoteBackend({ endpoints: [{ baseUrl, model: 'm' }] })).toThrow(
      expect.objectContaining({ code: 'bad_config' }),
    );
  });
});
