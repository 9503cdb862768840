import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { ResourceLimits, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { Session } from '../../../src/onnx/session.js';
import { busyGraph, floats, floatsOf, openGraph } from './open-graph.js';

/** The threads that sessions started, so that a test can kill one. */
const threads = vi.hoisted(() => [] as Worker[]);
/** Limits of the next threads. */
const limits = vi.hoisted(() => ({ resourceLimits: {} as ResourceLimits }));
vi.mock('../../../src/thread.js', async (original) => {
  const { startThread } = await original<typeof import('../../../src/thread.js')>();
  return {
    startThread: (...[url, callerUrl, options]: Parameters<typeof startThread>) => {
      const worker = startThread(url, callerUrl, { ...options, ...limits });
      threads.push(worker);
      return worker;
    },
  };
});

const sessions: Session[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
});

async function open(...args: Parameters<typeof openGraph>): Promise<Session> {
  const session = await openGraph(...args);
  sessions.push(session);
  return session;
}

const doubling = () =>
  open((graph) => {
    const x = graph.input('x', 'float32', ['n']);
    graph.output('y', graph.op('Add', [x, x]), 'float32', ['n']);
  });

/** Some tenths of a second inside the runtime on one thread. */
const BUSY_SIZE = 768;
const busy = () => open(busyGraph(BUSY_SIZE, 40));
const busyFeeds = () => ({ x: floats([BUSY_SIZE, BUSY_SIZE], new Float32Array(BUSY_SIZE ** 2)) });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof LongwatchError ? error.code : String(error);
}

describe('a session', () => {
  it('answers calls that were made at once, each with its own result', async () => {
    const session = await doubling();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => session.run({ x: floats([1], [i]) }).then(({ y }) => floatsOf(y))),
    );
    expect(results).toEqual(Array.from({ length: 20 }, (_, i) => [2 * i]));
  });

  it('leaves the feeds as they were', async () => {
    const session = await doubling();
    const x = floats([3], [1, 2, 3]);
    await session.run({ x });
    expect(floatsOf(x)).toEqual([1, 2, 3]);
  });

  it('leaves the event loop free while it runs', async () => {
    const session = await busy();
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await session.run(busyFeeds());
    running = false;
    // A loop that the run blocked would turn once before it and once after it.
    expect(turns).toBeGreaterThan(20);
  });

  it('works on after feeds that the runtime refused', async () => {
    const session = await doubling();
    expect(await codeOf(session.run({ z: floats([1], [1]) }))).toBe('model_failed');
    expect(await codeOf(session.run({}))).toBe('model_failed');
    expect(await codeOf(session.run({ x: { type: 'int32', shape: [1], data: Int32Array.of(1) } }))).toBe(
      'model_failed',
    );
    expect(await codeOf(session.run({ x: floats([2], [1]) }))).toBe('model_failed');
    expect(floatsOf((await session.run({ x: floats([1], [4]) }))['y'])).toEqual([8]);
  });

  it('works on after feeds that cannot be sent', async () => {
    const session = await doubling();
    const x = floats([1], [1]);
    structuredClone(x.data, { transfer: [x.data.buffer as ArrayBuffer] });
    expect(await codeOf(session.run({ x }))).toBe('model_failed');
    expect(floatsOf((await session.run({ x: floats([1], [4]) }))['y'])).toEqual([8]);
  });

  it('says what it cannot read as a model', async () => {
    expect(await codeOf(Session.open(new TextEncoder().encode('not a model')))).toBe('model_failed');
    expect(await codeOf(Session.open('/no/such/model.onnx'))).toBe('model_failed');
  });

  it('copies a model that is part of a larger buffer and moves one that is alone in its', async () => {
    const bytes = new Uint8Array(16);
    await codeOf(Session.open(bytes.subarray(0, 8)));
    expect(bytes.byteLength).toBe(16);
    await codeOf(Session.open(bytes));
    expect(bytes.byteLength).toBe(0);
  });

  it('refuses less than one thread', async () => {
    await expect(Session.open('x', { threads: 0 })).rejects.toThrow('0 threads');
  });
});

