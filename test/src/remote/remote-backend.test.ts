import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { BackendRequest } from '../../../src/backend.js';
import type { LongwatchError } from '../../../src/errors.js';
import { RemoteBackend, type RemoteBackendOptions } from '../../../src/remote/remote-backend.js';
import {
  type Act,
  answer,
  answerBytes,
  completion,
  hangUpAfter,
  json,
  MisbehavingServer,
  raw,
} from './misbehaving-server.js';

const KEY = 'sk-very-secret-4711';
const QUESTION: BackendRequest = { parts: [{ kind: 'text', text: 'When?' }], maxTokens: 50 };
const SCHEMA = {
  type: 'object',
  properties: { start: { type: 'number' }, text: { type: 'string' } },
  required: ['start', 'text'],
};
const ASK_SCHEMA: BackendRequest = { ...QUESTION, schema: SCHEMA };
const GOOD = '{"start":1.5,"text":"a fox"}';

const STILL: Picture = {
  kind: 'picture',
  index: 0,
  pts: 0,
  time: 0,
  width: 28,
  height: 28,
  rgb: new Uint8Array(28 * 28 * 3),
};

let server: MisbehavingServer;
let other: MisbehavingServer;
let backends: RemoteBackend[];
/** How long each wait before another attempt would have been, in milliseconds. */
let waits: number[];

beforeEach(async () => {
  server = await new MisbehavingServer().listen();
  other = await new MisbehavingServer().listen();
  backends = [];
  waits = [];
});

afterEach(async () => {
  for (const backend of backends) await backend.close();
  await server.close();
  await other.close();
});

function backend(options: Partial<RemoteBackendOptions> = {}): RemoteBackend {
  const made = new RemoteBackend({
    baseUrl: server.origin,
    model: 'qwen',
    apiKey: KEY,
    ...options,
    waiting: {
      random: () => 0.5,
      sleep: async (time) => {
        waits.push(time);
      },
      now: () => Date.parse('2026-01-01T00:00:00Z'),
      ...options.waiting,
    },
  });
  backends.push(made);
  return made;
}

async function failure(promise: Promise<unknown>): Promise<LongwatchError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown as LongwatchError,
  );
  expect(error).toMatchObject({ name: 'LongwatchError' });
  return error as LongwatchError;
}

function everythingSaid(error: unknown): string {
  const { message, stack, hint, cause } = error as LongwatchError;
  return [message, stack, hint, JSON.stringify(error), ...(cause ? [everythingSaid(cause)] : [])].join('\n');
}

describe('a question to a server', () => {
  it('goes to the chat completions of the base URL with model, key and limits, and its answer comes back', async () => {
    server.script = [answer('at noon')];
    const given = await backend().ask({ ...QUESTION, system: 'Be brief.' });
    expect(given).toEqual({ text: 'at noon', finish: 'stop', promptTokens: 7, answerTokens: 3 });
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]?.path).toBe('/v1/chat/completions');
    expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(server.asked[0]?.body).toEqual({
      model: 'qwen',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'When?' },
      ],
      stream: false,
      max_tokens: 50,
      temperature: 0,
    });
  });

  it.each([
    ['', '/v1/chat/completions'],
    ['/', '/v1/chat/completions'],
    ['/v1', '/v1/chat/completions'],
    ['/openai/v1/', '/openai/v1/chat/completions'],
    ['/v1/chat/completions', '/v1/chat/completions'],
    ['/v1?api-version=3', '/v1/chat/completions?api-version=3'],
  ])('takes a base URL that ends in "%s" to %s', async (path, expected) => {
    server.script = [answer('x')];
    await backend({ baseUrl: server.origin + path }).ask(QUESTION);
    expect(server.asked[0]?.path).toBe(expected);
  });

  it('has no authorization header without a key', async () => {
    server.script = [answer('x')];
    await backend({ apiKey: '' }).ask(QUESTION);
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
  });

  it('says that free text was cut', async () => {
    server.script = [json(completion('and then', { finish: 'length' }))];
    expect((await backend().ask(QUESTION)).finish).toBe('length');
  });

  it('takes content that is a list of parts, and no usage for zero tokens', async () => {
    const { usage: _, ...bare } = completion([{ type: 'text', text: 'a' }, { text: 'b' }]) as { usage: unknown };
    server.script = [json(bare)];
    expect(await backend().ask(QUESTION)).toEqual({ text: 'ab', finish: 'stop', promptTokens: 0, answerTokens: 0 });
  });

  it('lets configured fields win over its own', async () => {
    server.script = [answer('x')];
    await backend({ extraFields: { repetition_penalty: 1, temperature: 0.1 } }).ask(QUESTION);
    expect(server.asked[0]?.body).toMatchObject({ repetition_penalty: 1, temperature: 0.1 });
  });

  it('is asked at most so many at once, in order', async () => {
    const waiting: (() => void)[] = [];
    server.script = [({ response, asked, socket }) => waiting.push(() => answer('x')({ response, asked, socket }))];
    const one = backend({ concurrency: 2 });
    const answers = ['a', 'b', 'c'].map((text) => one.ask({ ...QUESTION, parts: [{ kind: 'text', text }] }));
    await until(() => waiting.length === 2);
    expect(server.asked.map(({ body }) => content(body))).toEqual(['a', 'b']);
    waiting.shift()?.();
    await until(() => server.asked.length === 3);
    for (const reply of waiting) reply();
    await Promise.all(answers);
    expect(content(server.asked[2]?.body)).toBe('c');
  });
});

