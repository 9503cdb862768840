/** Several servers of one model, of which some misbehave. All are real; where time would pass, the clock is the test's. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackendRequest } from '../../../src/backend.js';
import type { RemoteBackend, RemoteBackendOptions } from '../../../src/remote/remote-backend.js';
import { beginningOf, rendezvousOrder } from '../../../src/remote/rendezvous.js';
import { type Act, answer, completion, hangUpAfter, json, MisbehavingServer, raw } from './misbehaving-server.js';
import { backend, failure, other, STILL, server, until, waits } from './remote-world.js';

let third: MisbehavingServer;
/** Wall clock of the backends, moved by the tests and by sleeping. */
let clock: number;

beforeEach(async () => {
  third = await new MisbehavingServer().listen();
  clock = Date.parse('2026-01-01T00:00:00Z');
});
afterEach(() => third.close());

function several(
  servers: readonly { readonly origin: string }[],
  options: Partial<RemoteBackendOptions> & { concurrency?: number } = {},
): RemoteBackend {
  const { concurrency = 1, ...others } = options;
  return backend({
    endpoints: servers.map(({ origin }) => ({ baseUrl: origin, model: 'qwen', concurrency })),
    // Checked when the test says so.
    healthInterval: 1e6,
    ...others,
    waiting: {
      now: () => clock,
      sleep: async (time) => {
        waits.push(time);
        clock += time;
      },
      ...others.waiting,
    },
  });
}

/** Questions whose pictures are at home at the first of these servers. */
function questionFor(home: MisbehavingServer, ...others: MisbehavingServer[]): BackendRequest {
  const nodes = [home, ...others].map(({ origin }) => ({ name: `${origin}/v1/chat/completions`, concurrency: 1 }));
  for (let i = 0; ; i++) {
    const question: BackendRequest = { parts: [{ kind: 'text', text: `When, ${i}?` }], maxTokens: 50 };
    if (rendezvousOrder(beginningOf(question), nodes)[0] === nodes[0]) return question;
  }
}

const asked = () => [server, other, third].map((one) => one.asked.length);

describe('questions to several servers', () => {
  it('are as many at once as all have places, each server no more than its own', async () => {
    const open: (() => void)[] = [];
    const slow: Act = (exchange) => open.push(() => answer('x')(exchange));
    for (const one of [server, other]) one.script = [slow];
    const one = several([server, other]);
    expect(one.concurrency).toBe(2);
    const question = questionFor(server, other);
    const answers = [1, 2, 3].map(() => one.ask(question));
    await until(() => open.length === 2);
    expect(asked()).toEqual([1, 1, 0]);
    for (const reply of open.splice(0)) reply();
    await until(() => open.length === 1);
    open[0]?.();
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(['x', 'x', 'x']);
  });

  it('go home where the same pictures were seen before', async () => {
    for (const one of [server, other]) one.script = [answer('x')];
    const one = several([server, other]);
    const question = questionFor(other, server);
    for (let i = 0; i < 4; i++) await one.ask(question);
    expect(asked()).toEqual([0, 4, 0]);
  });

  it('cannot go to a server that is named twice, or to none', () => {
    expect(() => several([server, server])).toThrow('is named twice');
    expect(() => several([])).toThrow('No model server is named');
  });
});

