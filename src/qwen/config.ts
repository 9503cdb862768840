/**
 * What the graphs, the positions and the prompt depend on in a Qwen2.5-VL checkpoint's config.json and generation_config.json.
 * Published checkpoints are flat; newer tools nest the decoder's fields under `text_config`. Both give the same `QwenConfig`.
 * An absent field has the value that transformers gives it, since tools leave out what equals the default.
 */

import { LongwatchError } from '../errors.js';

/** The vision encoder: blocks of windowed attention, a few of full attention, and a merger into the decoder's width. */
export interface VisionConfig {
  readonly depth: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** `hiddenSize / heads`; a multiple of 4, since rows and columns of the grid share it and each half is rotated in pairs. */
  readonly headDim: number;
  readonly intermediateSize: number;
  /** Pixels along one side of a patch. */
  readonly patchSize: number;
  /** Frames that one patch spans. */
  readonly temporalPatchSize: number;
  /** Patches along one side of the square that becomes one token. */
  readonly spatialMergeSize: number;
  /** Pixels along one side of an attention window; a multiple of `patchSize * spatialMergeSize`. */
  readonly windowSize: number;
  /** Blocks, counted from 0, whose attention spans a whole frame pair. */
  readonly fullAttentionBlocks: readonly number[];
  /** The decoder's width. */
  readonly outHiddenSize: number;
  /** Temporal position ids of one second. */
  readonly tokensPerSecond: number;
  readonly channels: number;
}

/** The decoder. */
export interface TextConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly ropeTheta: number;
  /** How many of the `headDim / 2` frequencies turn with time, row and column. */
  readonly mropeSection: readonly [temporal: number, height: number, width: number];
  readonly rmsNormEps: number;
  /** True when the head that gives logits is the table of token embeddings. */
  readonly tieWordEmbeddings: boolean;
  readonly maxPositions: number;
}

/** Token ids with a meaning of their own. */
export interface SpecialTokens {
  readonly imagePad: number;
  readonly videoPad: number;
  readonly visionStart: number;
  readonly visionEnd: number;
  /** Ids that end a generation; at least one. */
  readonly eos: readonly number[];
  readonly pad: number;
}

export interface QwenConfig {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  readonly tokens: SpecialTokens;
  /** The first of `architectures`, for people. */
  readonly architecture: string;
  /**
   * What kind of pictures the checkpoint knows, where it knows no others: `longwatch.sees` of config.json, a field of ours. Models that have it
   * are used only when they are asked for by name.
   */
  readonly sees?: string;
  /**
   * What the cosines of its states say of the sentences that it writes, as whoever trained it measured: `longwatch.meaning`. A checkpoint that
   * was not trained to compare texts has none.
   */
  readonly meaning?: { readonly unrelated: number; readonly match: number; readonly same: number };
}

/** ε of every norm in the vision encoder; not a field of the configuration. */
export const VISION_NORM_EPS = 1e-6;
/** Base of the vision encoder's rotary frequencies; older configurations do not name it. */
export const VISION_ROPE_THETA = 10_000;

const MODEL_TYPE = 'qwen2_5_vl';
const ARCHITECTURE = 'Qwen2_5_VLForConditionalGeneration';

/**
 * @param generationJson parsed generation_config.json; undefined when the checkpoint has none
 * @param where path of config.json, for messages
 * @throws {LongwatchError} `bad_weights` when a field is no such number, fields contradict each other, or a variant is asked for
 * that is not built here.
 */
export function parseQwenConfig(configJson: unknown, generationJson: unknown | undefined, where: string): QwenConfig {
  const root = new Fields(configJson, '', where);
  root.only('model_type', MODEL_TYPE, undefined);
  const text = parseText(root);
  const vision = parseVision(root.child('vision_config'));
  if (vision.outHiddenSize !== text.hiddenSize)
    throw root.refuse(
      `The vision encoder gives ${vision.outHiddenSize} channels ("vision_config.out_hidden_size"), the decoder takes ${text.hiddenSize}.`,
    );
  const tokens = parseTokens(root, new Fields(generationJson ?? {}, 'generation_config.', where), text.vocabSize);
  const own = root.firstChild('longwatch');
  const sees = own?.has('sees') ? own.text('sees') : undefined;
  const meaning = own?.has('meaning') ? parseMeaning(own.child('meaning')) : undefined;
  return {
    vision,
    text,
    tokens,
    architecture: root.firstText('architectures') ?? ARCHITECTURE,
    ...(sees === undefined ? {} : { sees }),
    ...(meaning === undefined ? {} : { meaning }),
  };
}

