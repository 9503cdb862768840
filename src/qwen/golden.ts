/**
 * A golden folder: what the reference implementation computed with a checkpoint. fixtures/golden/README.md states the format and the
 * formulas; this file reads the one and repeats the other. The folder may come from anybody, so all of it is checked before use.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Picture } from '../../ingest/video/frame.js';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { Safetensors } from '../onnx/safetensors.js';
import type { Seconds } from '../time.js';

const FORMAT = 1;

/** Pictures that a formula draws. */
export interface GoldenMedium {
  readonly kind: 'video' | 'image';
  readonly seed: number;
  readonly frames: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly pairs: number;
  /** Patches. */
  readonly rows: number;
  readonly columns: number;
  /** Media time of each pair; a still has none. */
  readonly times?: readonly Seconds[];
}

/** Token ids of text, or a medium that stands for its own tokens. */
export type GoldenPart = { readonly ids: readonly number[] } | { readonly media: string };

export type GoldenSpan =
  | { readonly kind: 'text'; readonly length: number }
  | { readonly kind: 'image'; readonly rows: number; readonly columns: number }
  | { readonly kind: 'video'; readonly rows: number; readonly columns: number; readonly times: readonly Seconds[] };

export interface ChatMessage {
  readonly role: string;
  readonly content: string | readonly { readonly type: string; readonly text?: string }[];
}

interface CaseOf<Kind extends string> {
  readonly kind: Kind;
  readonly name: string;
  /** Largest relative error in fp32, where it is not the folder's. */
  readonly tolerance?: number;
}
interface WithTensors<Name extends string> {
  /** Name in the case → name in golden.safetensors. */
  readonly tensors: Readonly<Record<Name, string>>;
}
type Ids3 = readonly [time: readonly number[], row: readonly number[], column: readonly number[]];

export type GoldenCase =
  | (CaseOf<'text'> & { readonly text: string; readonly ids: readonly number[] })
  | (CaseOf<'chat'> & {
      readonly messages: readonly ChatMessage[];
      readonly text: string;
      readonly ids: readonly number[];
    })
  | (CaseOf<'positions'> & { readonly spans: readonly GoldenSpan[]; readonly ids: Ids3; readonly next: number })
  | (CaseOf<'rotary'> & WithTensors<'cos' | 'sin'> & { readonly ids: Ids3 })
  | (CaseOf<'vision'> & WithTensors<'embeddings'> & { readonly media: string })
  | (CaseOf<'logits'> &
      WithTensors<'logits' | 'hidden'> & { readonly prompt: string; readonly rows: readonly number[] })
  | (CaseOf<'continuation'> & WithTensors<'logits'> & { readonly prompt: string; readonly steps: readonly number[] })
  | (CaseOf<'generation'> & {
      readonly prompt: string;
      readonly max_new_tokens: number;
      readonly repetition_penalty: number;
      readonly eos: readonly number[];
      readonly ids: readonly number[];
      readonly finish: string;
      readonly margin: number;
    });

export interface GoldenFolder {
  readonly directory: string;
  /** File name → SHA-256 of the weights that the goldens belong to. */
  readonly checkpoint: Readonly<Record<string, string>>;
  /** The same of a LoRA adapter in `adapter/`; null without one. */
  readonly adapter: Readonly<Record<string, string>> | null;
  /** Largest relative error in fp32. */
  readonly tolerance: number;
  readonly media: Readonly<Record<string, GoldenMedium>>;
  readonly prompts: Readonly<Record<string, { readonly parts: readonly GoldenPart[] }>>;
  readonly cases: readonly GoldenCase[];
  readonly tensors: Safetensors;
}

/**
 * Opens a folder; its `tensors` are to be closed.
 * @throws {LongwatchError} `file_not_found` without golden.json or golden.safetensors; `invalid_input` when golden.json is not of this
 * format, with the case that is wrong; `bad_weights` when the tensors are damaged.
 */
export async function openGolden(directory: string): Promise<GoldenFolder> {
  const file = path.join(directory, 'golden.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw toLongwatchError(error, file);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong(file, `It is not JSON: ${(cause as Error).message}`);
  }
  const checked = check(json, file);
  return { directory, ...checked, tensors: await Safetensors.open(path.join(directory, 'golden.safetensors')) };
}

/** The frames of a medium; those of a pair have the pair's time. */
export function picturesOf(medium: GoldenMedium): Picture[] {
  const perPair = Math.ceil(medium.frames / medium.pairs);
  return Array.from({ length: medium.frames }, (_, index) => ({
    kind: 'picture',
    index,
    pts: index,
    time: medium.times?.[Math.floor(index / perPair)] ?? 0,
    width: medium.width,
    height: medium.height,
    rgb: drawPicture(medium, index),
  }));
}

/** Side of a cell of one colour, in pixels. */
const CELL_PIXELS = 8;

function drawPicture({ seed, width, height }: GoldenMedium, frame: number): Uint8Array {
  const starts = [0, 1].map((layer) => mix((seed * 65_537 + frame * 2 + layer) >>> 0));
  const value = (row: number, column: number, channel: number, layer: 0 | 1) =>
    mix(((row * 4096 + column) * 4 + channel + (starts[layer] as number)) >>> 0) & 0xff;
  const rgb = new Uint8Array(height * width * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const cell = value(Math.floor(y / CELL_PIXELS), Math.floor(x / CELL_PIXELS), channel, 0);
        rgb[at++] = Math.floor((3 * cell + value(y, x, channel, 1)) / 4);
      }
    }
  }
  return rgb;
}