describe('a server of several', () => {
  it.each<[string, Act]>([
    ['fails', raw('<h1>oops</h1>', 500)],
    ['hangs up', hangUpAfter(Buffer.from('HTTP/1.1 200 OK\r\n'))],
    ['answers rubbish', raw('Hello!')],
    ['refuses the key', json({ error: 'no' }, 401)],
    ['does not know the model', json({ error: 'no' }, 404)],
  ])('that %s loses its question to another at once', async (_, act) => {
    server.script = [act];
    other.script = [answer('from the other')];
    const one = several([server, other]);
    expect((await one.ask(questionFor(server, other))).text).toBe('from the other');
    expect([asked(), waits]).toEqual([[1, 1, 0], []]);
    expect(one.servers()[0]?.problem).toContain(server.origin);
  });

  it('that fails all the time is left alone after five failures, tried once later, and used again when it is well', async () => {
    server.script = [raw('', 500)];
    other.script = [answer('x')];
    const one = several([server, other]);
    const question = questionFor(server, other);
    for (let i = 0; i < 8; i++) await one.ask(question);
    expect([asked(), one.servers()[0]?.circuit]).toEqual([[5, 8, 0], 'open']);
    // The coin says one half: three quarters of 5 s.
    clock += 3_750;
    expect(one.servers()[0]?.circuit).toBe('half-open');
    await one.ask(question);
    expect([server.asked.length, one.servers()[0]?.circuit]).toEqual([6, 'open']);
    clock += 7_499;
    await one.ask(question);
    expect(server.asked).toHaveLength(6);
    clock += 1;
    server.script = [answer('well again')];
    expect((await one.ask(question)).text).toBe('well again');
    expect(one.servers()[0]).toMatchObject({ circuit: 'closed', answers: 1, failures: 6 });
    expect(one.servers()[0]).not.toHaveProperty('problem');
  });

  it('that is gone is passed over, and used when it comes back on the same port', async () => {
    const port = Number(new URL(server.origin).port);
    other.script = [answer('x')];
    const one = several([server, other]);
    const question = questionFor(server, other);
    await server.close();
    for (let i = 0; i < 5; i++) await one.ask(question);
    expect(one.servers()[0]).toMatchObject({ healthy: false, inFlight: 0 });
    const back = await new MisbehavingServer().listen(port);
    back.script = [answer('back')];
    expect((await one.checkServers())[0]?.healthy).toBe(true);
    expect((await one.ask(question)).text).toBe('back');
    await back.close();
  });

  it('that is too busy rests for as long as it says, and is no failure', async () => {
    server.script = [json({}, 429, { 'retry-after': '30' })];
    other.script = [answer('x')];
    const one = several([server, other]);
    const question = questionFor(server, other);
    for (let i = 0; i < 3; i++) await one.ask(question);
    expect([asked(), one.servers()[0]]).toMatchObject([[1, 3, 0], { resting: true, circuit: 'closed' }]);
    clock += 30_000;
    server.script = [answer('rested')];
    expect((await one.ask(question)).text).toBe('rested');
  });

  it('that never answers and is found to be unwell loses its question to another', async () => {
    let sick = false;
    server.whenChecked = (exchange) => raw('', sick ? 503 : 200)(exchange);
    server.script = [() => {}];
    other.script = [answer('rescued')];
    const one = several([server, other]);
    const asking = one.ask(questionFor(server, other));
    await until(() => server.asked.length === 1);
    sick = true;
    await one.checkServers();
    expect(other.asked).toHaveLength(0);
    await one.checkServers();
    expect((await asking).text).toBe('rescued');
    await until(() => one.servers()[0]?.inFlight === 0);
  });
});

