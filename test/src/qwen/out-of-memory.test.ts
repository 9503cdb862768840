import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { longFilm } from '../../../fixtures/real/long-film.js';
import { openLibrary } from '../../../index/store/sqlite-library.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import { loadConfig } from '../../../src/config.js';
import type { ModelInput } from '../../../src/model.js';
import { Session } from '../../../src/onnx/session.js';
import { ingestVideo } from '../../../src/pipeline.js';
import { Sequence } from '../../../src/qwen/decoder-session.js';
import { LocalBackend } from '../../../src/qwen/local-backend.js';
import { Preprocessor } from '../../../src/qwen/preprocess.js';
import { QwenRuntime } from '../../../src/qwen/runtime.js';
import { BackendModel } from '../../../src/tasks/backend-model.js';
import { GoldenModel } from './golden-model.js';
import { threads } from './recorded-threads.js';

vi.mock('../../../src/thread.js', async (original) => (await import('./recorded-threads.js')).recording(original));

let golden: GoldenModel;
beforeAll(async () => {
  golden = await GoldenModel.open('tiny-tied');
});
afterAll(async () => golden.close());
afterEach(() => vi.restoreAllMocks());

/** Ends the last thread of that name just before the call that would use it, once. Inside the runtime it would take this process along. */
function killBefore<K extends string>(owner: Record<K, unknown>, method: K, thread: string): void {
  const original = owner[method] as (...args: unknown[]) => Promise<unknown>;
  vi.spyOn(owner as Record<string, () => unknown>, method).mockImplementationOnce(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    await threads.findLast(({ url }) => url.endsWith(thread))?.worker.terminate();
    return original.apply(this, args);
  } as () => unknown);
}

describe("the death of a model's thread", () => {
  it('costs one window, which is shown with fewer frames and stored with them', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-death-'));
    const library = openLibrary(path.join(folder, 'library'), { create: true });
    const model = new BackendModel(
      new LocalBackend('tiny', await QwenRuntime.open(golden.directory, { threads: 1 }), { tokensPerPair: 4 }),
    );
    const planned: ModelInput[] = [];
    const describeWindow = model.describe.bind(model);
    vi.spyOn(model, 'describe').mockImplementation((input, signal) => {
      planned.push(input);
      if (planned.length === 2) killBefore(Sequence.prototype, 'step', 'decoder-thread.js');
      if (planned.length === 3) killBefore(Session.prototype, 'run', 'session-thread.js');
      return describeWindow(input, signal);
    });
    try {
      const decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
      const { video } = await ingestVideo({ decoder, library, model }, await longFilm(2));
      expect(video.state).toBe('ready');
      const segments = library.segments(video.id).items;
      expect(segments).toHaveLength(planned.length);
      expect(segments.length).toBeGreaterThan(3);
      segments.forEach(({ frames, model: said }, index) => {
        const pairs = (planned[index]?.pictures.length ?? 0) / 2;
        const died = index === 1 || index === 2;
        if (died) expect(pairs).toBeGreaterThan(1);
        expect([said, frames.length / 2]).toEqual(['tiny', died ? Math.floor(pairs / 2) : pairs]);
      });
    } finally {
      await model.close();
      library.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('while pictures are prepared is no end either', async () => {
    const runtime = await QwenRuntime.open(golden.directory, { threads: 1 });
    const model = new BackendModel(new LocalBackend('tiny', runtime));
    const pictures = Array.from({ length: 4 }, (_, index) => ({
      kind: 'picture' as const,
      index,
      pts: index,
      time: index,
      width: 56,
      height: 28,
      rgb: new Uint8Array(56 * 28 * 3).fill(index),
    }));
    const input = { range: { start: 0, end: 4 }, pictures };
    try {
      expect((await model.describe(input)).frames).toHaveLength(4);
      const { worker } = threads.findLast(({ url }) => url.endsWith('preprocess-thread.js')) ?? {};
      const run = Preprocessor.prototype.run;
      vi.spyOn(Preprocessor.prototype, 'run').mockImplementationOnce(function (this: Preprocessor, ...args) {
        const running = run.apply(this, args);
        setImmediate(() => worker?.terminate());
        return running;
      });
      const { frames } = await model.describe(input);
      // It may have been done before it was ended.
      expect([2, 4]).toContain(frames.length);
    } finally {
      await model.close();
    }
  });
});

const PRLIMIT = '/usr/bin/prlimit';

describe('a process that can take no more memory', () => {
  // Only Linux lets a process bound its own address space, with a tool that every distribution has.
  it.skipIf(!existsSync(PRLIMIT))('shows a window with fewer frames, and lives', async () => {
    const base = pathToFileURL(fileURLToPath(new URL('../../../dist/src/', import.meta.url))).href;
    const script = `
      import { execFileSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      import { LocalBackend } from '${base}qwen/local-backend.js';
      import { QwenRuntime } from '${base}qwen/runtime.js';
      import { BackendModel } from '${base}tasks/backend-model.js';
      const backend = new LocalBackend('tiny', await QwenRuntime.open(${JSON.stringify(golden.directory)}, { threads: 1 }));
      const asked = [];
      const ask = backend.ask.bind(backend);
      backend.ask = async (request, signal) => {
        const frames = request.parts[0].pictures.length;
        const outcome = (said) => asked.push({ frames, said });
        try {
          const answer = await ask(request, signal);
          outcome('answered');
          return answer;
        } catch (error) {
          outcome(error.code);
          throw error;
        }
      };
      const model = new BackendModel(backend);
      const windowOf = (count, side) => ({
        range: { start: 0, end: count },
        pictures: Array.from({ length: count }, (_, index) => ({
          kind: 'picture', index, pts: index, time: index, width: side, height: side,
          rgb: new Uint8Array(side * side * 3).map((_, i) => (7 * i + 13 * index) % 256),
        })),
      });
      // All threads and their libraries are there before the limit is.
      await model.describe(windowOf(2, 56));
      const taken = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      execFileSync('${PRLIMIT}', ['--pid', String(process.pid), '--as=' + (taken + 100 * 2 ** 20)]);
      const { frames } = await model.describe(windowOf(64, 280));
      await model.close();
      console.log(JSON.stringify({ asked: asked.slice(1), frames: frames.length }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const { asked, frames } = JSON.parse(stdout) as { asked: { frames: number; said: string }[]; frames: number };
    expect(asked.map((one) => one.frames)).toEqual([64, 32, 16, 8, 4, 2].slice(0, asked.length));
    expect(asked.map(({ said }) => said)).toEqual([...new Array(asked.length - 1).fill('overloaded'), 'answered']);
    expect(asked.length).toBeGreaterThan(1);
    expect(frames).toBe(asked.at(-1)?.frames);
  });
});
