import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer, answerBytes, completion, hangUpAfter, json, raw } from './misbehaving-server.js';
import { aborted, backend, failure, other, QUESTION, server, until, waits } from './remote-world.js';

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
    expect(error).toMatchObject({ code: 'overloaded', message: expect.stringContaining('3600 s'), retry: undefined });
    expect(server.asked).toHaveLength(1);
  });

  it.each([408, 500, 502, 503, 504])('that fails with %i and then is fine, answers', async (status) => {
    server.script = [raw('<h1>oops</h1>', status), answer('x')];
    expect((await backend().ask(QUESTION)).text).toBe('x');
  });

  it('that cannot read what its model wrote asks it for other words (llama.cpp)', async () => {
    const words = 'The model produced output that does not match the expected peg-native format';
    server.script = [json({ error: { code: 500, message: words } }, 500), answer('x')];
    expect((await backend().ask(QUESTION)).text).toBe('x');
    expect(server.asked.map(({ body }) => body['temperature'])).toEqual([0, 0.5]);
    server.script = [json({ error: { code: 500, message: words } }, 500)];
    const error = await failure(backend({ retry: { attempts: 2 } }).ask(QUESTION));
    expect(error).toMatchObject({ code: 'model_failed', message: expect.stringContaining('peg-native') });
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