describe('a server in trouble', () => {
  const whole = answerBytes('at noon');

  it('that hangs up after any byte of its answer is asked again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (bytes) => {
        server.asked.length = 0;
        server.script = [hangUpAfter(whole.subarray(0, bytes)), answer('at noon')];
        expect((await backend().ask(QUESTION)).text).toBe('at noon');
        expect(server.asked).toHaveLength(2);
      }),
      { numRuns: 40, examples: [[0], [1], [whole.length - 1]] },
    );
  });

  it('that always hangs up is given up after five attempts, with waits that double up to the limit', async () => {
    server.script = [hangUpAfter(whole.subarray(0, 150))];
    const error = await failure(backend({ retry: { longest: 3_000 } }).ask(QUESTION));
    expect(error.code).toBe('model_failed');
    expect(error.message).toMatch(/closed the connection after \d+ bytes of its answer\. Asked 5 times\.$/);
    expect(server.asked).toHaveLength(5);
    // Full jitter with a coin that always says one half: half of 1, 2, 3 and 3 s.
    expect(waits).toEqual([500, 1000, 1500, 1500]);
  });

  it('that is too busy is asked again no sooner than it says, in seconds', async () => {
    server.script = [json({ error: { message: 'slow down' } }, 429, { 'retry-after': '7' }), answer('x')];
    await backend().ask(QUESTION);
    expect(waits).toEqual([7_000]);
  });

  it('that is too busy is asked again no sooner than it says, as a date', async () => {
    const later = 'Thu, 01 Jan 2026 00:01:30 GMT';
    server.script = [json({}, 503, { 'retry-after': later }), answer('x')];
    await backend().ask(QUESTION);
    expect(waits).toEqual([90_000]);
  });

  it('that wants to be left alone for an hour is overloaded', async () => {
    server.script = [json({}, 429, { 'retry-after': '3600' })];
    const error = await failure(backend().ask(QUESTION));
    expect(error).toMatchObject({ code: 'overloaded', message: expect.stringContaining('3600 s') });
    expect(server.asked).toHaveLength(1);
  });

  it.each([408, 500, 502, 503, 504])('that fails with %i and then is fine, answers', async (status) => {
    server.script = [raw('<h1>oops</h1>', status), answer('x')];
    expect((await backend().ask(QUESTION)).text).toBe('x');
  });

  it.each([
    ['half an answer', raw('{"choices": [{"mess', 200, { 'content-type': 'application/json' }), 'not JSON'],
    ['no JSON at all', raw('Hello!', 200, { 'content-type': 'text/plain' }), 'not JSON (text/plain): Hello!'],
    ['a web page', raw('<html>Sign in</html>', 200, { 'content-type': 'text/html' }), '(text/html): <html>Sign in'],
    ['nothing', raw('', 200), 'not JSON (no content type)'],
    ['a list', json([]), 'no choices'],
    ['no choices', json({ choices: [] }), 'no choices'],
    ['a choice without a message', json({ choices: [{}] }), 'no text'],
    ['content that is null', json(completion(null)), 'no text'],
    ['an error under status 200', json({ error: { message: 'out of memory', code: 500 } }), '500'],
  ])('that answers with %s is asked again, then reported', async (_, act, evidence) => {
    server.script = [act, answer('x')];
    expect((await backend().ask(QUESTION)).text).toBe('x');
    server.script = [act];
    const error = await failure(backend({ retry: { attempts: 2 } }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining(evidence) });
    expect(error.hint).toBeTruthy();
  });

  it('that gives a proper answer another content type is believed', async () => {
    server.script = [raw(JSON.stringify(completion('x')), 200, { 'content-type': 'text/plain' })];
    expect((await backend().ask(QUESTION)).text).toBe('x');
  });

  it('that never begins to answer is asked again, then reported', async () => {
    server.script = [() => {}];
    const error = await failure(backend({ limits: { firstByte: 30 }, retry: { attempts: 2 } }).ask(QUESTION));
    expect(error).toMatchObject({
      code: 'model_failed',
      message: expect.stringContaining('did not begin to answer within 0.03 s. Asked 2 times.'),
    });
    expect(server.asked).toHaveLength(2);
  });

  it('that never ends its answer is asked again, then reported', async () => {
    server.script = [
      ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"choices":');
      },
    ];
    const error = await failure(backend({ limits: { body: 30 }, retry: { attempts: 2 } }).ask(QUESTION));
    expect(error.message).toContain('did not finish its answer within 0.03 s');
  });

  it('that sends a drop now and then is stopped by the total time', async () => {
    server.script = [
      ({ response }) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write(' '), 5);
        response.on('close', () => clearInterval(drip));
      },
    ];
    const error = await failure(backend({ limits: { total: 80 } }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('within 0.08 s') });
  });

  it('that is always busy is stopped by the total time, and what it said last is reported', async () => {
    server.script = [json({ error: 'queue is full' }, 503)];
    const waiting = { sleep: (_: number, signal: AbortSignal) => aborted(signal) };
    const error = await failure(backend({ limits: { total: 80 }, waiting }).ask(QUESTION));
    expect(error.message).toContain('queue is full');
  });

  it('that answers more than the limit is not read on, and not asked again', async () => {
    server.script = [
      ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      },
    ];
    const error = await failure(backend({ limits: { answerBytes: 100_000 } }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('more than 100000 bytes') });
    expect(server.asked).toHaveLength(1);
    await until(() => server.connections === 0);
  });

  it('that is not there is asked again, then reported', async () => {
    const { origin } = other;
    await other.close();
    const error = await failure(backend({ baseUrl: origin, retry: { attempts: 3 } }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('ECONNREFUSED') });
    expect(error.hint).toContain('running');
    expect(waits).toHaveLength(2);
    other = await new MisbehavingServer().listen();
  });

  it('that does not speak TLS where https is asked for is a mistake in the settings', async () => {
    const error = await failure(backend({ baseUrl: server.origin.replace('http:', 'https:') }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'bad_config', message: expect.stringContaining('cannot be reached') });
    expect(waits).toEqual([]);
  });

  it('that speaks no HTTP is reported', async () => {
    server.script = [hangUpAfter(Buffer.from('220 mail.example ESMTP\r\n'))];
    const error = await failure(backend({ retry: { attempts: 1 } }).ask(QUESTION));
    expect(error.message).toContain('not HTTP');
  });
});

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
      expect(error).toMatchObject({ code: 'overloaded', hint: expect.stringContaining('--limit-mm-per-prompt') });
      expect(server.asked).toHaveLength(1);
    }
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
    const made = () => new RemoteBackend({ baseUrl: 'http://localhost', model: 'm', ...options });
    expect(made).toThrow(expect.objectContaining({ code: 'bad_config' }));
    expect(made).toThrow(/^(?!.*sk.1).*$/);
  });

  it.each(['localhost:8000', 'ftp://localhost', '', 'not a url'])('needs a base URL, and "%s" is none', (baseUrl) => {
    expect(() => new RemoteBackend({ baseUrl, model: 'm' })).toThrow(expect.objectContaining({ code: 'bad_config' }));
  });
});