/** A hash of 32 bits. */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

type Fields = Readonly<Record<string, unknown>>;
type Test = (value: unknown) => boolean;

const isText: Test = (value) => typeof value === 'string';
const isCount: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isSize: Test = (value) => isCount(value) && (value as number) > 0 && (value as number) <= 1e6;
const isPositive: Test = (value) => typeof value === 'number' && value > 0 && Number.isFinite(value);
const isTime: Test = (value) => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const mapOf =
  (test: Test): Test =>
  (value) =>
    isObject(value) && Object.values(value).every(test);
const objectOf =
  (tests: Readonly<Record<string, Test>>): Test =>
  (value) =>
    isObject(value) && Object.entries(tests).every(([name, test]) => test(value[name]));
const optional =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const oneOf =
  (...tests: readonly Test[]): Test =>
  (value) =>
    tests.some((test) => test(value));
const only =
  (constant: unknown): Test =>
  (value) =>
    value === constant;

const isIds = listOf(isCount);
const isIds3: Test = (value) => listOf(isIds)(value) && (value as readonly unknown[]).length === 3;
const isGrid = { rows: isSize, columns: isSize };
const isSpan = oneOf(
  objectOf({ kind: only('text'), length: isCount }),
  objectOf({ kind: only('image'), ...isGrid }),
  objectOf({ kind: only('video'), ...isGrid, times: listOf(isTime) }),
);
const isMessage = objectOf({
  role: isText,
  content: oneOf(isText, listOf(objectOf({ type: isText, text: optional(isText) }))),
});

/** Kind of a case → what its fields must be. */
const CASE_TESTS: Readonly<Record<GoldenCase['kind'], Readonly<Record<string, Test>>>> = {
  text: { text: isText, ids: isIds },
  chat: { messages: listOf(isMessage), text: isText, ids: isIds },
  positions: { spans: listOf(isSpan), ids: isIds3, next: isCount },
  rotary: { ids: isIds3, tensors: objectOf({ cos: isText, sin: isText }) },
  vision: { media: isText, tensors: objectOf({ embeddings: isText }) },
  logits: { prompt: isText, rows: isIds, tensors: objectOf({ logits: isText, hidden: isText }) },
  continuation: { prompt: isText, steps: listOf(isSize), tensors: objectOf({ logits: isText }) },
  generation: {
    prompt: isText,
    max_new_tokens: isSize,
    repetition_penalty: isPositive,
    eos: isIds,
    ids: isIds,
    finish: isText,
    margin: isPositive,
  },
};

const MEMBER_TESTS: Readonly<Record<string, Test>> = {
  format: only(FORMAT),
  checkpoint: mapOf(isText),
  adapter: oneOf(only(null), mapOf(isText)),
  tolerance: isPositive,
  media: mapOf(
    objectOf({
      kind: oneOf(only('video'), only('image')),
      seed: isCount,
      frames: isSize,
      width: isSize,
      height: isSize,
      pairs: isSize,
      rows: isSize,
      columns: isSize,
      times: optional(listOf(isTime)),
    }),
  ),
  prompts: mapOf(objectOf({ parts: listOf(oneOf(objectOf({ ids: isIds }), objectOf({ media: isText }))) })),
  cases: listOf(isObject),
};

function check(json: unknown, file: string): Omit<GoldenFolder, 'directory' | 'tensors'> {
  if (!isObject(json)) throw wrong(file, 'It is not an object.');
  for (const [name, test] of Object.entries(MEMBER_TESTS))
    if (!test(json[name])) throw wrong(file, `"${name}" is not as the format has it.`);
  // The tests above and below are what the types say.
  const golden = json as unknown as Omit<GoldenFolder, 'directory' | 'tensors'>;
  for (const [name, { kind, pairs, times }] of Object.entries(golden.media))
    if (kind === 'video' ? times?.length !== pairs : times !== undefined)
      throw wrong(file, `The medium "${name}" does not have a time for each of its ${pairs} pairs.`);
  for (const [name, { parts }] of Object.entries(golden.prompts))
    for (const part of parts)
      if ('media' in part && golden.media[part.media] === undefined)
        throw wrong(file, `The prompt "${name}" shows "${part.media}", which is no medium here.`);
  for (const entry of golden.cases) {
    const label = `The case ${JSON.stringify(String(entry.name).slice(0, 80))} of kind ${JSON.stringify(String(entry.kind))}`;
    const tests = Object.hasOwn(CASE_TESTS, entry.kind) ? CASE_TESTS[entry.kind] : undefined;
    if (!tests || !isText(entry.name)) throw wrong(file, `${label} is not known.`);
    for (const [name, test] of Object.entries({ ...tests, tolerance: optional(isPositive) }))
      if (!test((entry as unknown as Fields)[name])) throw wrong(file, `${label} has no proper "${name}".`);
    if ('media' in entry && golden.media[entry.media] === undefined)
      throw wrong(file, `${label} shows "${entry.media}", which is no medium here.`);
    if ('prompt' in entry && golden.prompts[entry.prompt] === undefined)
      throw wrong(file, `${label} asks "${entry.prompt}", which is no prompt here.`);
  }
  return golden;
}

function wrong(file: string, message: string): LongwatchError {
  return new LongwatchError('invalid_input', `${file} is not a golden folder's index: ${message}`, {
    path: file,
    hint: `It must be of format ${FORMAT}, as \`fixtures/golden/make.py\` of the source repository writes it.`,
  });
}
