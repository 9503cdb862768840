import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/onnx/element-type.js';
import { Session } from '../../../src/onnx/session.js';
import { EmbeddingCache, pairKey } from '../../../src/qwen/embedding-cache.js';
import { generate, generateFrom } from '../../../src/qwen/generate.js';
import { KvCache, kvBytes } from '../../../src/qwen/kv-cache.js';
import { requireMemory } from '../../../src/qwen/memory.js';
import type { PromptSpan } from '../../../src/qwen/mrope.js';
import { QwenRuntime } from '../../../src/qwen/runtime.js';
import { GoldenModel, relativeError } from './golden-model.js';
import { lastThread } from './recorded-threads.js';

vi.mock('../../../src/thread.js', async (original) => (await import('./recorded-threads.js')).recording(original));

/** Sums of a few hundred float32 products in another order. */
const FLOAT32 = 1e-4;
/** One key more or less in a step of two; nothing else changes. */
const SAME_SUMS = 1e-5;

const textLength = (span: PromptSpan | undefined) => (span?.kind === 'text' ? span.length : 0);

let model: GoldenModel;
let runtime: QwenRuntime;
beforeAll(async () => {
  model = await GoldenModel.open('tiny-tied');
  runtime = model.runtime;
});
afterAll(async () => model.close());

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof LongwatchError ? error.code : String(error);
}

describe('a cache of keys and values', () => {
  const shape = { layers: 2, kvHeads: 3, headDim: 4 };
  const named = (part: 'key' | 'value', layer: number, head: number, row: number, d: number) =>
    (part === 'key' ? 1 : -1) * (layer * 10_000 + head * 1000 + row * 10 + d + 1);
  const rowsOf = (from: number, count: number): Record<string, Tensor> =>
    Object.fromEntries(
      [0, 1].flatMap((layer) =>
        (['key', 'value'] as const).map((part) => [
          `new_${part}.${layer}`,
          {
            type: 'float32' as const,
            shape: [1, 3, count, 4],
            data: Float32Array.from({ length: 12 * count }, (_, i) =>
              named(part, layer, Math.floor(i / (4 * count)), from + (Math.floor(i / 4) % count), i % 4),
            ),
          },
        ]),
      ),
    );
  const expectRows = (cache: KvCache, rows: readonly number[]) => {
    for (const [name, tensor] of Object.entries(cache.feeds())) {
      const [part, layer] = name.replace('past_', '').split('.') as ['key' | 'value', string];
      expect(tensor.shape).toEqual([1, 3, rows.length, 4]);
      expect([...(tensor.data as Float32Array)]).toEqual(
        [0, 1, 2].flatMap((head) =>
          rows.flatMap((row) => [0, 1, 2, 3].map((d) => named(part, Number(layer), head, row, d))),
        ),
      );
    }
  };

  it('holds the rows that were appended and not forgotten, in their order, whatever happens', () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant('append' as const), rows: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('truncate' as const), keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ do: fc.constant('fork' as const), room: fc.nat({ max: 9 }) }),
    );
    fc.assert(
      fc.property(fc.nat({ max: 6 }), fc.array(action, { maxLength: 12 }), (capacity, actions) => {
        let cache = new KvCache(shape, capacity);
        let rows: number[] = [];
        let next = 0;
        for (const step of actions) {
          if (step.do === 'append') {
            cache.append(rowsOf(next, step.rows), step.rows);
            rows = [...rows, ...Array.from({ length: step.rows }, (_, i) => next + i)];
            next += step.rows;
          } else if (step.do === 'truncate') {
            rows = rows.slice(0, Math.floor(step.keep * rows.length));
            cache.truncate(rows.length);
          } else {
            const original = cache;
            cache = cache.fork(step.room);
            original.truncate(0);
          }
          expectRows(cache, rows);
          expect(cache.length).toBe(rows.length);
          expect(cache.bytes).toBeGreaterThanOrEqual(kvBytes(shape, rows.length));
        }
      }),
    );
  });

  it('of the 3B shape takes 73,728 bytes a token', () => {
    expect(kvBytes({ layers: 36, kvHeads: 2, headDim: 128 }, 1)).toBe(73_728);
  });
});