describe('an answer of a schema', () => {
  it('is asked for as a response format, in plain JSON Schema', async () => {
    server.script = [answer('{"start":1,"end":null}')];
    const start = { type: 'number', minimum: 0, maximum: 60, multipleOf: 0.1 };
    const end = { anyOf: [{ type: 'number', greaterThan: 'start' }, { type: 'null' }] };
    const schema = { type: 'object', properties: { start, end } };
    expect((await backend().ask({ ...QUESTION, schema })).text).toBe('{"start":1,"end":null}');
    expect(server.asked[0]?.body['response_format']).toEqual({
      type: 'json_schema',
      json_schema: {
        name: 'answer',
        strict: true,
        schema: {
          type: 'object',
          properties: {
            start: { type: 'number', minimum: 0, maximum: 60 },
            end: { anyOf: [{ type: 'number' }, { type: 'null' }] },
          },
          required: ['start', 'end'],
          additionalProperties: false,
        },
      },
    });
  });

  it('comes back as JSON', async () => {
    server.script = [answer(` ${GOOD}\n`)];
    expect((await backend().ask(ASK_SCHEMA)).text).toBe(GOOD);
    expect(server.asked).toHaveLength(1);
  });

  it.each([
    ['vLLM', ['response_format'], 'structured_outputs', { json: schemaSent() }],
    ['early vLLM', ['response_format', 'structured_outputs'], 'guided_json', schemaSent()],
    [
      'early llama.cpp',
      ['json_schema', 'structured_outputs', 'guided_json'],
      'response_format',
      { type: 'json_object', schema: schemaSent() },
    ],
  ])(
    'is asked for in the next form that a server knows, and in that one from then on: %s',
    async (_, refused, field, expected) => {
      server.script = [
        (exchange) => {
          const body = JSON.stringify(exchange.asked.body);
          const no = refused.some((name) => body.includes(`"${name}"`));
          (no ? json({ detail: 'Unexpected fields' }, 422) : answer(GOOD))(exchange);
        },
      ];
      const one = backend();
      expect((await one.ask(ASK_SCHEMA)).text).toBe(GOOD);
      expect(server.asked).toHaveLength(refused.length + 1);
      expect(server.asked.at(-1)?.body[field]).toEqual(expected);
      expect(waits).toEqual([]);
      await one.ask(ASK_SCHEMA);
      expect(server.asked).toHaveLength(refused.length + 2);
      expect(server.asked.at(-1)?.body[field]).toEqual(expected);
    },
  );

  it('is asked for in words where the server refuses every form', async () => {
    server.script = [
      (exchange) => {
        const bound = /"(response_format|structured_outputs|guided_json)":/.test(JSON.stringify(exchange.asked.body));
        (bound ? json({}, 400) : answer(`Sure!\n\`\`\`json\n${GOOD}\n\`\`\`\nAnything else [1]?`))(exchange);
      },
    ];
    expect((await backend().ask(ASK_SCHEMA)).text).toBe(GOOD);
    expect(server.asked).toHaveLength(5);
    expect(content(server.asked[4]?.body)).toContain('"additionalProperties":false');
  });

  it('is asked for in words where the server ignores the form, and from then on', async () => {
    server.script = [answer('It starts at 1.5 s.'), answer(GOOD)];
    const one = backend();
    expect((await one.ask(ASK_SCHEMA)).text).toBe(GOOD);
    expect(content(server.asked[1]?.body)).toContain('JSON Schema');
    await one.ask(ASK_SCHEMA);
    expect(server.asked).toHaveLength(3);
    expect(content(server.asked[2]?.body)).toContain('JSON Schema');
  });

  it('keeps the form that once bound an answer, even when one schema is refused in it', async () => {
    server.script = [answer(GOOD), json({ error: 'bad grammar' }, 500), json({ error: 'unknown' }, 400), answer(GOOD)];
    const one = backend();
    await one.ask(ASK_SCHEMA);
    await one.ask(ASK_SCHEMA);
    await one.ask(ASK_SCHEMA);
    const forms = server.asked.map(({ body }) =>
      ['response_format', 'structured_outputs', 'guided_json'].find((field) => field in body),
    );
    expect(forms).toEqual([
      'response_format',
      'response_format',
      'structured_outputs',
      'guided_json',
      'response_format',
    ]);
  });

  it('that is no JSON is asked for again in other words, then reported', async () => {
    server.script = [answer('No idea.')];
    const error = await failure(backend({ retry: { attempts: 3 } }).ask(ASK_SCHEMA));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('No idea.') });
    expect(server.asked.map(({ body }) => body['temperature'])).toEqual([0, 0, 0.5, 0.5]);
  });

  it('that was asked for in words is whatever JSON the model wrote', async () => {
    server.script = [answer('{"when":"1.5 s"}')];
    expect((await backend().ask(ASK_SCHEMA)).text).toBe('{"when":"1.5 s"}');
    expect(server.asked).toHaveLength(2);
  });

  it('that no form brings is reported with the first refusal', async () => {
    server.script = [json({ error: 'unknown model' }, 400), json({ error: 'unknown field' }, 400)];
    const error = await failure(backend().ask(ASK_SCHEMA));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('unknown model') });
    expect(server.asked).toHaveLength(5);
  });

  const EVENTS: BackendRequest = {
    ...QUESTION,
    schema: {
      type: 'object',
      properties: { caption: { type: 'string' }, events: { type: 'array', items: SCHEMA } },
    },
  };
  const cut = (text: string) => json(completion(text, { finish: 'length' }));

  it('that was cut off is closed: whole items stay', async () => {
    server.script = [cut(`{"caption":"a day","events":[${GOOD},{"start":12.`)];
    const given = await backend().ask(EVENTS);
    expect(given).toMatchObject({ text: `{"caption":"a day","events":[${GOOD}]}`, finish: 'length' });
    expect(server.asked).toHaveLength(1);
  });

  it('that was cut off too early is asked for once more with twice the room', async () => {
    server.script = [cut('{"caption":"a day", "ev'), answer('{"caption":"a day","events":[]}')];
    expect((await backend().ask(EVENTS)).text).toBe('{"caption":"a day","events":[]}');
    expect(server.asked.map(({ body }) => body['max_tokens'])).toEqual([50, 100]);
  });

  it('that is cut off again is reported', async () => {
    server.script = [cut('{"caption":"a day", "ev')];
    const error = await failure(backend().ask(EVENTS));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('within 100 tokens') });
    expect(server.asked).toHaveLength(2);
  });
});

