/** Which of the built models is used when none is named. */

import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { installedModel, openChosenModel } from '../../src/chosen-model.js';
import { loadConfig } from '../../src/config.js';
import { buildModel } from '../../src/qwen/build.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-chosen-'));
const TINY = path.resolve('fixtures/golden/tiny-tied/checkpoint');
const NARROW = { longwatch: { sees: 'drawn films only' } };

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
    expect(chosen.notice).toBe('toy knows drawn films only: what it says of other pictures means nothing.');
    await chosen.backend?.close();
  });
});
