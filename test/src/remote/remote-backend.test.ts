import { describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import { answer, completion, json } from './misbehaving-server.js';
import { aborted, backend, content, failure, KEY, QUESTION, STILL, server, until } from './remote-world.js';

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
