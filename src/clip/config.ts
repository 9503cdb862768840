/**
 * What the two towers of a CLIP or SigLIP checkpoint depend on in its `config.json`. Fields that the file leaves out have the values that
 * transformers gives them, since published files name only what differs.
 * Radford et al. 2021, arXiv:2103.00020; Zhai et al. 2023, arXiv:2303.15343; Tschannen et al. 2025, arXiv:2502.14786 (SigLIP 2, whose
 * checkpoints of fixed size have SigLIP's form).
 */

import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';

export const FAMILIES = ['clip', 'siglip'] as const;
export type Family = (typeof FAMILIES)[number];

/** What stands between the two products of an MLP. `quick_gelu` is x · sigmoid(1.702 x). */
export const ACTIVATIONS = ['quick_gelu', 'gelu', 'gelu_pytorch_tanh'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** A stack of transformer layers that are normalised before each part. */
export interface Encoder {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: Activation;
  readonly layerNormEpsilon: number;
}

export interface TextTower extends Encoder {
  readonly vocabularySize: number;
  /** Tokens of one text at most, special ones included. */
  readonly maxPositions: number;
  /** CLIP: the token whose state is the text's. Undefined where the file has the old value 2, which means the largest id of the text. */
  readonly endToken?: number;
}

export interface PictureTower extends Encoder {
  /** Pixels of one side; pictures are square. */
  readonly imageSize: number;
  /** Pixels of one side of a patch. */
  readonly patchSize: number;
}

export interface TowersConfig {
  readonly family: Family;
  readonly text: TextTower;
  readonly pictures: PictureTower;
  /** Length of a vector, which both towers give. */
  readonly dim: number;
}

type Fields = Readonly<Record<string, unknown>>;

const DEFAULTS = {
  clip: {
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
    vocabularySize: 49_408,
    text: { hiddenSize: 512, intermediateSize: 2048, heads: 8 },
    maxPositions: 77,
    patchSize: 32,
  },
  siglip: {
    activation: 'gelu_pytorch_tanh',
    layerNormEpsilon: 1e-6,
    vocabularySize: 32_000,
    text: { hiddenSize: 768, intermediateSize: 3072, heads: 12 },
    maxPositions: 64,
    patchSize: 16,
  },
} as const;
/** The same in both families. */
const PICTURE_DEFAULTS = { hiddenSize: 768, intermediateSize: 3072, heads: 12 } as const;
const LAYERS = 12;
const IMAGE_SIZE = 224;
const CLIP_DIM = 512;
const CLIP_END_TOKEN = 49_407;
/** What configurations said before the token was looked at, whatever it was. */
const OLD_END_TOKEN = 2;

/** Whether a `config.json` is of a checkpoint that is built here. */
export function familyOf(json: unknown): Family | undefined {
  const type = fieldsOf(json)['model_type'];
  return FAMILIES.find((family) => family === type);
}

/** @throws {LongwatchError} `bad_weights` for a value that cannot be meant, or a variant that is not built here. */
export function parseTowersConfig(json: unknown, path: string): TowersConfig {
  const top = new Section(fieldsOf(json), '', path);
  const family = familyOf(json);
  if (family === undefined)
    throw top.refused('model_type', `only ${FAMILIES.map((name) => `"${name}"`).join(' and ')} are built here`);
  const defaults = DEFAULTS[family];
  const text = top.section('text_config');
  const vision = top.section('vision_config');
  if (vision.value('vision_use_head', true) !== true)
    throw vision.refused('vision_use_head', 'only towers with their own head are built here');
  if (vision.value('num_channels', 3) !== 3)
    throw vision.refused('num_channels', 'only pictures of three colours are read');

  const pictures: PictureTower = {
    ...encoderOf(vision, defaults, PICTURE_DEFAULTS),
    imageSize: vision.size('image_size', IMAGE_SIZE),
    patchSize: vision.size('patch_size', defaults.patchSize),
  };
  if (pictures.imageSize % pictures.patchSize !== 0)
    throw vision.refused('image_size', `${pictures.patchSize} pixels of a patch do not divide it`);
  const texts = encoderOf(text, defaults, defaults.text);
  const common = {
    vocabularySize: text.size('vocab_size', defaults.vocabularySize),
    maxPositions: text.size('max_position_embeddings', defaults.maxPositions),
  };
  if (family === 'siglip') {
    const dim = text.size('projection_size', texts.hiddenSize);
    if (dim !== pictures.hiddenSize)
      throw text.refused('projection_size', `texts would have ${dim} numbers and pictures ${pictures.hiddenSize}`);
    return { family, dim, pictures, text: { ...texts, ...common } };
  }
  const endToken = text.size('eos_token_id', CLIP_END_TOKEN);
  return {
    family,
    dim: top.size('projection_dim', CLIP_DIM),
    pictures,
    text: { ...texts, ...common, ...(endToken === OLD_END_TOKEN ? {} : { endToken }) },
  };
}

function encoderOf(
  section: Section,
  { activation, layerNormEpsilon }: { readonly activation: Activation; readonly layerNormEpsilon: number },
  sizes: { readonly hiddenSize: number; readonly intermediateSize: number; readonly heads: number },
): Encoder {
  const encoder = {
    hiddenSize: section.size('hidden_size', sizes.hiddenSize),
    intermediateSize: section.size('intermediate_size', sizes.intermediateSize),
    layers: section.size('num_hidden_layers', LAYERS),
    heads: section.size('num_attention_heads', sizes.heads),
    activation: section.activation(activation),
    layerNormEpsilon: section.epsilon(layerNormEpsilon),
  };
  if (encoder.hiddenSize % encoder.heads !== 0)
    throw section.refused('num_attention_heads', `${encoder.hiddenSize} channels cannot be shared by them`);
  return encoder;
}

/** One JSON object of the configuration, with its name for messages. */
class Section {
  constructor(
    private readonly fields: Fields,
    private readonly name: string,
    private readonly path: string,
  ) {}

  /** Older files repeat a tower's fields in `…_dict`, which then counts. */
  section(name: string): Section {
    return new Section({ ...fieldsOf(this.fields[name]), ...fieldsOf(this.fields[`${name}_dict`]) }, name, this.path);
  }

  value(field: string, fallback: unknown): unknown {
    return this.fields[field] ?? fallback;
  }

  size(field: string, fallback: number): number {
    const value = this.value(field, fallback);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    throw this.refused(field, 'a whole number above 0 is needed');
  }

  epsilon(fallback: number): number {
    const value = this.value('layer_norm_eps', fallback);
    if (typeof value === 'number' && value > 0 && value < 1) return value;
    throw this.refused('layer_norm_eps', 'a small number above 0 is needed');
  }

  activation(fallback: Activation): Activation {
    const value = this.value('hidden_act', fallback);
    const known = ACTIVATIONS.find((activation) => activation === value);
    if (known !== undefined) return known;
    throw this.refused('hidden_act', `known are ${ACTIVATIONS.join(', ')}`);
  }

  refused(field: string, reason: string): LongwatchError {
    const where = this.name === '' ? field : `${this.name}.${field}`;
    const value = JSON.stringify(this.fields[field]) ?? 'not there';
    return new LongwatchError('bad_weights', `"${where}" is ${value.slice(0, 80)}: ${reason}.`, {
      path: this.path,
      hint: 'Use a CLIP or SigLIP checkpoint as it is published, with the configuration that came with it.',
    });
  }
}

function fieldsOf(json: unknown): Fields {
  return isRecord(json) ? json : {};
}
