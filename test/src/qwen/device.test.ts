import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { buildModel } from '../../../src/qwen/build.js';
import { type Device, likelyDevices, openOnDevice, providersOf } from '../../../src/qwen/device.js';
import {
  randomTensors,
  TINY,
  TINY_VOCABULARY,
  tinyConfig,
  tinyConfigJson,
  writeCheckpoint,
} from './tiny-checkpoint.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function temporary(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-device-'));
  folders.push(folder);
  return folder;
}

const failing =
  (failures: Partial<Record<Device, LongwatchError>>) =>
  async (device: Device): Promise<string> => {
    const failure = failures[device];
    if (failure) throw failure;
    return `on ${device}`;
  };
const NO_ADAPTER = new LongwatchError(
  'model_failed',
  'The model runtime refused: /src/webgpu_context.cc:136 Initialize() adapter_result.status == Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
);
const NO_MEMORY = new LongwatchError('overloaded', 'The model runtime refused: CUDA failure 2: out of memory ; GPU=0');
const NO_LIBRARY = new LongwatchError('model_failed', 'The model runtime refused: Failed to load shared library');

describe('a device', () => {
  it('that starts is taken, without a word', async () => {
    expect(await openOnDevice('webgpu', failing({}))).toEqual({ opened: 'on webgpu', device: 'webgpu' });
    expect(await openOnDevice('cpu', failing({}))).toEqual({ opened: 'on cpu', device: 'cpu' });
  });

  it('that does not start leaves the processor, with a plain sentence', async () => {
    expect(await openOnDevice('webgpu', failing({ webgpu: NO_ADAPTER }))).toEqual({
      opened: 'on cpu',
      device: 'cpu',
      notice:
        'WebGPU cannot be used here: Failed to get a WebGPU adapter: No supported adapters. The model runs on the processor.',
    });
  });

  it('chosen automatically is the first that starts', async () => {
    const candidates = ['cuda', 'webgpu'] as const;
    expect(await openOnDevice('auto', failing({ cuda: NO_LIBRARY }), candidates)).toEqual({
      opened: 'on webgpu',
      device: 'webgpu',
    });
    expect(await openOnDevice('auto', failing({ cuda: NO_LIBRARY, webgpu: NO_ADAPTER }), candidates)).toEqual({
      opened: 'on cpu',
      device: 'cpu',
      notice:
        'CUDA cannot be used here: Failed to load shared library; WebGPU cannot be used here: Failed to get a WebGPU adapter: No supported adapters. The model runs on the processor.',
    });
    expect(await openOnDevice('auto', failing({ cuda: NO_MEMORY }), ['cuda'])).toEqual({
      opened: 'on cpu',
      device: 'cpu',
      notice: 'CUDA cannot be used here: CUDA failure 2: out of memory ; GPU=0. The model runs on the processor.',
    });
    expect(await openOnDevice('auto', failing({}), [])).toEqual({ opened: 'on cpu', device: 'cpu' });
  });

  it('is not to blame for what is wrong with the model', async () => {
    const damaged = new LongwatchError('bad_weights', 'The weights are damaged.');
    await expect(openOnDevice('webgpu', failing({ webgpu: damaged }))).rejects.toBe(damaged);
    await expect(openOnDevice('webgpu', failing({ webgpu: NO_ADAPTER, cpu: damaged }))).rejects.toBe(damaged);
  });

  it('is looked for where Linux shows its hardware', () => {
    const root = temporary();
    expect(likelyDevices('linux', root)).toEqual([]);
    mkdirSync(path.join(root, 'dri'));
    writeFileSync(path.join(root, 'dri', 'card0'), '');
    expect(likelyDevices('linux', root)).toEqual([]);
    writeFileSync(path.join(root, 'dri', 'renderD128'), '');
    expect(likelyDevices('linux', root)).toEqual(['webgpu']);
    writeFileSync(path.join(root, 'nvidia0'), '');
    expect(likelyDevices('linux', root)).toEqual(['cuda', 'webgpu']);
    expect(likelyDevices('darwin', root)).toEqual(['webgpu']);
  });

  it('leaves to the processor what it cannot do itself', () => {
    expect(providersOf('cuda')).toEqual(['cuda', 'cpu']);
    expect(providersOf('cpu')).toEqual(['cpu']);
  });
});

