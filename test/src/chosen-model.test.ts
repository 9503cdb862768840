/** Which of the built models is used when none is named. */

import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openChosenEmbedder } from '../../src/chosen-embedder.js';
import { chosenNeeds, installedModel, openChosenModel } from '../../src/chosen-model.js';
import { loadConfig } from '../../src/config.js';
import type { ModelNeeds } from '../../src/model.js';
import { buildModel } from '../../src/qwen/build.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-chosen-'));
const TINY = path.resolve('fixtures/golden/tiny-tied/checkpoint');
const NARROW = { longwatch: { sees: 'drawn films only' } };
const MEANING = { unrelated: 0.1, match: 0.6, same: 1 };

async function build(models: string, name: string, fields: object): Promise<void> {
  const checkpoint = path.join(folder, `${name}-checkpoint`);
  cpSync(TINY, checkpoint, { recursive: true });
  const config = path.join(checkpoint, 'config.json');
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), ...fields }));
  await buildModel(checkpoint, path.join(folder, models, name), { dtype: 'fp32', selfTest: false });
}

const settings = (models: string, model = 'auto') =>
  loadConfig({}, { LONGWATCH_MODELS: path.join(folder, models), LONGWATCH_MODEL: model });

describe('a model that knows a narrow world only', () => {
  beforeAll(async () => {
    await build('narrow', 'toy', NARROW);
    await build('both', 'toy', NARROW);
    await build('both', 'real', {});
  });

  it('is not used unasked, and the answer says how to', async () => {
    expect(await installedModel(settings('narrow'))).toBe(
      'toy is not used unasked: it knows drawn films only. LONGWATCH_MODEL=toy uses it, another one is built by: longwatch models add CHECKPOINT_DIR.',
    );
  });

  it('leaves the choice to the others', async () => {
    expect(await installedModel(settings('both'))).toMatchObject({ name: 'real' });
  });

  it('is used by name, and says what it is', async () => {
    const chosen = await openChosenModel(settings('both', 'toy'));
    // What a plan goes by is known before any weight is read.
    const needs = await chosenNeeds(settings('both', 'toy'));
    const told = (one: ModelNeeds | undefined) => {
      const size = one?.pictureSize({ width: 640, height: 360 });
      return [one?.id, size, size && one?.tokensPerPair(size), one?.frameRate];
    };
    expect(told(needs)).toEqual(told(chosen.backend));
    expect(await chosenNeeds(settings('none'))).toBeUndefined();
    expect(chosen.notice).toBe('toy knows drawn films only: what it says of other pictures means nothing.');
    await chosen.backend?.close();
  });
});

describe('a model that was trained to compare what it writes', () => {
  it('compares meanings where it is used, with the scale that it came with', async () => {
    await build('trained', 'toy', { longwatch: { ...NARROW.longwatch, meaning: MEANING } });
    const own = async () => {
      throw new Error('Nobody else is asked.');
    };
    const config = settings('trained', 'toy');
    const chosen = await openChosenModel(config);
    const { embedder } = await openChosenEmbedder(config, async () => chosen, own);
    expect(embedder?.scale).toEqual({ ...MEANING, knows: 'model' });
    expect(embedder?.id).toMatch(/^toy-state-1-[0-9a-f]{8}$/);
    const [text] = (await embedder?.embed(['A red circle enters from the left.'])) ?? [];
    expect(Math.hypot(...(text as Float32Array))).toBeCloseTo(1, 5);
    await chosen.backend?.close();
  });

  it('has no say where it is not used', async () => {
    const config = settings('trained');
    const nobody = { id: 'other', dim: 1, scale: undefined, embed: async () => [], close: async () => {} };
    const model = async () => {
      throw new Error('The model is not opened.');
    };
    const { embedder } = await openChosenEmbedder(config, model, async () => nobody);
    expect(embedder?.id).toBe('other');
  });
});