describe('the cache of embeddings', () => {
  it('drops what was used longest ago', () => {
    const cache = new EmbeddingCache(24);
    for (const key of ['a', 'b', 'c']) cache.set(key, new Float32Array(2));
    cache.get('a');
    cache.set('d', new Float32Array(2));
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true, true]);
    expect(cache.bytes).toBe(24);
    cache.set('whole', new Float32Array(7));
    expect(cache.bytes).toBe(24);
    cache.set('a', new Float32Array(1));
    expect(cache.bytes).toBe(20);
  });

  it('tells pixels and grids apart', () => {
    const pixels = Float32Array.of(1, 2, 3, 4);
    expect(pairKey(pixels, { rows: 2, columns: 4 })).toBe(pairKey(pixels.slice(), { rows: 2, columns: 4 }));
    expect(pairKey(pixels, { rows: 2, columns: 4 })).not.toBe(pairKey(pixels, { rows: 4, columns: 2 }));
    expect(pairKey(pixels, { rows: 2, columns: 4 })).not.toBe(
      pairKey(Float32Array.of(1, 2, 3, 5), { rows: 2, columns: 4 }),
    );
  });
});

describe('encoding frames', () => {
  it('gives what the reference gives, in raster order', async () => {
    let compared = 0;
    for (const wanted of model.golden.cases) {
      if (wanted.kind !== 'vision') continue;
      const found = await runtime.encodeVision(await model.pixels(wanted.media));
      expect(relativeError(found, await model.golden.tensors.float32(wanted.tensors.embeddings))).toBeLessThan(FLOAT32);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(5);
  });

  it('one frame pair at a time gives the same as all at once', async () => {
    const video = await model.pixels('three pairs');
    const single = await QwenRuntime.open(model.directory, { threads: 1, vision: { chunkBytes: 1, cacheBytes: 0 } });
    const run = vi.spyOn(Session.prototype, 'run');
    try {
      const found = await single.encodeVision(video);
      expect(run).toHaveBeenCalledTimes(3);
      expect(relativeError(found, await runtime.encodeVision(video))).toBeLessThan(SAME_SUMS);
    } finally {
      run.mockRestore();
      await single.close();
    }
  });

  it('runs no pair twice', async () => {
    const video = await model.pixels('two ragged pairs');
    await runtime.encodeVision(video);
    const run = vi.spyOn(Session.prototype, 'run');
    try {
      const again = await runtime.encodeVision(video);
      expect(run).not.toHaveBeenCalled();
      // The second pair, then a picture that stands still for three pairs.
      const pair = video.patches.length / 2;
      const still = video.patches.slice(pair).map((value) => value / 2);
      const patches = new Float32Array(4 * pair);
      patches.set(video.patches.subarray(pair), 0);
      for (const i of [1, 2, 3]) patches.set(still, i * pair);
      const mixed = await runtime.encodeVision({ ...video, patches, pairs: 4 });
      expect(run).toHaveBeenCalledTimes(1);
      expect(run.mock.calls[0]?.[0]['patches']?.shape[0]).toBe(1);
      const rows = mixed.length / 4;
      expect(mixed.subarray(0, rows)).toEqual(again.subarray(again.length / 2));
      expect(mixed.subarray(rows, 2 * rows)).toEqual(mixed.subarray(3 * rows));
    } finally {
      run.mockRestore();
    }
  });

  it('is cancelled before it begins', async () => {
    const video = await model.pixels('square');
    const fresh = { ...video, patches: video.patches.map((value) => value / 3) };
    expect(await codeOf(runtime.encodeVision(fresh, AbortSignal.abort()))).toBe('cancelled');
  });
});

describe.each(['tiny-tied', 'tiny-untied', 'tiny-broad', 'tiny-wide'])('the greedy answers of %s', (name) => {
  let golden: GoldenModel;
  beforeAll(async () => {
    golden = name === 'tiny-tied' ? model : await GoldenModel.open(name);
  });
  afterAll(async () => (name === 'tiny-tied' ? undefined : golden.close()));

  it('are the reference ones, token for token', async () => {
    let compared = 0;
    for (const wanted of golden.golden.cases) {
      if (wanted.kind !== 'generation') continue;
      const { ids, finish } = await generate(golden.runtime, await golden.prompt(wanted.prompt), {
        maxNewTokens: wanted.max_new_tokens,
        repetitionPenalty: wanted.repetition_penalty,
        eos: wanted.eos,
      });
      expect({ name: wanted.name, ids, finish }).toEqual({ name: wanted.name, ids: wanted.ids, finish: wanted.finish });
      compared += 1;
    }
    expect(compared).toBeGreaterThan(3);
  });

  it('rest on the reference logits', async () => {
    for (const wanted of golden.golden.cases) {
      if (wanted.kind !== 'logits') continue;
      const prompt = await golden.prompt(wanted.prompt);
      const last = wanted.rows.indexOf(prompt.ids.length - 1);
      if (last < 0) continue;
      const context = await golden.runtime.prefill(prompt);
      const vocabulary = golden.runtime.config.text.vocabSize;
      const expected = await golden.golden.tensors.float32(wanted.tensors.logits);
      expect(relativeError(context.logits, expected.slice(last * vocabulary, (last + 1) * vocabulary))).toBeLessThan(
        wanted.tolerance ?? FLOAT32,
      );
      await context.end();
    }
  });
});

describe('reading a prompt', () => {
  const media = 'video first';

  it('in pieces gives the same as at once', async () => {
    const prompt = await model.prompt(media);
    const whole = await runtime.prefill(prompt);
    const text = textLength(prompt.spans.at(-1));
    // The words after the video, one by one.
    const start = prompt.ids.length - text;
    const first = {
      ids: Array.from(prompt.ids).slice(0, start),
      spans: prompt.spans.slice(0, -1),
      media: prompt.media,
    };
    const pieces = await runtime.prefill(first, { reserve: 1 });
    let logits: Float32Array = pieces.logits;
    for (const id of Array.from(prompt.ids).slice(start)) logits = await pieces.append([id]);
    expect(relativeError(logits, whole.logits)).toBeLessThan(FLOAT32);
    expect(pieces.length).toBe(whole.length);
    await Promise.all([whole.end(), pieces.end()]);
  });

  it('again with another question reads only what is new', async () => {
    const prompt = await model.prompt(media);
    const other = { ...prompt, ids: Array.from(prompt.ids).map((id, i) => (i === prompt.ids.length - 12 ? 70 : id)) };
    const context = await runtime.prefill(prompt);
    await context.append([5, 6, 7]);
    expect(await context.turnTo(other)).toBe(prompt.ids.length - 12);
    const fresh = await runtime.prefill(other);
    expect(relativeError(context.logits, fresh.logits)).toBeLessThan(FLOAT32);
    expect(context.length).toBe(fresh.length);
    // And the answers go on alike.
    expect(relativeError(await context.append([9, 8]), await fresh.append([9, 8]))).toBeLessThan(FLOAT32);
    // The same prompt once more: only its last token is read, for its logits.
    expect(await context.turnTo(other)).toBe(other.ids.length - 1);
    const alone = await runtime.prefill(other);
    expect(relativeError(context.logits, alone.logits)).toBeLessThan(FLOAT32);
    await Promise.all([context.end(), fresh.end(), alone.end()]);
  });

  it('takes another video, or the same at another time, for something new', async () => {
    const prompt = await model.prompt(media);
    const context = await runtime.prefill(prompt);
    const before = textLength(prompt.spans[0]);
    const copied = { ...prompt, media: prompt.media.map((embeddings) => embeddings.slice()) };
    expect(await context.turnTo(copied)).toBe(before);
    const later = {
      ...copied,
      spans: copied.spans.map((span) =>
        span.kind === 'video' ? { ...span, pairTimes: span.pairTimes.map((time) => time + 60) } : span,
      ),
    };
    expect(await context.turnTo(later)).toBe(before);
    await context.end();
  });

  it('forks, and each goes its own way', async () => {
    const context = await runtime.prefill(await model.prompt(media));
    const fork = await context.fork(4);
    const one = await context.append([1]);
    const two = await fork.append([2]);
    expect(relativeError(two, one)).toBeGreaterThan(FLOAT32);
    const again = await fork.fork();
    expect(again.length).toBe(context.length);
    expect(relativeError(await again.append([3]), await fork.append([3]))).toBe(0);
    await Promise.all([context.end(), fork.end(), again.end()]);
  });

  it.each<[string, (prompt: Awaited<ReturnType<GoldenModel['prompt']>>) => object, string]>([
    ['no tokens', () => ({ ids: [], spans: [], media: [] }), 'empty'],
    ['a token too few', (prompt) => ({ ...prompt, ids: Array.from(prompt.ids).slice(1) }), 'parts'],
    ['a video without embeddings', (prompt) => ({ ...prompt, media: [] }), 'no embeddings'],
    ['embeddings of another size', (prompt) => ({ ...prompt, media: [new Float32Array(32)] }), 'embeddings'],
    [
      'embeddings without a video',
      (prompt) => ({ ...prompt, media: [...prompt.media, new Float32Array(32)] }),
      'nowhere',
    ],
    [
      'a token that the model does not know',
      (prompt) => ({ ...prompt, ids: [1e6, ...Array.from(prompt.ids).slice(1)] }),
      '1000000',
    ],
  ])('with %s is refused', async (_title, change, evidence) => {
    const prompt = change(await model.prompt(media)) as Awaited<ReturnType<GoldenModel['prompt']>>;
    await expect(runtime.prefill(prompt)).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(evidence),
    });
  });

  it('that does not fit into memory is refused before anything is computed', async () => {
    const prompt = await model.prompt('text only');
    await expect(runtime.prefill(prompt, { reserve: 1e10 })).rejects.toMatchObject({
      code: 'overloaded',
      retry: 'smaller',
      message: expect.stringMatching(/takes [\d,]+ MB, but [\d,]+ MB are free/),
    });
    expect(() => requireMemory('It', 2 ** 20, 2 ** 20)).not.toThrow();
    expect(() => requireMemory('It', 3 * 2 ** 20, 2 ** 20)).toThrow('It takes 3 MB, but 1 MB are free.');
  });
});

