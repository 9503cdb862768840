import { describe, expect, it } from 'vitest';
import { type LayerOpener, openChosenLayers } from '../../src/chosen-layers.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import type { LayerName } from '../../src/layer-name.js';
import type { Layer } from '../../src/layers/layer.js';

const closed: LayerName[] = [];

function layer(name: LayerName): Layer {
  return {
    name,
    identity: name,
    note: name,
    skips: () => undefined,
    async *read() {},
    close: async () => void closed.push(name),
  };
}

const open =
  (name: LayerName): LayerOpener =>
  async () =>
    layer(name);
const fail =
  (code: 'part_missing' | 'model_failed'): LayerOpener =>
  async () => {
    throw new LongwatchError(code, 'The weights are not installed.', { hint: 'Install them.' });
  };

describe('the layers of their own pass', () => {
  it('are those of the profile, in the order in which they run', async () => {
    const openers = { text: open('text'), speech: open('speech'), sound: open('sound') };
    const names = async (profile?: 'fast' | 'thorough') => {
      const { layers, missing } = await openChosenLayers(loadConfig({ profile }, {}), openers);
      return { run: layers.map(({ name }) => name), missing };
    };
    expect(await names()).toEqual({ run: ['sound', 'speech', 'text'], missing: {} });
    expect(await names('fast')).toEqual({
      run: ['sound'],
      missing: {
        speech: { reason: 'The profile "fast" leaves it out.' },
        text: { reason: 'The profile "fast" leaves it out.' },
      },
    });
  });

  it('can be switched on and off one by one', async () => {
    const config = loadConfig({ profile: 'fast', layers: { sound: false, speech: true } }, {});
    const { layers, missing } = await openChosenLayers(config, { sound: open('sound'), speech: open('speech') });
    expect(layers.map(({ name }) => name)).toEqual(['speech']);
    expect(missing).toEqual({ sound: { reason: 'It is switched off in the settings.' } });
  });

  it('whose weights are missing say so, and the others run', async () => {
    const { layers, missing } = await openChosenLayers(loadConfig({}, {}), {
      sound: open('sound'),
      speech: fail('part_missing'),
    });
    expect(layers.map(({ name }) => name)).toEqual(['sound']);
    expect(missing).toMatchObject({
      speech: { reason: 'The weights are not installed. Install them.', error: { code: 'part_missing' } },
    });
  });

  it('that fail to open for another reason are an error, and nothing stays open', async () => {
    closed.length = 0;
    const opening = openChosenLayers(loadConfig({}, {}), { sound: open('sound'), speech: fail('model_failed') });
    await expect(opening).rejects.toMatchObject({ code: 'model_failed' });
    expect(closed).toEqual(['sound']);
  });
});
