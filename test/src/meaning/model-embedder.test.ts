/** The embedder that a language model is, on a tiny one of random weights: its space is a space, and knows nothing. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import type { PromptPart } from '../../../src/backend.js';
import { openChosenEmbedder } from '../../../src/chosen-embedder.js';
import type { ChosenModel } from '../../../src/chosen-model.js';
import { loadConfig } from '../../../src/config.js';
import { LongwatchError } from '../../../src/errors.js';
import { CALIBRATION_PAIRS } from '../../../src/meaning/calibration.js';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { openModelEmbedder, type StateReader } from '../../../src/meaning/model-embedder.js';
import { LocalBackend } from '../../../src/qwen/local-backend.js';
import { fill, newVideo, subtitle, temporaryLibrary } from '../../index/support.js';
import { GoldenModel } from '../qwen/golden-model.js';
import { pictureAt } from '../tasks/cases.js';
import { describeEmbedder, describeFrameEmbedder } from './embedder-contract.js';
import { cosine } from './golden.js';

let golden: GoldenModel;
let backend: LocalBackend;
beforeAll(async () => {
  golden = await GoldenModel.open('tiny-tied');
  backend = new LocalBackend('tiny', golden.runtime);
});
afterAll(async () => {
  await backend.close();
  rmSync(golden.directory, { recursive: true, force: true });
});

describeEmbedder('the state of a language model', () => openModelEmbedder(backend, golden.directory));
describeFrameEmbedder('the state of a language model', () => openModelEmbedder(backend, golden.directory));

describe('a local model', () => {
  it('says how far its positions in time lie apart, as its checkpoint has them', () => {
    expect([golden.runtime.config.vision.tokensPerSecond, backend.positionStep]).toEqual([2, 0.5]);
  });
});

describe('the states of a local model', () => {
  const say = (text: string): PromptPart[] => [{ kind: 'text', text }];

  it('are those of a prompt read alone, however much of it was read before', async () => {
    const prompts = [say('a rabbit opens its eyes'), say('a rabbit opens a door'), say('rain')];
    const together = await backend.states(prompts);
    for (const [i, prompt] of prompts.entries()) {
      const [alone] = await backend.states([prompt]);
      expect(cosine(together[i] as Float32Array, alone as Float32Array)).toBeGreaterThan(0.99999);
    }
  });

  it('may be of a window of frames too', async () => {
    const pictures = [0, 0.5, 1, 1.5].map((time) => pictureAt(time));
    const window: PromptPart = { kind: 'video', pictures, timeZero: 0 };
    const [seen, read] = await backend.states([[window, ...say('In one word:')], say('In one word:')]);
    expect(seen).toHaveLength(backend.stateSize);
    expect(cosine(seen as Float32Array, read as Float32Array)).toBeLessThan(0.9999);
  });
});

/** Lays every text of a pair beside its partner, and counts what it is asked. */
class KnowingModel implements StateReader {
  readonly id = 'knowing';
  readonly stateSize = CALIBRATION_PAIRS.length;
  prompts: string[] = [];
  asked: (readonly PromptPart[])[] = [];

  async states(prompts: readonly (readonly PromptPart[])[]): Promise<Float32Array[]> {
    this.asked.push(...prompts);
    return prompts.map(([part]) => {
      const text = part?.kind === 'text' ? part.text : '';
      this.prompts.push(text);
      const pair = CALIBRATION_PAIRS.findIndex((texts) => texts.some((one) => text.includes(one)));
      return Float32Array.from({ length: this.stateSize }, (_, i) => (i === pair ? 5 : 1));
    });
  }
}

describe('the frames of a window', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-frames-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    [2, [0, 1]],
    [4, [0, 1, 2, 3]],
    [6, [0, 1, 4, 5]],
    [10, [2, 3, 6, 7]],
    [16, [4, 5, 12, 13]],
  ])(
    'of which there are %i are shown as two pairs at most, spread, as a clip that starts at 0',
    async (count, shown) => {
      writeFileSync(path.join(folder, 'manifest.json'), '{}');
      const model = new KnowingModel();
      const { frames } = await openModelEmbedder(model, folder);
      model.asked = [];
      await frames?.embed([Array.from({ length: count }, (_, i) => pictureAt(60 + i / 2, i))]);
      const [[video, words] = []] = model.asked;
      if (video?.kind !== 'video') return expect.unreachable();
      expect(video.timeZero).toBe(0);
      expect(video.pictures.map(({ index }) => index)).toEqual(shown);
      expect(video.pictures.map(({ time }) => time)).toEqual(shown.map((i) => (i - (shown[0] as number)) / 2));
      expect(words).toEqual({ kind: 'text', text: '\nSummary of the video above in one word:' });
    },
  );
});