function parseMeaning(fields: Fields) {
  const [unrelated, match, same] = ['unrelated', 'match', 'same'].map((name) => fields.cosine(name)) as [
    number,
    number,
    number,
  ];
  if (!(unrelated < match && match < same))
    throw fields.refuse('The cosines of "longwatch.meaning" do not rise from "unrelated" over "match" to "same".');
  return { unrelated, match, same };
}

function parseText(root: Fields): TextConfig {
  const text = root.has('text_config') ? root.child('text_config') : root;
  text.only('hidden_act', 'silu', 'silu');
  if (text.flag('use_sliding_window', false))
    throw text.refuse('"use_sliding_window" is true; a decoder with sliding windows is not built here.');
  const hiddenSize = text.size('hidden_size', 8192);
  const heads = text.size('num_attention_heads', 64);
  const kvHeads = text.size('num_key_value_heads', heads);
  const headDim = text.share(hiddenSize, heads, 'hidden_size', 'num_attention_heads');
  text.share(heads, kvHeads, 'num_attention_heads', 'num_key_value_heads');
  if (text.has('head_dim') && text.size('head_dim', headDim) !== headDim)
    throw text.refuse(`"head_dim" is not hidden_size / num_attention_heads = ${headDim}.`);
  const rope = text.firstChild('rope_parameters', 'rope_scaling');
  for (const name of ['rope_type', 'type'])
    if (rope?.has(name) && !['default', 'mrope'].includes(rope.text(name)))
      throw rope.refuse(
        `"${rope.prefix}${name}" is "${rope.text(name)}"; only multimodal rotary positions without scaling are built.`,
      );
  const ropeTheta = rope?.has('rope_theta') ? rope.positive('rope_theta', 1e6) : text.positive('rope_theta', 1e6);
  return {
    layers: text.size('num_hidden_layers', 80),
    hiddenSize,
    heads,
    kvHeads,
    headDim,
    intermediateSize: text.size('intermediate_size', 29_568),
    vocabSize: text.size('vocab_size', 152_064),
    ropeTheta,
    mropeSection: parseSection(text, rope, headDim),
    rmsNormEps: text.positive('rms_norm_eps', 1e-5),
    // Flat files carry it at the root; nested ones in either place, and an older tool wrote only the inner one.
    tieWordEmbeddings: root.flag('tie_word_embeddings', false) || text.flag('tie_word_embeddings', false),
    maxPositions: text.size('max_position_embeddings', 32_768),
  };
}

function parseSection(text: Fields, rope: Fields | undefined, headDim: number): TextConfig['mropeSection'] {
  const section = rope?.has('mrope_section') ? rope.sizes('mrope_section') : [16, 24, 24];
  const [temporal, height, width] = section;
  const sum = section.reduce((a, b) => a + b, 0);
  if (
    temporal === undefined ||
    height === undefined ||
    width === undefined ||
    section.length !== 3 ||
    sum * 2 !== headDim
  )
    throw text.refuse(
      `"mrope_section" is [${section}]; three sizes that add up to half of the ${headDim} channels of a head are needed.`,
    );
  return [temporal, height, width];
}

function parseVision(vision: Fields): VisionConfig {
  vision.only('hidden_act', 'silu', 'silu');
  const hiddenSize = vision.size('hidden_size', 3584);
  const heads = vision.size('num_heads', 16);
  const headDim = vision.share(hiddenSize, heads, 'hidden_size', 'num_heads');
  if (headDim % 4 !== 0)
    throw vision.refuse(`A head of the vision encoder has ${headDim} channels, which is not a multiple of 4.`);
  const depth = vision.size('depth', 32);
  const patchSize = vision.size('patch_size', 14);
  const spatialMergeSize = vision.size('spatial_merge_size', 2);
  const windowSize = vision.size('window_size', 112);
  if (windowSize % (patchSize * spatialMergeSize) !== 0)
    throw vision.refuse(`A window of ${windowSize} pixels is not a multiple of ${patchSize * spatialMergeSize}.`);
  const fullAttentionBlocks = vision.has('fullatt_block_indexes')
    ? vision.sizes('fullatt_block_indexes')
    : [7, 15, 23, 31];
  const theta = vision.firstChild('rope_parameters')?.positive('rope_theta', VISION_ROPE_THETA) ?? VISION_ROPE_THETA;
  if (theta !== VISION_ROPE_THETA)
    throw vision.refuse(`"vision_config.rope_parameters.rope_theta" is ${theta}; only ${VISION_ROPE_THETA} is built.`);
  return {
    depth,
    hiddenSize,
    heads,
    headDim,
    intermediateSize: vision.size('intermediate_size', 3420),
    patchSize,
    temporalPatchSize: vision.size('temporal_patch_size', 2),
    spatialMergeSize,
    windowSize,
    fullAttentionBlocks,
    outHiddenSize: vision.size('out_hidden_size', 3584),
    tokensPerSecond: vision.positive('tokens_per_second', 4),
    channels: vision.has('in_channels') ? vision.size('in_channels', 3) : vision.size('in_chans', 3),
  };
}