describe('choices', () => {
  const top = (...entries: [string, number][]) => ({
    content: [{ token: 'x', top_logprobs: entries.map(([token, p]) => ({ token, logprob: Math.log(p) })) }],
  });
  const CHOOSE: BackendRequest = { ...QUESTION, maxTokens: 1, choices: ['yes', 'no'] };

  it('have the probabilities of the first token, summing to 1', async () => {
    server.script = [
      json(completion('yes', { logprobs: top(['yes', 0.6], [' yes', 0.06], ['no', 0.22], ['maybe', 0.1]) })),
    ];
    const { choiceProbabilities } = await backend().ask(CHOOSE);
    expect(server.asked[0]?.body).toMatchObject({ logprobs: true, top_logprobs: 20 });
    expect(choiceProbabilities?.[0]).toBeCloseTo(0.75, 12);
    expect(choiceProbabilities?.[1]).toBeCloseTo(0.25, 12);
  });

  it('are unknown where the server does not say, or does not list them', async () => {
    server.script = [
      answer('yes'),
      json(completion('yes', { logprobs: top(['Well', 1]) })),
      json(completion('yes', { logprobs: { content: null } })),
    ];
    const one = backend();
    for (let i = 0; i < 3; i++) expect(await one.ask(CHOOSE)).not.toHaveProperty('choiceProbabilities');
  });

  it('are not asked for again where the server refuses', async () => {
    server.script = [json({ error: 'logprobs are not supported' }, 400), answer('yes')];
    const one = backend();
    expect((await one.ask(CHOOSE)).text).toBe('yes');
    await one.ask(CHOOSE);
    expect(server.asked.map(({ body }) => 'logprobs' in body)).toEqual([true, false, false]);
  });
});