describe('the scale of a language model', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-scale-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is found out once for a build, and again for another build', async () => {
    writeFileSync(path.join(folder, 'manifest.json'), '{"a": 1}');
    const model = new KnowingModel();
    const first = await openModelEmbedder(model, folder);
    expect(model.prompts).toHaveLength(2 * CALIBRATION_PAIRS.length);
    expect(model.prompts[0]).toBe('"a dog runs after a ball"\nSummary of the text above in one word:');
    expect(first.scale?.unrelated).toBeLessThan(first.scale?.match ?? 0);
    const second = await openModelEmbedder(model, folder);
    expect(model.prompts).toHaveLength(2 * CALIBRATION_PAIRS.length);
    expect([second.scale, second.id]).toEqual([first.scale, first.id]);
    writeFileSync(path.join(folder, 'manifest.json'), '{"a": 2}');
    const third = await openModelEmbedder(model, folder);
    expect(model.prompts).toHaveLength(4 * CALIBRATION_PAIRS.length);
    expect(third.id).not.toBe(first.id);
  });

  it('is found out again when what was kept is damaged', async () => {
    const model = new KnowingModel();
    const file = path.join(folder, 'meaning.json');
    const { scale } = await openModelEmbedder(model, folder);
    for (const damaged of ['', '{"key"', readFileSync(file, 'utf8').replace(/"match":[\d.]+/, '"match":-7')]) {
      writeFileSync(file, damaged);
      model.prompts = [];
      expect((await openModelEmbedder(model, folder)).scale).toEqual(scale);
      expect(model.prompts).toHaveLength(2 * CALIBRATION_PAIRS.length);
    }
  });

  it('is none for random weights, and that is remembered too', async () => {
    expect((await openModelEmbedder(backend, golden.directory)).scale).toBeUndefined();
    expect(JSON.parse(readFileSync(path.join(golden.directory, 'meaning.json'), 'utf8')).scale).toBeNull();
  });

  it('is none without a state, which is an error', async () => {
    const broken: StateReader = {
      id: 'broken',
      stateSize: 2,
      states: async (prompts) => prompts.map(() => Float32Array.of(Number.NaN, 1)),
    };
    rmSync(path.join(folder, 'meaning.json'));
    await expect(openModelEmbedder(broken, folder)).rejects.toMatchObject({ code: 'model_failed' });
  });
});

describe('the embedder that is chosen', () => {
  const config = loadConfig({}, {});
  const absent = async (): Promise<Embedder> => {
    throw new LongwatchError('part_missing', 'MiniLM is not installed.', { hint: 'Install it.' });
  };
  const local = async (): Promise<ChosenModel> => ({ backend, local: { backend, directory: golden.directory } });

  it("is the model's where MiniLM is not installed; random weights then order and find nothing", async () => {
    const { embedder } = await openChosenEmbedder(config, local, absent);
    expect(embedder?.id).toMatch(/^tiny-state-1-[0-9a-f]{8}$/);
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('rabbit'));
    const lines = [subtitle(1, 3, 'The rabbit opens its eyes'), subtitle(20, 22, 'A rabbit digs')];
    await fill(library, id, lines, embedder as Embedder);
    const searcher = createSearcher({ library, embedder: embedder as Embedder });
    const found = await searcher.search({ query: 'rabbit eyes' });
    expect(found).toMatchObject({ mode: 'words+meaning', noMatch: false });
    expect(found.results[0]?.why).toEqual(['words: "rabbit", "eyes"', 'subtitle']);
    expect(found.note).toContain('Meaning only orders');
    expect(await searcher.search({ query: 'stock market crash' })).toMatchObject({ noMatch: true, results: [] });
  });

  it.each([
    ['no model', async () => ({}), 'MiniLM is not installed. Install it.'],
    ['a server', async () => ({ backend }), 'MiniLM is not installed. Install it.'],
    [
      'a model that does not open',
      async () => {
        throw new LongwatchError('bad_weights', 'decoder.onnx is damaged.');
      },
      'MiniLM is not installed. Install it. The model cannot stand in: decoder.onnx is damaged.',
    ],
  ])('is none with %s', async (_, model, missing) => {
    expect(await openChosenEmbedder(config, model, absent)).toEqual({ missing });
  });

  it('is none when MiniLM is damaged or switched off, and no model is opened for it', async () => {
    const never = async (): Promise<ChosenModel> => expect.unreachable();
    const damaged = async (): Promise<Embedder> => {
      throw new LongwatchError('bad_weights', 'MiniLM is damaged.');
    };
    expect(await openChosenEmbedder(config, never, damaged)).toEqual({ missing: 'MiniLM is damaged.' });
    expect(await openChosenEmbedder({ ...config, meaning: false }, never)).toMatchObject({
      missing: expect.stringContaining('switched off'),
    });
  });
});