function parseTokens(root: Fields, generation: Fields, vocabSize: number): SpecialTokens {
  const media = (name: string, absent: number) => {
    const id = root.has(name) ? root.id(name) : absent;
    if (id >= vocabSize) throw root.refuse(`"${name}" is ${id}, but there are ${vocabSize} tokens.`);
    return id;
  };
  // The decoder's fields may be nested; ids of texts then are as well.
  const text = root.has('text_config') ? root.child('text_config') : root;
  const ids = (name: string) => [generation, root, text].find((fields) => fields.has(name))?.ids(name);
  const eos = ids('eos_token_id') ?? [151_645];
  const end = eos[0];
  if (end === undefined) throw generation.refuse('"eos_token_id" is an empty list, so no generation would end.');
  return {
    imagePad: media('image_token_id', 151_655),
    videoPad: media('video_token_id', 151_656),
    visionStart: media('vision_start_token_id', 151_652),
    visionEnd: media('vision_end_token_id', 151_653),
    eos,
    pad: ids('pad_token_id')?.[0] ?? end,
  };
}

/** One JSON object, read field by field with messages that name the field and show what stands there. null counts as absent. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(
    json: unknown,
    readonly prefix: string,
    readonly where: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw this.refuse(
        `${prefix === '' ? 'The configuration' : `"${prefix.slice(0, -1)}"`} is ${shown(json)}, not an object.`,
      );
    this.#fields = json as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== null && this.#fields[name] !== undefined;
  }

  child(name: string): Fields {
    return new Fields(this.#get(name) ?? {}, `${this.prefix}${name}.`, this.where);
  }

  firstChild(...names: readonly string[]): Fields | undefined {
    const name = names.find((candidate) => this.has(candidate));
    return name === undefined ? undefined : this.child(name);
  }

  size(name: string, absent: number): number {
    const value = this.has(name) ? this.#get(name) : absent;
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > MAX_SIZE)
      throw this.#wrong(name, `a whole number from 1 to ${MAX_SIZE}`);
    return value as number;
  }

  sizes(name: string): number[] {
    const value = this.#get(name);
    if (!Array.isArray(value) || !value.every((size) => Number.isSafeInteger(size) && size >= 0 && size <= MAX_SIZE))
      throw this.#wrong(name, 'a list of whole numbers');
    return value;
  }

  positive(name: string, absent: number): number {
    const value = this.has(name) ? this.#get(name) : absent;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
      throw this.#wrong(name, 'a number above 0');
    return value;
  }

  cosine(name: string): number {
    const value = this.#get(name);
    if (typeof value !== 'number' || !(value >= -1 && value <= 1)) throw this.#wrong(name, 'a number from -1 to 1');
    return value;
  }

  flag(name: string, absent: boolean): boolean {
    const value = this.has(name) ? this.#get(name) : absent;
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false');
    return value;
  }

  text(name: string): string {
    const value = this.#get(name);
    if (typeof value !== 'string') throw this.#wrong(name, 'text');
    return value;
  }

  firstText(name: string): string | undefined {
    const value = this.#get(name);
    return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined;
  }

  id(name: string): number {
    const value = this.#get(name);
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.#wrong(name, 'a token id');
    return value as number;
  }

  ids(name: string): number[] {
    const value = this.#get(name);
    if (!Array.isArray(value)) return [this.id(name)];
    if (!value.every((id) => Number.isSafeInteger(id) && id >= 0)) throw this.#wrong(name, 'a list of token ids');
    return value;
  }

  /** @param absent what a missing field means; undefined when it must be there */
  only(name: string, value: string, absent: string | undefined): void {
    const found = this.has(name) ? this.#get(name) : absent;
    if (found !== value)
      throw this.refuse(`"${this.prefix}${name}" is ${shown(found)}; only "${value}" is built here.`);
  }

  share(whole: number, parts: number, wholeName: string, partsName: string): number {
    if (whole % parts !== 0)
      throw this.refuse(
        `"${this.prefix}${wholeName}" is ${whole}, which "${this.prefix}${partsName}", ${parts}, does not divide.`,
      );
    return whole / parts;
  }

  refuse(message: string): LongwatchError {
    return new LongwatchError('bad_weights', message, {
      path: this.where,
      hint: 'Use the configuration that came with a Qwen2.5-VL checkpoint.',
    });
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #wrong(name: string, expected: string): LongwatchError {
    return this.refuse(`"${this.prefix}${name}" is ${shown(this.#get(name))}, not ${expected}.`);
  }
}

/** Above any size of a model; a larger one is damage, and its products would not be exact numbers. */
const MAX_SIZE = 10_000_000;

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 80);
}