describe('cancelling', () => {
  it('before the call runs nothing', async () => {
    const session = await doubling();
    expect(await codeOf(session.run({ x: floats([1], [1]) }, { signal: AbortSignal.abort() }))).toBe('cancelled');
  });

  it('ends the wait for a run that is under way, and the next one starts after it', async () => {
    const session = await busy();
    const controller = new AbortController();
    const first = session.run(busyFeeds(), { signal: controller.signal });
    let firstEnded = false;
    const second = session.run(busyFeeds()).then(() => firstEnded);
    setImmediate(() => controller.abort());
    expect(await codeOf(first)).toBe('cancelled');
    firstEnded = true;
    expect(await second).toBe(true);
  });

  it('drops a run that waits, and no other', async () => {
    const session = await busy();
    const sent = vi.spyOn(threads.at(-1) as Worker, 'postMessage');
    const controller = new AbortController();
    const first = session.run(busyFeeds());
    const second = session.run(busyFeeds(), { signal: controller.signal });
    const third = session.run(busyFeeds());
    controller.abort();
    expect(await codeOf(second)).toBe('cancelled');
    expect((await first)['y']?.shape).toEqual([BUSY_SIZE, BUSY_SIZE]);
    expect((await third)['y']?.shape).toEqual([BUSY_SIZE, BUSY_SIZE]);
    expect(sent).toHaveBeenCalledTimes(2);
  });

  it('after the result does nothing', async () => {
    const session = await doubling();
    const controller = new AbortController();
    await session.run({ x: floats([1], [1]) }, { signal: controller.signal });
    controller.abort();
    expect(floatsOf((await session.run({ x: floats([1], [4]) }))['y'])).toEqual([8]);
  });
});

describe('memory that runs out', () => {
  it('inside the runtime is said to be that, and the session works on', async () => {
    const session = await open((graph) => {
      const size = graph.input('size', 'int64', [1]);
      graph.output('y', graph.op('ConstantOfShape', [size]), 'float32', ['n']);
    });
    const ofSize = (n: bigint) => session.run({ size: { type: 'int64', shape: [1], data: BigInt64Array.of(n) } });
    // A petabyte.
    await expect(ofSize(2n ** 48n)).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringMatching(/^The model runtime refused: .*alloc/s),
      hint: expect.stringContaining('too little memory'),
      retry: 'smaller',
    });
    expect(floatsOf((await ofSize(2n))['y'])).toEqual([0, 0]);
  });

  it('in the thread ends it, and says so', async () => {
    limits.resourceLimits = { maxOldGenerationSizeMb: 1, maxYoungGenerationSizeMb: 1 };
    const opening = doubling().finally(() => {
      limits.resourceLimits = {};
    });
    await expect(opening).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('out of memory'),
      cause: { code: 'ERR_WORKER_OUT_OF_MEMORY' },
      retry: 'smaller',
    });
    expect(floatsOf((await (await doubling()).run({ x: floats([1], [4]) }))['y'])).toEqual([8]);
  });
});

describe('a thread that dies', () => {
  it('with a run in hand fails that run and all that wait, and every later one at once', async () => {
    const session = await doubling();
    // Ended before the run reaches it: ended inside the runtime, the runtime would abort this whole process.
    const ended = threads.at(-1)?.terminate();
    const codes = [1, 2, 3].map((x) => codeOf(session.run({ x: floats([1], [x]) })));
    await ended;
    expect(await Promise.all(codes)).toEqual(['model_failed', 'model_failed', 'model_failed']);
    expect(session.alive).toBe(false);
    // It may have been memory, so less of the same is worth a try.
    await expect(session.run({ x: floats([1], [1]) })).rejects.toMatchObject({ retry: 'smaller' });
    expect(await codeOf(session.run({ x: floats([1], [1]) }))).toBe('model_failed');
    await session.close();
  });

  it('leaves other sessions as they are', async () => {
    const survivor = await doubling();
    await busy();
    await threads.at(-1)?.terminate();
    expect(floatsOf((await survivor.run({ x: floats([1], [4]) }))['y'])).toEqual([8]);
  });
});

