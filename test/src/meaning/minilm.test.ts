import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { openMiniLm } from '../../../src/meaning/minilm.js';
import { findMiniLm } from '../../../src/meaning/minilm-package.js';
import { describeEmbedder } from './embedder-contract.js';
import { cosine, GOLDEN } from './golden.js';

/** The threads that were started, so that a test can kill one. */
const threads = vi.hoisted(() => [] as Worker[]);
vi.mock('../../../src/thread.js', async (original) => {
  const { startThread } = await original<typeof import('../../../src/thread.js')>();
  return {
    startThread: (...args: Parameters<typeof startThread>) => {
      const worker = startThread(...args);
      threads.push(worker);
      return worker;
    },
  };
});

/** The issue asks for 0.999; the worst seen is 1 − 7e-13. A wrong ε, GELU or mask costs more than this. */
const REFERENCE_COSINE = 0.999999;
/** Batches of other shapes add in another order: single precision at 384 channels. */
const BATCH_TOLERANCE = 1e-6;

const installed = findMiniLm();

describe.skipIf(!installed && !process.env['CI'])('MiniLM', () => {
  let model: Embedder;
  let golden: Float32Array[];
  beforeAll(async () => {
    model = await openMiniLm({ threads: 1 });
    golden = await model.embed(GOLDEN.sentences.map(({ text }) => text));
  });
  afterAll(() => model.close());

  const one = async (text: string) => (await model.embed([text]))[0] as Float32Array;
  const similarity = async (a: string, b: string) => cosine(await one(a), await one(b));

  it('has the id that is stored beside its vectors, and their length', () => {
    expect(model.id).toBe('minilm-l6-v2-fp16');
    expect(model.dim).toBe(384);
  });

  it.each(GOLDEN.sentences.map((sentence, index) => ({ ...sentence, index })))(
    'agrees with the reference about: $name',
    ({ index, vector }) => {
      expect(cosine(golden[index] as Float32Array, vector)).toBeGreaterThan(REFERENCE_COSINE);
    },
  );

  it('tells the sentences of the reference apart', () => {
    const named = (name: string) => golden[GOLDEN.sentences.findIndex((sentence) => sentence.name === name)];
    expect(cosine(named('short') as Float32Array, named('unrelated') as Float32Array)).toBeLessThan(0.2);
  });

  it('finds a rabbit that opens its eyes nearer to a bunny that wakes up than to a car', async () => {
    const subtitle = 'the rabbit opens its eyes';
    const right = await similarity(subtitle, 'bunny wakes up');
    const wrong = await similarity(subtitle, 'a car drives through the city');
    // The reference: 0.593 and 0.078.
    expect(right).toBeCloseTo(0.593, 3);
    expect(wrong).toBeCloseTo(0.078, 3);
  });

  it('does not care for capitals', async () => {
    expect(await similarity('The Rabbit', 'the rabbit')).toBeCloseTo(1, 6);
  });

  it('gives one text the same vector alone and among others', async () => {
    for (const [index, { text }] of GOLDEN.sentences.entries()) {
      const alone = await one(text);
      const among = golden[index] as Float32Array;
      expect(Math.max(...alone.map((value, i) => Math.abs(value - (among[i] ?? Number.NaN))))).toBeLessThan(
        BATCH_TOLERANCE,
      );
    }
  });

  it('keeps the order of more texts than one batch holds', async () => {
    const words = ['rabbit', 'car', 'music', 'rain'];
    const texts = Array.from({ length: 150 }, (_, i) => `${words[i % 4]} `.repeat(1 + (i % 7)).trim());
    const vectors = await model.embed(texts);
    expect(vectors.length).toBe(150);
    const alone = new Map<string, Float32Array>();
    for (const text of new Set(texts)) alone.set(text, await one(text));
    texts.forEach((text, i) => {
      expect(cosine(vectors[i] as Float32Array, alone.get(text) as Float32Array)).toBeGreaterThan(REFERENCE_COSINE);
    });
  });

  it('takes a text of any length and reads its first 254 words', async () => {
    const beginning = 'rabbit '.repeat(254);
    expect(await similarity(beginning, beginning + 'a car drives through the city '.repeat(20_000))).toBeCloseTo(1, 6);
  });

  it('leaves the event loop free', async () => {
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await one('rabbit '.repeat(254));
    running = false;
    // Tokens take one turn; a blocked loop would see two or three.
    expect(turns).toBeGreaterThan(20);
  });

  it('stops when it is told to in the middle of the work, and works on', async () => {
    const controller = new AbortController();
    const embedding = model.embed(new Array(200).fill('rabbit '.repeat(250)), controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(embedding).rejects.toMatchObject({ code: 'cancelled' });
    expect((await one('rabbit')).length).toBe(384);
  });

  it('fails the call whose thread dies and serves the next one from a new thread', async () => {
    const fresh = await openMiniLm({ threads: 1 });
    try {
      const started = threads.length;
      const ended = threads.at(-1)?.terminate();
      await expect(fresh.embed(['rabbit'])).rejects.toMatchObject({ code: 'model_failed' });
      await ended;
      const [[again], [too]] = await Promise.all([fresh.embed(['rabbit']), fresh.embed(['rabbit'])]);
      expect(cosine(again as Float32Array, await one('rabbit'))).toBeGreaterThan(REFERENCE_COSINE);
      expect(too).toEqual(again);
      expect(threads.length).toBe(started + 1);
    } finally {
      await fresh.close();
    }
  });

  it('that is closed answers no more', async () => {
    const fresh = await openMiniLm({ threads: 1 });
    const embedding = expect(fresh.embed(new Array(64).fill('rabbit'))).rejects.toMatchObject({ code: 'cancelled' });
    await fresh.close();
    await embedding;
    await expect(fresh.embed(['rabbit'])).rejects.toMatchObject({ code: 'cancelled' });
  });

  describeEmbedder('MiniLM', () => openMiniLm({ threads: 1 }));
});

describe('MiniLM without its weights', () => {
  it('is a missing part', async () => {
    await expect(openMiniLm({ directory: path.join(tmpdir(), 'no-such-folder') })).rejects.toMatchObject({
      code: 'part_missing',
    });
  });

  it.skipIf(!installed && !process.env['CI'])('or with half of them is refused', async () => {
    const copy = mkdtempSync(path.join(tmpdir(), 'longwatch-minilm-'));
    try {
      cpSync(installed ?? '', copy, { recursive: true });
      truncateSync(path.join(copy, 'model.fp16.safetensors'), 20_000_000);
      await expect(openMiniLm({ directory: copy })).rejects.toMatchObject({ code: 'bad_weights' });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});