describe('all servers', () => {
  it('that rest for too long are overloaded at once', async () => {
    for (const one of [server, other]) one.script = [json({}, 429, { 'retry-after': '3600' })];
    const one = several([server, other]);
    const question = questionFor(server, other);
    expect(await failure(one.ask(question))).toMatchObject({ code: 'overloaded' });
    expect(await failure(one.ask(question))).toMatchObject({
      code: 'overloaded',
      message: 'Every model server asks to be left alone, for 3600 s or longer.',
    });
    expect(asked()).toEqual([1, 1, 0]);
  });

  it('whose circuits are open let a question wait until one may be tried', async () => {
    for (const one of [server, other]) one.script = [raw('', 500)];
    const one = several([server, other], { circuit: { base: 60_000 } });
    const question = questionFor(server, other);
    for (let i = 0; i < 2; i++) expect((await failure(one.ask(question))).code).toBe('model_failed');
    expect(one.servers().map(({ circuit }) => circuit)).toEqual(['open', 'open']);
    for (const one of [server, other]) one.script = [answer('x')];
    expect((await one.ask(question)).text).toBe('x');
  });

  it('that are one are left alone for ten seconds at most', async () => {
    server.script = [raw('', 500)];
    const one = several([server], { retry: { attempts: 1 } });
    for (let i = 0; i < 12; i++) await failure(one.ask(questionFor(server)));
    expect([server.asked.length, Math.max(...waits)]).toEqual([12, 7_500]);
  });

  it('that refuse their key or model are a mistake in the settings', async () => {
    for (const one of [server, other]) one.script = [json({ error: 'no' }, 401)];
    const error = await failure(several([server, other]).ask(questionFor(server, other)));
    expect(error).toMatchObject({ code: 'bad_config', hint: expect.stringContaining('key') });
    expect(asked()).toEqual([1, 1, 0]);
  });

  it('that are unwell are asked all the same, since a check may be wrong', async () => {
    for (const one of [server, other]) {
      one.whenChecked = raw('', 503);
      one.script = [answer('x')];
    }
    expect((await several([server, other]).ask(questionFor(server, other))).text).toBe('x');
  });
});

describe('a question that takes longer than usual', () => {
  /** A backend whose first server has answered twenty questions quickly. */
  async function warmedUp(servers: readonly MisbehavingServer[], options: Partial<RemoteBackendOptions> = {}) {
    for (const one of servers) one.script = [answer('x')];
    const one = several(servers, { concurrency: 4, ...options });
    const question = questionFor(servers[0] as MisbehavingServer, ...servers.slice(1));
    for (let i = 0; i < 20; i++) await one.ask(question);
    for (const one of servers) one.asked.length = 0;
    return { one, question };
  }

  it('is asked of a second server too, whose answer counts; the first is hung up on, a third is never asked', async () => {
    const { one, question } = await warmedUp([server, other, third]);
    server.script = [() => {}];
    let reply: (() => void) | undefined;
    const slow: Act = (exchange) => {
      reply = () => answer('second')(exchange);
    };
    for (const one of [other, third]) one.script = [slow];
    const asking = one.ask(question);
    await until(() => reply !== undefined);
    // Time for a third question, if there were one.
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(asked()[0]).toBe(1);
    expect((asked()[1] ?? 0) + (asked()[2] ?? 0)).toBe(1);
    reply?.();
    expect((await asking).text).toBe('second');
    await until(() => server.connections === 0);
    const [first, ...others] = one.servers();
    expect(first).toMatchObject({ inFlight: 0, failures: 0, hedges: 0, circuit: 'closed' });
    const sum = (value: (status: (typeof others)[number]) => number) =>
      others.reduce((all, one) => all + value(one), 0);
    expect([sum(({ hedges }) => hedges), sum(({ hedgesWon }) => hedgesWon)]).toEqual([1, 1]);
  });

  it('is not asked twice beyond one in twenty', async () => {
    const { one, question } = await warmedUp([server, other]);
    const open: (() => void)[] = [];
    server.script = [(exchange) => open.push(() => answer('late')(exchange))];
    // Two are saved: the first to begin with, and one for twenty questions.
    for (let i = 0; i < 2; i++) expect((await one.ask(question)).text).toBe('x');
    const third = one.ask(question);
    await until(() => open.length === 3);
    // Time for the other to be asked, if it were.
    await new Promise((resolve) => setTimeout(resolve, 40));
    open[2]?.();
    expect((await third).text).toBe('late');
    expect(other.asked).toHaveLength(2);
  });

  it('is waited for where that was asked for', async () => {
    const { one, question } = await warmedUp([server, other], { hedge: false });
    server.script = [(exchange) => setTimeout(() => answer('late')(exchange), 60)];
    expect((await one.ask(question)).text).toBe('late');
    expect(other.asked).toEqual([]);
  });

  it('that both servers fail is asked again', async () => {
    const { one, question } = await warmedUp([server, other]);
    server.script = [(exchange) => setTimeout(() => raw('', 500)(exchange), 60), answer('again')];
    other.script = [raw('', 500), answer('again')];
    expect((await one.ask(question)).text).toBe('again');
  });
});

