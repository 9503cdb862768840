import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { parseQwenConfig } from '../../../src/qwen/config.js';

/** Flat, as the 3B checkpoint is published. */
const PUBLISHED_3B = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  bos_token_id: 151643,
  eos_token_id: 151645,
  vision_start_token_id: 151652,
  vision_end_token_id: 151653,
  vision_token_id: 151654,
  image_token_id: 151655,
  video_token_id: 151656,
  hidden_act: 'silu',
  hidden_size: 2048,
  intermediate_size: 11008,
  max_position_embeddings: 128000,
  max_window_layers: 70,
  model_type: 'qwen2_5_vl',
  num_attention_heads: 16,
  num_hidden_layers: 36,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
  vision_config: {
    depth: 32,
    hidden_act: 'silu',
    hidden_size: 1280,
    intermediate_size: 3420,
    num_heads: 16,
    in_chans: 3,
    out_hidden_size: 2048,
    patch_size: 14,
    spatial_merge_size: 2,
    window_size: 112,
    fullatt_block_indexes: [7, 15, 23, 31],
    tokens_per_second: 2,
    temporal_patch_size: 2,
  },
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  vocab_size: 151936,
};

const GENERATION = { bos_token_id: 151643, pad_token_id: 151643, eos_token_id: [151645, 151643] };

/** The same, as newer tools save it: the decoder nested, the rotary settings renamed. */
function nested() {
  const { vision_config, rope_scaling, rope_theta, architectures, model_type, ...rest } = PUBLISHED_3B;
  const { image_token_id, video_token_id, vision_start_token_id, vision_end_token_id, ...text } = rest;
  return {
    architectures,
    model_type,
    image_token_id,
    video_token_id,
    vision_start_token_id,
    vision_end_token_id,
    vision_config: { ...vision_config, rope_parameters: { rope_theta: 10000.0, rope_type: 'axial' } },
    text_config: {
      ...text,
      rope_parameters: { rope_theta, rope_type: 'default', mrope_section: rope_scaling.mrope_section },
    },
  };
}

const parse = (config: unknown, generation: unknown = GENERATION) => parseQwenConfig(config, generation, 'config.json');

describe('the configuration of the 3B checkpoint', () => {
  it('is read as published', () => {
    expect(parse(PUBLISHED_3B)).toEqual({
      architecture: 'Qwen2_5_VLForConditionalGeneration',
      text: {
        layers: 36,
        hiddenSize: 2048,
        heads: 16,
        kvHeads: 2,
        headDim: 128,
        intermediateSize: 11008,
        vocabSize: 151936,
        ropeTheta: 1e6,
        mropeSection: [16, 24, 24],
        rmsNormEps: 1e-6,
        tieWordEmbeddings: true,
        maxPositions: 128000,
      },
      vision: {
        depth: 32,
        hiddenSize: 1280,
        heads: 16,
        headDim: 80,
        intermediateSize: 3420,
        patchSize: 14,
        temporalPatchSize: 2,
        spatialMergeSize: 2,
        windowSize: 112,
        fullAttentionBlocks: [7, 15, 23, 31],
        outHiddenSize: 2048,
        tokensPerSecond: 2,
        channels: 3,
      },
      tokens: {
        imagePad: 151655,
        videoPad: 151656,
        visionStart: 151652,
        visionEnd: 151653,
        eos: [151645, 151643],
        pad: 151643,
      },
    });
  });

  it('is the same when the decoder is nested', () => {
    expect(parse(nested())).toEqual(parse(PUBLISHED_3B));
  });

  it('ends at the only end token when there is no generation_config.json', () => {
    expect(parseQwenConfig(PUBLISHED_3B, undefined, '').tokens).toMatchObject({ eos: [151645], pad: 151645 });
  });

  it('takes what is left out from the defaults of the tool that left it out', () => {
    const { intermediate_size: _, ...vision } = PUBLISHED_3B.vision_config;
    const { rope_theta: __, ...rest } = PUBLISHED_3B;
    const config = parse({ ...rest, vision_config: vision });
    expect(config.vision.intermediateSize).toBe(3420);
    expect(config.text.ropeTheta).toBe(1_000_000);
  });
});

describe('a configuration is refused with evidence when', () => {
  const vision = (change: object) => ({ ...PUBLISHED_3B, vision_config: { ...PUBLISHED_3B.vision_config, ...change } });
  it.each([
    ['it is another model', { ...PUBLISHED_3B, model_type: 'qwen3_vl' }, '"model_type" is "qwen3_vl"'],
    ['it is a list', [], 'The configuration is [], not an object'],
    ['a size is negative', { ...PUBLISHED_3B, num_hidden_layers: -1 }, '"num_hidden_layers" is -1'],
    ['a size is text', { ...PUBLISHED_3B, hidden_size: '2048' }, '"hidden_size" is "2048"'],
    ['a size is beyond all models', { ...PUBLISHED_3B, vocab_size: 1e15 }, '"vocab_size" is 1000000000000000'],
    ['heads do not divide the width', { ...PUBLISHED_3B, num_attention_heads: 15 }, '"num_attention_heads", 15'],
    ['key heads do not divide the heads', { ...PUBLISHED_3B, num_key_value_heads: 3 }, '"num_key_value_heads", 3'],
    [
      'sections do not fill half a head',
      { ...PUBLISHED_3B, rope_scaling: { mrope_section: [16, 24, 25] } },
      '[16,24,25]',
    ],
    [
      'positions are scaled',
      { ...PUBLISHED_3B, rope_scaling: { type: 'yarn', factor: 4 } },
      '"rope_scaling.type" is "yarn"',
    ],
    ['windows slide', { ...PUBLISHED_3B, use_sliding_window: true }, 'use_sliding_window'],
    ['another function activates', { ...PUBLISHED_3B, hidden_act: 'gelu' }, '"hidden_act" is "gelu"'],
    [
      'a media token lies outside the vocabulary',
      { ...PUBLISHED_3B, vocab_size: 151_656 },
      '"video_token_id" is 151656',
    ],
    ['the widths of both halves differ', vision({ out_hidden_size: 3584 }), '3584'],
    ['a window is no multiple of a merged token', vision({ window_size: 100 }), '100 pixels'],
    ['full blocks are no list', vision({ fullatt_block_indexes: 7 }), '"vision_config.fullatt_block_indexes" is 7'],
    [
      'cosines do not rise',
      { ...PUBLISHED_3B, longwatch: { meaning: { unrelated: 0.5, match: 0.4, same: 1 } } },
      'do not rise',
    ],
    [
      'a cosine is none',
      { ...PUBLISHED_3B, longwatch: { meaning: { unrelated: 0, match: 0.4, same: 2 } } },
      '"longwatch.meaning.same" is 2',
    ],
    ['an epsilon is nothing', { ...PUBLISHED_3B, rms_norm_eps: 0 }, '"rms_norm_eps" is 0'],
  ])('%s', (_, config, evidence) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ code: 'bad_weights', path: 'config.json', message: expect.stringContaining(evidence) }),
    );
  });

  it('no generation would ever end', () => {
    expect(() => parse(PUBLISHED_3B, { eos_token_id: [] })).toThrow('empty list');
  });

  it('it is any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (config, generation) => {
        try {
          parse(config, generation);
        } catch (error) {
          expect(error).toBeInstanceOf(LongwatchError);
        }
      }),
    );
  });
});