describe('cancelling', () => {
  it('reaches between two tokens, and the model answers the next question', async () => {
    const prompt = await model.prompt('text only');
    const controller = new AbortController();
    let tokens = 0;
    const answer = generate(runtime, prompt, {
      maxNewTokens: 1000,
      eos: [],
      signal: controller.signal,
      onToken: () => {
        tokens += 1;
        if (tokens === 5) controller.abort();
      },
    });
    expect(await codeOf(answer)).toBe('cancelled');
    expect(tokens).toBe(5);
    expect((await generate(runtime, prompt, { maxNewTokens: 3, eos: [] })).ids).toHaveLength(3);
  });

  it('during a step leaves the context as it was', async () => {
    const prompt = await model.prompt('text only');
    const context = await runtime.prefill(prompt);
    const twin = await runtime.prefill(prompt);
    const controller = new AbortController();
    const step = context.append([1, 2, 3], controller.signal);
    await new Promise(setImmediate);
    controller.abort();
    expect(['cancelled', 'undefined']).toContain(await codeOf(step));
    if (context.length === twin.length)
      expect(relativeError(await context.append([4]), await twin.append([4]))).toBeLessThan(SAME_SUMS);
    await Promise.all([context.end(), twin.end()]);
  });
});

describe('a thread that dies', () => {
  it('costs the answer in hand; the next one finds a new thread', async () => {
    const own = await QwenRuntime.open(model.directory, { threads: 1 });
    try {
      const prompt = await model.prompt('text only');
      const expected = await generate(own, prompt, { maxNewTokens: 4, eos: [] });
      const context = await own.prefill(prompt);
      await lastThread('decoder-thread.js').terminate();
      expect(await codeOf(context.append([1]))).toBe('model_failed');
      await context.end();
      expect(await generate(own, prompt, { maxNewTokens: 4, eos: [] })).toEqual(expected);

      await lastThread('session-thread.js').terminate();
      const video = await model.pixels('square');
      expect(relativeError(await own.encodeVision(video), await runtime.encodeVision(video))).toBe(0);
    } finally {
      await own.close();
    }
  });
});