describe('what a server has room for', () => {
  const room = (tokens: number): Act => json({ data: [{ id: 'qwen', max_model_len: tokens }] });
  const pictures = (count: number): BackendRequest => ({
    parts: [
      { kind: 'video', pictures: Array.from({ length: count }, () => STILL), timeZero: 0 },
      { kind: 'text', text: 'When?' },
    ],
    maxTokens: 50,
  });
  const counted = (tokens: number): Act =>
    json({ ...completion('x'), usage: { prompt_tokens: tokens, completion_tokens: 1 } });

  it('is not exceeded once it is known how large questions are: less is asked for before anything is sent', async () => {
    server.whenChecked = room(300);
    server.script = [counted(200)];
    const one = several([server]);
    await one.ask(pictures(2));
    const error = await failure(one.ask(pictures(64)));
    expect(error).toMatchObject({ code: 'overloaded', retry: 'smaller' });
    expect(error.message).toMatch(
      /^A question of about \d+ tokens .* does not fit into the 300 tokens of the model server\.$/,
    );
    expect(server.asked).toHaveLength(1);
    await one.ask(pictures(2));
    expect(server.checks).toEqual(['/health', '/v1/models']);
  });

  it('sends a large question to the server that holds it', async () => {
    server.whenChecked = room(300);
    other.whenChecked = room(100_000);
    for (const one of [server, other]) one.script = [counted(200)];
    const one = several([server, other]);
    const small = { ...questionFor(server, other), parts: pictures(2).parts };
    await Promise.all([one.ask(small), one.ask(small)]);
    expect(asked()).toEqual([1, 1, 0]);
    for (let i = 0; i < 3; i++) await one.ask(pictures(64));
    expect(asked()).toEqual([1, 4, 0]);
    expect(one.servers().map(({ maxTokens }) => maxTokens)).toEqual([300, 100_000]);
  });
});

describe('the health of a server', () => {
  const list = json({ data: [{ id: 'qwen' }, { id: 'other' }] });
  const onlyModels: Act = (exchange) => (exchange.asked.path === '/health' ? raw('', 404) : list)(exchange);

  it.each<[string, Act, object]>([
    ['both answers are good', list, { healthy: true, models: ['qwen', 'other'] }],
    ['it knows no /health', onlyModels, { healthy: true, models: ['qwen', 'other'] }],
    ['it knows neither', raw('', 404), { healthy: true }],
    [
      'it still loads',
      json({ error: 'loading model' }, 503),
      { healthy: false, problem: 'answered 503: {"error":"loading model"}' },
    ],
    ['it refuses the key', json({}, 401), { healthy: false, problem: 'answered 401: {}' }],
    [
      'it hangs up',
      hangUpAfter(Buffer.alloc(0)),
      { healthy: false, problem: 'closed the connection without an answer' },
    ],
    ['its list is rubbish', raw('[1, {"data": '), { healthy: true }],
  ])('when %s', async (_, act, expected) => {
    server.whenChecked = act;
    expect((await several([server]).checkServers())[0]).toMatchObject(expected);
  });

  it('is asked with the key, beside the path that it was given', async () => {
    let key: string | undefined;
    server.whenChecked = (exchange) => {
      key = exchange.asked.headers.authorization;
      raw('', 404)(exchange);
    };
    await backend({ baseUrl: `${server.origin}/openai/v1/` }).checkServers();
    expect([server.checks, key]).toEqual([['/openai/health', '/openai/v1/models'], 'Bearer sk-very-secret-4711']);
  });
});
