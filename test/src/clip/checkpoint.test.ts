import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTowers } from '../../../src/clip/build.js';
import { familyOf, parseTowersConfig } from '../../../src/clip/config.js';
import { parsePictureInput, pixelsOf, resizedSize } from '../../../src/clip/picture-input.js';
import { LongwatchError } from '../../../src/errors.js';
import { checkpointOf } from './golden.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-towers-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a configuration', () => {
  it('that names nothing is the first published model of its family', () => {
    expect(parseTowersConfig({ model_type: 'clip' }, 'config.json')).toMatchObject({
      dim: 512,
      text: { hiddenSize: 512, heads: 8, layers: 12, maxPositions: 77, activation: 'quick_gelu', endToken: 49407 },
      pictures: { hiddenSize: 768, heads: 12, layers: 12, imageSize: 224, patchSize: 32, layerNormEpsilon: 1e-5 },
    });
    expect(parseTowersConfig({ model_type: 'siglip' }, 'config.json')).toMatchObject({
      dim: 768,
      text: { vocabularySize: 32000, maxPositions: 64, activation: 'gelu_pytorch_tanh', layerNormEpsilon: 1e-6 },
      pictures: { imageSize: 224, patchSize: 16 },
    });
  });

  it('of an old file ends a text at its largest token, and means the fields that it repeats', () => {
    const json = { model_type: 'clip', text_config: { eos_token_id: 2 }, text_config_dict: { hidden_act: 'gelu' } };
    const { text } = parseTowersConfig(json, 'config.json');
    expect([text.endToken, text.activation]).toEqual([undefined, 'gelu']);
  });

  it('is recognised by its family only', () => {
    expect(['clip', 'siglip', 'siglip2', 'qwen2_5_vl'].map((model_type) => familyOf({ model_type }))).toEqual([
      'clip',
      'siglip',
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['text_config.hidden_act', { text_config: { hidden_act: 'relu' } }],
    ['vision_config.image_size', { vision_config: { image_size: 225 } }],
    ['vision_config.num_attention_heads', { vision_config: { num_attention_heads: 7 } }],
    ['projection_dim', { projection_dim: 0 }],
  ])('that cannot be meant is refused by the name of the field: %s', (field, json) => {
    const parse = () => parseTowersConfig({ model_type: 'clip', ...json }, 'config.json');
    expect(parse).toThrow(LongwatchError);
    expect(parse).toThrow(`"${field}"`);
  });
});

describe('what is said about pictures', () => {
  const colours = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  const parse = (json: object) => parsePictureInput({ ...colours, ...json }, 8, 'preprocessor_config.json');

  it.each([
    ['an old file with bare numbers', { size: 8, crop_size: 8, do_center_crop: true }, 'shortest'],
    ['named sides', { size: { shortest_edge: 8 }, crop_size: { height: 8, width: 8 } }, 'shortest'],
    ['a square', { size: { height: 8, width: 8 } }, 'exact'],
  ])('is read from %s', (_, json, to) => {
    expect(parse(json)).toMatchObject({ side: 8, resize: { to, length: 8, filter: 'bicubic' } });
  });

  it('keeps the shape of a picture, or squeezes it', () => {
    const cut = parse({ size: { shortest_edge: 8 }, do_center_crop: true });
    expect(resizedSize(cut, { width: 1920, height: 1080 })).toEqual({ width: 14, height: 8 });
    expect(resizedSize(parse({ size: 8 }), { width: 1920, height: 1080 })).toEqual({ width: 8, height: 8 });
  });

  it('may ask for the triangle, as SigLIP 2 does', () => {
    // Two pixels, 0 and 200, become four: the triangle gives 0, 50, 150, 200 (Pillow 12 too), the cubic overshoots.
    const input = parsePictureInput({ ...colours, size: 4, resample: 2 }, 4, 'preprocessor_config.json');
    const rgb = Uint8Array.from([0, 0, 0, 200, 200, 200]);
    const pixels = pixelsOf(input, { width: 2, height: 1, rgb });
    expect([...pixels.slice(0, 4)].map((value) => Math.round((value * 0.5 + 0.5) * 255))).toEqual([0, 50, 150, 200]);
  });

  it.each([
    ['resample', { resample: 1 }],
    ['do_normalize', { do_normalize: false }],
    ['size', { size: 9 }],
    ['crop_size', { size: { shortest_edge: 9 }, crop_size: 9 }],
    ['image_mean', { image_mean: [0.5] }],
  ])('is refused where it is not built here: %s', (field, json) => {
    expect(() => parse(json)).toThrow(`"${field}"`);
  });
});

describe('a checkpoint', () => {
  const copyOf = (name: string) => {
    const copy = path.join(folder, name);
    cpSync(checkpointOf('clip'), copy, { recursive: true });
    return copy;
  };
  const edit = (file: string, change: (json: Record<string, unknown>) => void) => {
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    change(json);
    writeFileSync(file, JSON.stringify(json));
  };

  it('without its tokenizer is refused before anything is written', async () => {
    const copy = copyOf('no-tokenizer');
    rmSync(path.join(copy, 'tokenizer.json'));
    await expect(buildTowers(copy, path.join(folder, 'built'))).rejects.toMatchObject({ code: 'file_not_found' });
  });

  it('whose weights are of another shape is refused by the name of the tensor', async () => {
    const copy = copyOf('other-shape');
    edit(path.join(copy, 'config.json'), (json) => {
      json['projection_dim'] = 25;
    });
    await expect(buildTowers(copy, path.join(folder, 'built'))).rejects.toMatchObject({
      code: 'bad_weights',
      message: '"visual_projection.weight" is [24,40], but the configuration says [25,40].',
    });
  });

  it('of more layers than there are weights is refused by what is missing', async () => {
    const copy = copyOf('more-layers');
    edit(path.join(copy, 'config.json'), (json) => {
      json['vision_config'] = { ...(json['vision_config'] as object), num_hidden_layers: 3 };
    });
    await expect(buildTowers(copy, path.join(folder, 'built'))).rejects.toMatchObject({
      message: 'There is no tensor "vision_model.encoder.layers.2.layer_norm1.weight".',
    });
  });
});