/**
 * A Vulkan driver that draws on the processor, from Debian's chromium package. Its subgroups have four lanes, and the runtime's fused
 * attention (from 32 queries on) shuffles among eight at least, so it computes something else there; graphics cards have eight to 64.
 */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const MAX_QUERIES = 31;
/** Sums of a few hundred float32 products in another order. */
const FLOAT32 = 1e-4;

describe('WebGPU', () => {
  const compiled = pathToFileURL(fileURLToPath(new URL('../../../dist/src/qwen/', import.meta.url))).href;
  const golden = (name: string) => fileURLToPath(new URL(`../../../fixtures/golden/${name}/`, import.meta.url));

  /** In a process of its own, since the driver is chosen by the environment when it is first loaded. @param script prints JSON */
  const inProcess = async (driver: string, script: string): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver },
    });
    return JSON.parse(stdout);
  };
  // In CI the driver has to be there.
  const withDriver = it.skipIf(!existsSync(SOFTWARE_DRIVER) && !process.env['CI']);

  withDriver('encodes frames as the processor does', async () => {
    const grids: Record<
      string,
      { fullAttentionBlocks: readonly number[]; grids: readonly (readonly [number, number])[] }
    > = {
      full: {
        fullAttentionBlocks: [0],
        grids: [
          [4, 4],
          [2, 4],
        ],
      },
      windows: {
        fullAttentionBlocks: [],
        grids: [
          [6, 10],
          [8, 8],
        ],
      },
    };
    for (const [name, { fullAttentionBlocks, grids: sizes }] of Object.entries(grids)) {
      const shape = { ...TINY, visionDepth: 1, fullAttentionBlocks };
      const folder = path.join(temporary(), name);
      writeCheckpoint(path.join(folder, 'checkpoint'), randomTensors(tinyConfig(shape), 7), {
        config: tinyConfigJson(shape),
      });
      const directory = path.join(folder, 'model');
      await buildModel(path.join(folder, 'checkpoint'), directory, { dtype: 'fp32', selfTest: false });
      const errors = await inProcess(
        SOFTWARE_DRIVER,
        `
        import { Session } from '${compiled}../onnx/session.js';
        import { openBuiltModel } from '${compiled}built-model.js';
        import { providersOf } from '${compiled}device.js';
        import { VisionEncoder } from '${compiled}vision-encoder.js';
        import { visionLayout } from '${compiled}vision-layout.js';
        const { config: { vision }, graphs } = await openBuiltModel(${JSON.stringify(directory)});
        const encode = async (device, videos) => {
          const session = await Session.open(graphs.vision, { threads: 1, providers: providersOf(device) });
          const encoder = new VisionEncoder(vision, async () => session);
          const made = [];
          for (const video of videos) made.push(await encoder.encode(video));
          await session.close();
          return made;
        };
        const videos = ${JSON.stringify(sizes)}.map(([rows, columns]) => {
          const layout = visionLayout({ rows, columns }, vision);
          const values = vision.channels * vision.temporalPatchSize * vision.patchSize ** 2;
          const slots = layout.windows * layout.patchesPerWindow;
          const patches = Float32Array.from({ length: 3 * slots * values }, (_, i) =>
            layout.source[Math.floor(i / values) % slots] < 0 ? 0 : Math.sin(i * i));
          return { patches, layout, grid: { rows, columns }, pairs: 3, pairTimes: [0, 1, 2] };
        });
        const [found, expected] = [await encode('webgpu', videos), await encode('cpu', videos)];
        console.log(JSON.stringify(expected.map((numbers, v) => {
          const unit = Math.max(...numbers.map(Math.abs));
          return Math.max(...numbers.map((number, i) => Math.abs(number - found[v][i]))) / unit;
        })));`,
      );
      expect(errors).toHaveLength(sizes.length);
      for (const error of errors as number[]) expect(error).toBeLessThan(FLOAT32);
    }
  });

  withDriver('reads and continues text as the reference does', async () => {
    const name = 'tiny-tied';
    const directory = path.join(temporary(), 'model');
    await buildModel(path.join(golden(name), 'checkpoint'), directory, { dtype: 'fp32', selfTest: false });
    const answers = await inProcess(
      SOFTWARE_DRIVER,
      `
      import { openBuiltModel } from '${compiled}built-model.js';
      import { Context } from '${compiled}context.js';
      import { DecoderSession } from '${compiled}decoder-session.js';
      import { providersOf } from '${compiled}device.js';
      import { generateFrom } from '${compiled}generate.js';
      import { openGolden } from '${compiled}golden.js';
      import { QwenTokenizer } from '${compiled}tokenizer.js';
      const golden = await openGolden(${JSON.stringify(golden(name))});
      const model = await openBuiltModel(${JSON.stringify(directory)});
      const tokenizer = await QwenTokenizer.open(${JSON.stringify(directory)});
      const { text, vision } = model.config;
      const decoder = await DecoderSession.open(model.graphs.decoder, text, { threads: 1, providers: providersOf('webgpu') });
      const embeddings = await model.openEmbeddings();
      const parts = { text, tokensPerSecond: vision.tokensPerSecond, spatialMerge: vision.spatialMergeSize, embeddings };
      const answers = [];
      for (const wanted of golden.cases.filter(({ kind }) => kind === 'generation')) {
        const { parts: prompt } = golden.prompts[wanted.prompt];
        if (prompt.some((part) => 'media' in part)) continue;
        const ids = prompt.flatMap((part) => part.ids);
        const first = ids.slice(0, ${MAX_QUERIES});
        const context = await Context.read(parts, (capacity) => decoder.begin(capacity), { ids: first, spans: [{ kind: 'text', length: first.length }], media: [] });
        let logits = context.logits;
        for (let at = first.length; at < ids.length; at += ${MAX_QUERIES}) logits = await context.append(ids.slice(at, at + ${MAX_QUERIES}));
        const read = { promptIds: ids, logits, append: (more) => context.append(more) };
        const answer = await generateFrom(read, tokenizer, { maxNewTokens: wanted.max_new_tokens, repetitionPenalty: wanted.repetition_penalty, eos: wanted.eos });
        answers.push({ found: answer.ids, expected: wanted.ids });
      }
      console.log(JSON.stringify(answers));
      await decoder.close();
      await embeddings.close();
      await golden.tensors.close();`,
    );
    expect((answers as unknown[]).length).toBeGreaterThan(0);
    for (const { found, expected } of answers as { found: number[]; expected: number[] }[])
      expect(found).toEqual(expected);
  });

  const openRuntime = async (driver: string) => {
    const folder = temporary();
    const [checkpoint, directory] = [path.join(folder, 'checkpoint'), path.join(folder, 'model')];
    const shape = { ...TINY, layers: 1, visionDepth: 1, fullAttentionBlocks: [0] };
    writeCheckpoint(checkpoint, randomTensors(tinyConfig(shape), 7), { config: tinyConfigJson(shape) });
    copyFileSync(
      path.join(golden('tiny-tied'), 'checkpoint', 'tokenizer.json'),
      path.join(checkpoint, 'tokenizer.json'),
    );
    await buildModel(checkpoint, directory, { dtype: 'fp32' });
    return (await inProcess(
      driver,
      `
      import { QwenRuntime } from '${compiled}runtime.js';
      const runtime = await QwenRuntime.open(${JSON.stringify(directory)}, { device: 'webgpu', threads: 1 });
      const context = await runtime.prefill({ ids: [1, 2, 3], spans: [{ kind: 'text', length: 3 }], media: [] });
      console.log(JSON.stringify({ device: runtime.device, notice: runtime.notice, logits: context.logits.length }));
      await runtime.close();`,
    )) as { device: string; notice?: string; logits: number };
  };

  withDriver('that computes something else than the build did is passed over', async () => {
    const { device, notice, logits } = await openRuntime(SOFTWARE_DRIVER);
    expect(device).toBe('cpu');
    expect(notice).toMatch(/^WebGPU cannot be used here: The self-test gives .* The model runs on the processor\.$/);
    expect(logits).toBe(TINY_VOCABULARY);
  });

  it('without any driver leaves the processor', async () => {
    const { device, notice, logits } = await openRuntime('/no/such/driver.json');
    expect(device).toBe('cpu');
    expect(notice).toMatch(/^WebGPU cannot be used here: .* The model runs on the processor\.$/);
    expect(logits).toBe(TINY_VOCABULARY);
  });
});
