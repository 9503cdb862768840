import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedModel } from '../../../src/chosen-model.js';
import { openChosenPictures, openPicturesLayer } from '../../../src/chosen-pictures.js';
import { buildTowers } from '../../../src/clip/build.js';
import { findTowers, listTowers } from '../../../src/clip/installed-towers.js';
import { loadConfig } from '../../../src/config.js';
import { findModel, listModels } from '../../../src/qwen/installed-models.js';
import { checkpointOf } from './golden.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-installed-towers-'));
afterAll(() => rmSync(folder, { recursive: true }));
const models = path.join(folder, 'models');
const config = (pictures?: string) => loadConfig({ models, pictures }, {});

describe('a picture model in the folder of models', () => {
  it('is missed while there is none', async () => {
    expect((await openChosenPictures(config())).missing).toContain('No picture model is built in');
    await expect(openPicturesLayer(config())).rejects.toMatchObject({ code: 'part_missing' });
  });

  describe('that is there', () => {
    beforeAll(() => buildTowers(checkpointOf('clip'), path.join(models, 'tiny')));

    it('is known as one, and not as a model that describes', async () => {
      expect(await listTowers(models)).toMatchObject([{ name: 'tiny', state: 'ready', config: { family: 'clip' } }]);
      expect(await listModels(models)).toEqual([]);
      expect(await findTowers(models, 'other')).toBeUndefined();
      await expect(findModel(models, 'tiny')).rejects.toMatchObject({ code: 'not_found' });
    });

    it('leaves `model: auto` what it was: nobody describes', async () => {
      expect(await installedModel(config())).toContain('No model is built in');
    });

    it('is used unasked, by its name, or not at all', async () => {
      for (const choice of [undefined, 'tiny']) {
        const { embedder } = await openChosenPictures(config(choice));
        expect(embedder?.name).toBe('tiny');
        await embedder?.close();
      }
      expect(await openChosenPictures(config('none'))).toEqual({ missing: 'It is switched off in the settings.' });
      await expect(openChosenPictures(config('other'))).rejects.toMatchObject({
        code: 'not_found',
        hint: 'There is: tiny.',
      });
    });

    it('that is one of two has to be chosen; one that is damaged is missing, with the reason', async () => {
      cpSync(path.join(models, 'tiny'), path.join(models, 'torn'), { recursive: true });
      truncateSync(path.join(models, 'torn', 'texts.onnx.data'), 100);
      await expect(openChosenPictures(config())).rejects.toMatchObject({
        code: 'bad_config',
        hint: 'Set LONGWATCH_PICTURES to one of tiny, torn, or to none.',
      });
      await expect(openPicturesLayer(config('torn'))).rejects.toMatchObject({ code: 'bad_weights' });
      expect((await openChosenPictures(config('torn'))).missing).toMatch(/^texts\.onnx\.data has 100 bytes, not the/);
    });
  });
});
