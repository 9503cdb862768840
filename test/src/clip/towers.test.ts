import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTowers, verifyTowers } from '../../../src/clip/build.js';
import { readTowersConfig } from '../../../src/clip/checkpoint.js';
import { openTowers } from '../../../src/clip/embedder.js';
import { pixelsOf, readPictureInput } from '../../../src/clip/picture-input.js';
import { TextInput } from '../../../src/clip/text-input.js';
import type { PictureEmbedder } from '../../../src/meaning/picture-embedder.js';
import { checkpointOf, FAMILIES, goldenOf, largestDifference } from './golden.js';

/** The reference and the runtime add in other orders; a wrong step moves a vector by a tenth or more. */
const ROUNDING = 2e-5;
/** A matrix that was stored in 16 bits comes back as it was, so the same holds for fp16. */
const PIXEL_ROUNDING = 1e-6;

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-towers-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(FAMILIES)('%s', (family) => {
  const golden = goldenOf(family);
  const checkpoint = checkpointOf(family);
  const built = path.join(folder, family);
  let embedder: PictureEmbedder;

  beforeAll(async () => {
    await buildTowers(checkpoint, built);
    embedder = await openTowers('tiny', built, { threads: 1 });
  });
  afterAll(() => embedder?.close());

  it('reads texts as the tokens of the reference', async () => {
    const input = await TextInput.open(checkpoint, await readTowersConfig(checkpoint));
    for (const { text, ids } of golden.texts) expect([text, [...input.encode(text).ids]]).toEqual([text, ids]);
  });

  it('resizes, cuts and normalises pictures as the reference does, level for level', async () => {
    const input = await readPictureInput(checkpoint, 32);
    for (const { name, picture, pixels } of golden.pictures)
      expect([name, largestDifference(pixelsOf(input, picture), pixels) <= PIXEL_ROUNDING]).toEqual([name, true]);
  });

  it('gives pictures the vectors of the reference, several at once', async () => {
    const vectors = await embedder.embedPictures(golden.pictures.map(({ picture }) => picture));
    for (const [i, { vector }] of golden.pictures.entries())
      expect(largestDifference(vectors[i] as Float32Array, vector)).toBeLessThan(ROUNDING);
  });

  it('gives texts the vectors of the reference, whatever stands beside them in a batch', async () => {
    const vectors = await embedder.embedTexts(golden.texts.map(({ text }) => text));
    for (const [i, { vector }] of golden.texts.entries())
      expect(largestDifference(vectors[i] as Float32Array, vector)).toBeLessThan(ROUNDING);
  });

  it('knows what the cosines say by the numbers of the checkpoint', () => {
    expect(embedder.scale.factor).toBeCloseTo(golden.factor, 4);
    expect(embedder.scale).toMatchObject(family === 'clip' ? { kind: 'among' } : { kind: 'pair', bias: golden.bias });
  });

  it('is found out when a byte of it has changed, by its name', async () => {
    await expect(verifyTowers(built)).resolves.toMatchObject({ architecture: family, dim: embedder.dim });
    const copy = path.join(folder, `${family}-changed`);
    cpSync(built, copy, { recursive: true });
    const file = path.join(copy, 'texts.onnx.data');
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(file, bytes);
    await expect(verifyTowers(copy)).rejects.toMatchObject({ code: 'bad_weights', path: file });
  });
});

it('a model is the same space when it is built again, and another one in another form', async () => {
  const ids = await Promise.all(
    (['fp16', 'fp16', 'fp32'] as const).map(async (dtype, i) => {
      const directory = path.join(folder, `again-${i}`);
      await buildTowers(checkpointOf('clip'), directory, { dtype });
      const opened = await openTowers(`name ${i}`, directory);
      await opened.close();
      return opened.id;
    }),
  );
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
});

it('reads texts for SigLIP 2 as its tokenizer does, in lower case and with their punctuation', async () => {
  const gemma = path.join(checkpointOf('siglip'), '../gemma');
  const golden = JSON.parse(readFileSync(path.join(gemma, 'golden.json'), 'utf8')) as {
    vocabulary: number;
    texts: { text: string; ids: number[] }[];
  };
  const config = await readTowersConfig(checkpointOf('siglip'));
  const text = { ...config.text, vocabularySize: golden.vocabulary };
  const input = await TextInput.open(gemma, { ...config, text });
  for (const { text, ids } of golden.texts) expect([text, [...input.encode(text).ids]]).toEqual([text, ids]);
});
