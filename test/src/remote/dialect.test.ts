import { describe, expect, it } from 'vitest';
import type { BackendRequest } from '../../../src/backend.js';
import { answer, completion, json } from './misbehaving-server.js';
import {
  ASK_SCHEMA,
  backend,
  content,
  failure,
  GOOD,
  QUESTION,
  SCHEMA,
  schemaSent,
  server,
  waits,
} from './remote-world.js';

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
