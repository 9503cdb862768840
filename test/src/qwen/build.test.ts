/** A checkpoint folder becomes a built folder; what is wrong with either is found and named. */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelBytes } from '../../../src/onnx/model-proto.js';
import { Session } from '../../../src/onnx/session.js';
import { type BuildProgress, buildModel } from '../../../src/qwen/build.js';
import { checkSpace } from '../../../src/qwen/build-folder.js';
import { openBuiltModel, verifyBuiltModel } from '../../../src/qwen/built-model.js';
import { Checkpoint } from '../../../src/qwen/checkpoint.js';
import { decoderGraph } from '../../../src/qwen/graphs/decoder.js';
import { DTYPES } from '../../../src/qwen/weight-format.js';
import {
  type CheckpointOptions,
  newerName,
  randomTensors,
  rounded,
  TINY,
  TINY_VOCABULARY,
  tinyConfig,
  tinyConfigJson,
  weightSource,
  writeCheckpoint,
} from './tiny-checkpoint.js';

const config = tinyConfig();
const tensors = randomTensors(config, 1);
const untied = { ...TINY, tied: false };

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'longwatch-build-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function fresh(): string {
  return path.join(root, String(folders++));
}

function checkpoint(options: CheckpointOptions = {}, stored = tensors): string {
  const directory = fresh();
  writeCheckpoint(directory, stored, options);
  return directory;
}

async function built(options: Parameters<typeof buildModel>[2] = {}, from = checkpoint()): Promise<string> {
  const target = fresh();
  await buildModel(from, target, { selfTest: false, dtype: 'fp32', ...options });
  return target;
}

describe('a checkpoint', () => {
  it.each([
    ['in one file', {}],
    ['in shards with an index', { shards: 3 }],
    ['with the names of newer tools', { rename: newerName }],
    ['with newer names, in shards', { rename: newerName, shards: 2 }],
  ])('is read %s', async (_, options) => {
    const opened = await Checkpoint.open(checkpoint(options));
    try {
      for (const [name, { shape, values }] of tensors) {
        const found: number[] = [];
        for await (const rows of opened.weight(name, shape).rows()) found.push(...rows);
        expect(found).toEqual([...values]);
      }
    } finally {
      await opened.close();
    }
  });

  it.each([
    [
      'a tensor is missing',
      () => checkpoint({}, new Map([...tensors].filter(([name]) => name !== 'model.norm.weight'))),
      'model.norm.weight of',
    ],
    ['an untied head is missing', () => checkpoint({ config: tinyConfigJson(untied) }), 'lm_head.weight of'],
    [
      'a tensor has another shape',
      () =>
        checkpoint(
          {},
          new Map(tensors).set('model.layers.1.mlp.up_proj.weight', {
            shape: [72, 63],
            values: new Float32Array(72 * 63),
          }),
        ),
      '"model.layers.1.mlp.up_proj.weight" is [72,63], but the configuration says [72,64]',
    ],
    [
      'a tensor belongs to no part',
      () => checkpoint({}, new Map(tensors).set('score.weight', { shape: [1], values: new Float32Array(1) })),
      'score.weight belong to no part',
    ],
    [
      'a tensor is there under two names',
      () =>
        checkpoint(
          {},
          new Map(tensors).set('model.visual.merger.ln_q.weight', { shape: [32], values: new Float32Array(32) }),
        ),
      'are the same tensor',
    ],
    [
      'the index leads out of the folder',
      () => {
        const directory = checkpoint();
        writeFileSync(
          path.join(directory, 'model.safetensors.index.json'),
          JSON.stringify({ weight_map: { 'model.norm.weight': '../other/model.safetensors' } }),
        );
        return directory;
      },
      'does not map tensors to files in its folder',
    ],
    [
      'config.json is cut',
      () => {
        const directory = checkpoint();
        truncateSync(path.join(directory, 'config.json'), 20);
        return directory;
      },
      'config.json is not JSON',
    ],
  ])('is refused when %s', async (_, make, evidence) => {
    const target = fresh();
    await expect(buildModel(make(), target)).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringContaining(evidence),
    });
    expect(existsSync(target)).toBe(false);
    expect(existsSync(`${target}.building`)).toBe(false);
  });

  it('without weights, or without a shard, is not found', async () => {
    const empty = checkpoint();
    rmSync(path.join(empty, 'model.safetensors'));
    await expect(buildModel(empty, fresh())).rejects.toMatchObject({
      code: 'file_not_found',
      hint: expect.stringContaining('safetensors'),
    });
    const holed = checkpoint({ shards: 2 });
    rmSync(path.join(holed, 'model-00002-of-00002.safetensors'));
    await expect(buildModel(holed, fresh())).rejects.toMatchObject({
      code: 'file_not_found',
      path: expect.stringContaining('model-00002'),
    });
  });

  it('may carry a head that is tied all the same, and tables that follow from its configuration', async () => {
    const head = { shape: [TINY_VOCABULARY, 64], values: new Float32Array(TINY_VOCABULARY * 64) };
    const stored = new Map(tensors)
      .set('lm_head.weight', head)
      .set('visual.rotary_pos_emb.inv_freq', { shape: [4], values: new Float32Array(4) });
    await expect(built({}, checkpoint({}, stored))).resolves.toBeTruthy();
  });
});