describe('closing', () => {
  it('ends what waits as cancelled, and may be done twice', async () => {
    const own = await QwenRuntime.open(model.directory, { threads: 1 });
    const prompt = await model.prompt('text only');
    const answer = codeOf(generate(own, prompt, { maxNewTokens: 1000, eos: [] }));
    await new Promise(setImmediate);
    await own.close();
    await own.close();
    expect(await answer).toBe('cancelled');
    expect(await codeOf(own.prefill(prompt))).toBe('cancelled');
    expect(await codeOf(own.encodeVision(await model.pixels('odd frames')))).toBe('cancelled');
  });
});

describe('an answer', () => {
  it('of the tiny model is a value of its schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        start: { type: 'number', minimum: 0, maximum: 3, multipleOf: 0.1 },
        end: { type: 'number', minimum: 0, maximum: 3, multipleOf: 0.1, greaterThan: 'start' },
        text: { type: 'string', maxLength: 20 },
      },
    } as const;
    const prompt = runtime.prompt({ parts: [{ kind: 'text', text: 'When?' }] });
    for (const maxNewTokens of [40, 60, 200]) {
      const answer = await generate(
        runtime,
        { ids: prompt.ids, spans: prompt.spans, media: [] },
        { maxNewTokens, grammar: runtime.grammar(schema) },
      );
      const value = JSON.parse(answer.text) as { start: number; end: number; text: string };
      expect(Object.keys(value)).toEqual(['start', 'end', 'text']);
      expect(value.start).toBeGreaterThanOrEqual(0);
      expect(value.end).toBeGreaterThan(value.start);
      expect(value.end).toBeLessThanOrEqual(3);
    }
  });

  it('after another question over the same video is what it would have been alone', async () => {
    const prompt = await model.prompt('video first');
    const other = { ...prompt, ids: Array.from(prompt.ids).map((id, i) => (i === prompt.ids.length - 12 ? 70 : id)) };
    const options = { maxNewTokens: 8, eos: [] };
    const context = await runtime.prefill(prompt);
    const first = await generateFrom(context, runtime.tokenizer, options);
    await context.turnTo(other);
    const second = await generateFrom(context, runtime.tokenizer, options);
    expect(first).toEqual(await generate(runtime, prompt, options));
    expect(second).toEqual(await generate(runtime, other, options));
    await context.end();
  });
});