describe('closing', () => {
  it('fails calls that wait and calls that come later as cancelled, and may be done twice', async () => {
    const session = await busy();
    const codes = [codeOf(session.run(busyFeeds())), codeOf(session.run(busyFeeds()))];
    await Promise.all([session.close(), session.close()]);
    expect(await Promise.all(codes)).toEqual(['cancelled', 'cancelled']);
    expect(await codeOf(session.run(busyFeeds()))).toBe('cancelled');
    await session.close();
    expect(threads.at(-1)?.threadId).toBe(-1);
  });

  it('and opening again can be done many times', async () => {
    for (let i = 0; i < 10; i++) {
      const session = await doubling();
      expect(floatsOf((await session.run({ x: floats([1], [i]) }))['y'])).toEqual([2 * i]);
      await session.close();
    }
  });
});

describe('a process', () => {
  const execute = promisify(execFile);
  const compiled = fileURLToPath(new URL('../../../dist/src/', import.meta.url));

  /** Runs `script` after a session over `y = x · x …` is open, in a process of its own. */
  const runScript = (script: string) => {
    const base = pathToFileURL(compiled).href;
    const whole = `
      import { GraphBuilder } from '${base}onnx/graph.js';
      import { modelBytes } from '${base}onnx/model-proto.js';
      import { Session } from '${base}onnx/session.js';
      const n = ${BUSY_SIZE};
      const graph = new GraphBuilder('g');
      const x = graph.input('x', 'float32', [n, n]);
      let y = x;
      for (let i = 0; i < 40; i++) y = graph.op('MatMul', [y, x]);
      graph.output('y', y, 'float32', [n, n]);
      const session = await Session.open(await modelBytes(graph.build()), { threads: 1 });
      const feeds = { x: { type: 'float32', shape: [n, n], data: new Float32Array(n * n) } };
      ${script}`;
    return execute(process.execPath, ['--input-type=module', '-e', whole]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    );
  };

  it('ends although a session was left open', async () => {
    const outcome = await runScript('console.log((await session.run(feeds)).y.shape.length);');
    expect(outcome).toEqual({ code: 0, stdout: '2\n', stderr: '' });
  });

  it('that exits during a run ends with the exit code that it asked for', async () => {
    const outcome = await runScript('session.run(feeds); setTimeout(() => process.exit(3), 100);');
    expect(outcome).toEqual({ code: 3, stdout: '', stderr: '' });
  });

  it('without onnxruntime-node is told how to install it', async () => {
    // Copied to where no node_modules is in sight.
    const bare = mkdtempSync(path.join(tmpdir(), 'longwatch-bare-'));
    try {
      mkdirSync(path.join(bare, 'src'));
      writeFileSync(path.join(bare, 'package.json'), '{"type":"module"}');
      for (const part of ['onnx', 'errors.js', 'thread.js'])
        cpSync(path.join(compiled, part), path.join(bare, 'src', part), { recursive: true });
      const script = `
        import { Session } from './src/onnx/session.js';
        const error = await Session.open('model.onnx').catch((error) => error);
        console.log(JSON.stringify({ code: error.code, message: error.message, hint: error.hint }));`;
      writeFileSync(path.join(bare, 'script.js'), script);
      const { stdout } = await execute(process.execPath, ['script.js'], { cwd: bare });
      expect(JSON.parse(stdout)).toEqual({
        code: 'part_missing',
        message: expect.stringContaining("Cannot find package 'onnxruntime-node'"),
        hint: 'Install it with `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0`.',
      });
    } finally {
      rmSync(bare, { recursive: true });
    }
  });
});