describe('a built folder', () => {
  it.each(DTYPES)('of %s passes its own self-test', async (dtype) => {
    const target = fresh();
    const manifest = await buildModel(checkpoint(), target, { dtype });
    expect(Object.keys(manifest.selfTest ?? {}).sort()).toEqual([
      'prompt.hidden',
      'prompt.logits',
      'step.logits',
      'vision.embeddings',
    ]);
    expect(await verifyBuiltModel(target)).toEqual(manifest);
    expect(existsSync(`${target}.building`)).toBe(false);
  });

  it('says what was built from what, and holds the files a runtime needs', async () => {
    const from = checkpoint({ shards: 2, type: 'BF16' });
    writeFileSync(path.join(from, 'tokenizer.json'), '{}');
    const model = await openBuiltModel(await built({ dtype: 'q4' }, from));
    expect(model.config).toMatchObject({ ...config, tokens: { eos: [94, 95], pad: 95 } });
    expect(model.manifest).toMatchObject({ format: 1, dtype: 'q4', embeddingType: 'bfloat16' });
    expect(model.manifest.source.map(({ name }) => name)).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'config.json',
      'generation_config.json',
      'tokenizer.json',
    ]);
    expect(model.manifest.files.map(({ name }) => name)).toEqual([
      'vision.onnx',
      'vision.onnx.data',
      'decoder.onnx',
      'decoder.onnx.data',
      'embeddings.bin',
      'config.json',
      'generation_config.json',
      'tokenizer.json',
    ]);
    expect(readdirSync(model.directory).sort()).toEqual(
      [...model.manifest.files.map(({ name }) => name), 'manifest.json', 'verified'].sort(),
    );
  });

  it('computes what the graph in memory computes', async () => {
    const model = await openBuiltModel(await built());
    const feeds = {
      inputs_embeds: { type: 'float32', shape: [1, 1, 64], data: new Float32Array(64).map((_, i) => Math.sin(i)) },
      cos: { type: 'float32', shape: [1, 1, 16], data: new Float32Array(16).fill(1) },
      sin: { type: 'float32', shape: [1, 1, 16], data: new Float32Array(16) },
      logit_rows: { type: 'int64', shape: [1], data: BigInt64Array.of(0n) },
      ...Object.fromEntries(
        ['key', 'value'].flatMap((kind) =>
          [0, 1].map((layer) => [
            `past_${kind}.${layer}`,
            { type: 'float32', shape: [1, 2, 0, 16], data: new Float32Array(0) } as const,
          ]),
        ),
      ),
    } as const;
    const logits: unknown[] = [];
    const inMemory = await modelBytes(decoderGraph(config.text, weightSource(tensors), 'fp32'));
    for (const file of [model.graphs.decoder, inMemory]) {
      const session = await Session.open(file, { threads: 1 });
      logits.push((await session.run(feeds))['logits']);
      await session.close();
    }
    expect(logits[0]).toEqual(logits[1]);
  });

  it.each(['F32', 'F16', 'BF16'] as const)('keeps %s rows of the table of tokens bit for bit', async (type) => {
    const model = await openBuiltModel(await built({}, checkpoint({ type })));
    const embeddings = await model.openEmbeddings();
    try {
      const ids = [5, 0, TINY_VOCABULARY - 1, 5];
      const found = await embeddings.rows(ids);
      const stored = await Checkpoint.open(checkpoint({ type }));
      const all: number[] = [];
      for await (const rows of stored.weight('model.embed_tokens.weight', [TINY_VOCABULARY, 64]).rows())
        all.push(...rows);
      await stored.close();
      expect([...found]).toEqual(ids.flatMap((id) => all.slice(id * 64, (id + 1) * 64)));
      if (type === 'BF16')
        expect(all).toEqual([...(rounded(tensors, 'BF16').get('model.embed_tokens.weight')?.values ?? [])]);
      for (const id of [-1, TINY_VOCABULARY, 0.5, Number.NaN])
        await expect(embeddings.rows([id])).rejects.toMatchObject({ code: 'invalid_input' });
    } finally {
      await embeddings.close();
    }
  });

  it('keeps a row that was read while thousands of others are', async () => {
    const model = await openBuiltModel(await built());
    const embeddings = await model.openEmbeddings();
    const ids = Array.from({ length: 3000 }, (_, i) => (i * 37) % TINY_VOCABULARY);
    const found = await embeddings.rows(ids);
    const values = tensors.get('model.embed_tokens.weight')?.values ?? new Float32Array(0);
    ids.forEach((id, i) => {
      expect(found[i * 64]).toBe(values[id * 64]);
    });
    await embeddings.close();
  });

  it('tells of its progress, upward and to the end', async () => {
    const seen: BuildProgress[] = [];
    await built({ onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.every(({ doneBytes }, i) => doneBytes >= (seen[i - 1]?.doneBytes ?? 0))).toBe(true);
    expect([...new Set(seen.map(({ stage }) => stage))]).toEqual([
      'hashing',
      'vision',
      'decoder',
      'embeddings',
      'self-test',
    ]);
    expect(seen.at(-1)?.doneBytes).toBe(seen[0]?.totalBytes);
  });
});