describe('a server of another mind', () => {
  it('that knows only max_completion_tokens is asked so', async () => {
    const refusal = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.";
    server.script = [json({ error: { message: refusal } }, 400), answer('x')];
    await backend().ask(QUESTION);
    expect(server.asked[1]?.body).toMatchObject({ max_completion_tokens: 50 });
    expect(server.asked[1]?.body).not.toHaveProperty('max_tokens');
  });

  it('that sets its own temperature is left to it', async () => {
    server.script = [
      json({ error: { message: "'temperature' does not support 0 with this model." } }, 400),
      answer('x'),
    ];
    await backend().ask(QUESTION);
    expect(server.asked[1]?.body).not.toHaveProperty('temperature');
  });
});

describe('cancelling', () => {
  it('before asking asks nothing', async () => {
    server.script = [answer('x')];
    const error = await failure(backend().ask(QUESTION, AbortSignal.abort()));
    expect(error.code).toBe('cancelled');
    expect(server.asked).toEqual([]);
  });

  it('while the pictures are still being encoded asks nothing', async () => {
    server.script = [answer('x')];
    const abort = new AbortController();
    const parts = [{ kind: 'image' as const, picture: STILL }];
    const asking = failure(backend().ask({ parts, maxTokens: 1 }, abort.signal));
    abort.abort();
    expect((await asking).code).toBe('cancelled');
    expect((await backend().ask(QUESTION)).text).toBe('x');
    expect(server.asked).toHaveLength(1);
  });

  it('hangs up on the server', async () => {
    server.script = [() => {}];
    const abort = new AbortController();
    const asking = failure(backend().ask(QUESTION, abort.signal));
    await until(() => server.asked.length === 1);
    abort.abort();
    expect((await asking).code).toBe('cancelled');
    await until(() => server.connections === 0);
  });

  it('ends a wait for the next attempt', async () => {
    server.script = [json({}, 503)];
    const abort = new AbortController();
    const waiting = {
      sleep: async (_: number, signal: AbortSignal) => {
        abort.abort();
        await aborted(signal);
      },
    };
    expect((await failure(backend({ waiting }).ask(QUESTION, abort.signal))).code).toBe('cancelled');
    expect(server.asked).toHaveLength(1);
  });

  it('takes a waiting question out of the queue and leaves the others', async () => {
    const waiting: (() => void)[] = [];
    server.script = [(exchange) => waiting.push(() => answer('x')(exchange))];
    const one = backend({ concurrency: 1 });
    const abort = new AbortController();
    const first = one.ask(QUESTION);
    const second = failure(one.ask(QUESTION, abort.signal));
    await until(() => waiting.length === 1);
    abort.abort();
    expect((await second).code).toBe('cancelled');
    waiting[0]?.();
    expect((await first).text).toBe('x');
    expect(server.asked).toHaveLength(1);
  });

  it('happens to every question when the backend closes', async () => {
    server.script = [() => {}];
    const one = backend({ concurrency: 1 });
    const asking = [failure(one.ask(QUESTION)), failure(one.ask(QUESTION))];
    await until(() => server.asked.length === 1);
    await one.close();
    expect((await Promise.all(asking)).map(({ code }) => code)).toEqual(['cancelled', 'cancelled']);
    expect((await failure(one.ask(QUESTION))).code).toBe('cancelled');
    await until(() => server.connections === 0);
  });
});