describe('damage', () => {
  it('of one bit in any file is found, and the file is named', async () => {
    const target = await built({ dtype: 'q4' });
    const { manifest } = await openBuiltModel(target);
    for (const { name } of manifest.files) {
      const file = path.join(target, name);
      const whole = readFileSync(file);
      const spoiled = Buffer.from(whole);
      const middle = spoiled.length >> 1;
      spoiled[middle] = (spoiled[middle] ?? 0) ^ 1;
      writeFileSync(file, spoiled);
      await expect(verifyBuiltModel(target)).rejects.toMatchObject({
        code: 'bad_weights',
        message: expect.stringContaining(name),
      });
      writeFileSync(file, whole);
    }
    await expect(verifyBuiltModel(target)).resolves.toBeTruthy();
  });

  it('is found by the first opening after the build, and a shorter file by every one', async () => {
    const target = await built();
    const file = path.join(target, 'decoder.onnx.data');
    const whole = readFileSync(file);
    const spoiled = Buffer.from(whole);
    spoiled[9] = (spoiled[9] ?? 0) ^ 1;
    writeFileSync(file, spoiled);
    await expect(openBuiltModel(target)).rejects.toMatchObject({ code: 'bad_weights' });
    writeFileSync(file, whole);
    await openBuiltModel(target);
    truncateSync(file, whole.byteLength - 1);
    await expect(openBuiltModel(target)).rejects.toMatchObject({
      code: 'bad_weights',
      message: `decoder.onnx.data has ${whole.byteLength - 1} bytes, not the ${whole.byteLength} that were built.`,
    });
  });

  it('of a file that is gone, or of the manifest, is named', async () => {
    const target = await built();
    rmSync(path.join(target, 'embeddings.bin'));
    await expect(openBuiltModel(target)).rejects.toMatchObject({ code: 'file_not_found' });
    const manifest = path.join(target, 'manifest.json');
    const whole = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const [change, evidence] of [
      [{ format: 2 }, 'format 2'],
      [{ dtype: 'q2' }, 'q2'],
      [{ files: [] }, 'vision.onnx'],
      [{ files: [{ ...whole.files[0], name: '../x' }] }, 'list of files'],
    ] as const) {
      writeFileSync(manifest, JSON.stringify({ ...whole, ...change }));
      await expect(openBuiltModel(target)).rejects.toMatchObject({
        code: 'bad_weights',
        message: expect.stringContaining(evidence),
      });
    }
    writeFileSync(manifest, '{');
    await expect(openBuiltModel(target)).rejects.toMatchObject({ code: 'bad_weights' });
    rmSync(manifest);
    await expect(openBuiltModel(target)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('that hashes cannot see is found by the self-test: a runtime that computes something else', async () => {
    const target = fresh();
    const { selfTest } = await buildModel(checkpoint(), target, { dtype: 'fp32' });
    const file = path.join(target, 'manifest.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    const digest = [...(selfTest?.['step.logits'] ?? [])];
    digest[3] = (digest[3] ?? 0) + 0.01 * (digest[0] ?? 0);
    writeFileSync(file, JSON.stringify({ ...manifest, selfTest: { ...selfTest, 'step.logits': digest } }));
    await expect(verifyBuiltModel(target)).rejects.toMatchObject({
      code: 'model_failed',
      message: expect.stringContaining('step.logits[3]'),
    });
  });
});

describe('a build', () => {
  it('that is killed leaves nothing that could be taken for a model, and the next one starts clean', () => {
    const from = checkpoint();
    const target = fresh();
    const build = new URL('../../../dist/src/qwen/build.js', import.meta.url);
    const script = `
      import { buildModel } from ${JSON.stringify(build.href)};
      await buildModel(${JSON.stringify(from)}, ${JSON.stringify(target)}, {
        selfTest: false,
        onProgress: ({ stage }) => { if (stage === 'decoder') process.kill(process.pid, 'SIGKILL'); },
      });`;
    const file = path.join(root, 'killed.mjs');
    writeFileSync(file, script);
    const { signal } = spawnSync(process.execPath, [file], {
      cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    });
    expect(signal).toBe('SIGKILL');
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(`${target}.building`)).toContain('decoder.onnx.data.partial');
    return (async () => {
      await expect(openBuiltModel(`${target}.building`)).rejects.toMatchObject({ code: 'not_found' });
      await buildModel(from, target, { selfTest: false });
      expect(existsSync(`${target}.building`)).toBe(false);
      await verifyBuiltModel(target);
    })();
  });

  it.each(['hashing', 'vision', 'decoder', 'embeddings', 'self-test'] as const)(
    'that is cancelled during %s leaves nothing',
    async (stage) => {
      const target = fresh();
      const abort = new AbortController();
      const options = {
        signal: abort.signal,
        onProgress: (progress: BuildProgress) => progress.stage === stage && abort.abort(),
      };
      await expect(buildModel(checkpoint(), target, options)).rejects.toMatchObject({ code: 'cancelled' });
      expect(existsSync(target)).toBe(false);
      expect(existsSync(`${target}.building`)).toBe(false);
    },
  );

  it('into a folder that is taken is refused, and what is there stays', async () => {
    const target = fresh();
    mkdirSync(target);
    writeFileSync(path.join(target, 'mine.txt'), 'mine');
    await expect(buildModel(checkpoint(), target)).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(path.join(target, 'mine.txt'), 'utf8')).toBe('mine');
    const draft = fresh();
    mkdirSync(`${draft}.building`);
    writeFileSync(path.join(`${draft}.building`, 'mine.txt'), 'mine');
    await expect(buildModel(checkpoint(), draft)).rejects.toMatchObject({ code: 'conflict' });
    expect(existsSync(path.join(`${draft}.building`, 'mine.txt'))).toBe(true);
  });

  it('beside another of the same target is refused, and the first one ends well', async () => {
    const from = checkpoint();
    const target = fresh();
    const first = buildModel(from, target, { selfTest: false });
    const second = buildModel(from, target, { selfTest: false });
    const results = await Promise.allSettled([first, second]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'conflict' });
    await verifyBuiltModel(target);
  });

  it('that does not fit is refused before it starts, with both numbers', async () => {
    await expect(checkSpace(root, 1e18)).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringMatching(
        /^The model needs 1000000000\.00 GB on the disk of .*, where \d+\.\d\d GB are free\.$/,
      ),
    });
    await expect(checkSpace(root, 1)).resolves.toBeUndefined();
  });
});