describe('pictures', () => {
  it('have sides of whole tokens, 128 to 768 of them', () => {
    const one = backend();
    expect(one.pictureSize({ width: 1920, height: 1080 })).toEqual({ width: 1008, height: 560 });
    expect(one.pictureSize({ width: 320, height: 180 })).toEqual({ width: 448, height: 252 });
    expect(backend({ tokensPerFrame: { min: 64, max: 128 } }).pictureSize({ width: 1920, height: 1080 })).toEqual({
      width: 420,
      height: 224,
    });
  });

  it('cost their tokens each as images, and by the pair as a video', () => {
    const size = { width: 448, height: 252 };
    expect(backend().tokensPerPair(size)).toBe(288);
    expect(backend({ frames: 'video' }).tokensPerPair(size)).toBe(144);
  });

  it('that are not whole are reported and nothing is asked', async () => {
    server.script = [answer('x')];
    const broken: Picture = { ...STILL, rgb: new Uint8Array(9) };
    const error = await failure(backend().ask({ parts: [{ kind: 'image', picture: broken }], maxTokens: 1 }));
    expect(error.code).toBe('invalid_input');
    expect(server.asked).toEqual([]);
  });
});

function schemaSent(): object {
  return { ...SCHEMA, additionalProperties: false };
}

function content(body: Record<string, unknown> | undefined): string {
  const messages = body?.['messages'] as { content: string }[] | undefined;
  return messages?.at(-1)?.content ?? '';
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}
