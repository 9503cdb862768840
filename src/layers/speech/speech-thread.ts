/**
 * The thread of a `SpeechRuntime`: Silero with its state, and Whisper with the window that it hears: the encoder's output as keys and values, and
 * those of the text that is being written. They never leave the thread.
 */

import { readFile } from 'node:fs/promises';
import type { Tensor } from '../../onnx/element-type.js';
import { cutModel, type ModelCut } from '../../onnx/model-cut.js';
import { type RuntimeOptions, RuntimeSession } from '../../onnx/runtime-session.js';
import { buffersOf, serveCalls } from '../../onnx/thread-calls.js';
import type { Seconds } from '../../time.js';
import { alignTokens } from './alignment.js';
import { logMel, MEL_BANDS, MEL_COLUMNS, WINDOW_SAMPLES } from './log-mel.js';
import { SpeechDetector } from './speech-detector.js';
import { applyTimestampRules, type WhisperTokens } from './timestamp-rules.js';

export interface WhisperShape {
  readonly layers: number;
  readonly heads: number;
  /** Channels of a head. */
  readonly width: number;
  /** Tokens of prompt and text together, at most. */
  readonly context: number;
  /** Layer and head whose attention follows the sound. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[];
  readonly tokens: WhisperTokens;
}

export interface HeardWindow {
  /** Probability of each language, by its code; they sum to 1. */
  readonly languages: Readonly<Record<string, number>>;
  /** Probability that there is no speech. */
  readonly noSpeech: number;
}

export interface WritingRequest {
  readonly language: string;
  /** 0: at each place the most probable token; above, drawn. */
  readonly temperature: number;
  readonly seed: number;
  /** As in `applyTimestampRules`. */
  readonly lastSpeech: Seconds;
}

export interface Writing {
  /** Text and times, without the prompt and the end. */
  readonly ids: readonly number[];
  /** Mean logarithm of the probabilities of these and the end. */
  readonly meanLogProbability: number;
  /** Column of 20 ms at which each text token of `ids` begins, and at last where the text ends. */
  readonly starts: readonly number[];
}

export type SpeechCalls = {
  readonly open: {
    readonly request: {
      readonly detector: string;
      readonly encoder: string;
      readonly decoder: string;
      readonly shape: WhisperShape;
      readonly options: RuntimeOptions;
    };
    readonly answer: null;
  };
  /** Probability of speech in each chunk. `fresh` forgets what was heard before. */
  readonly detect: {
    readonly request: { readonly samples: Float32Array; readonly fresh: boolean };
    readonly answer: Float32Array;
  };
  /** Makes this the window of the `write` calls that follow. */
  readonly hear: { readonly request: { readonly samples: Float32Array }; readonly answer: HeardWindow };
  /** Above temperature 0 tokens are drawn, the same for the same seed. */
  readonly write: {
    readonly request: WritingRequest;
    readonly answer: Writing;
  };
};

/** Longest text of a window. Speech never needs it; a loop would fill the context. */
const LONGEST_TEXT = 224;
/** Start, language and task. */
const PROMPT = 3;
/** Columns of the encoder's output: half of those it reads. */
const ENCODED = MEL_COLUMNS / 2;
const SAMPLES_PER_COLUMN = WINDOW_SAMPLES / ENCODED;

interface Opened {
  readonly detector: SpeechDetector;
  readonly encoder: RuntimeSession;
  /** The encoder's output → the keys and values that the decoder reads it by. */
  readonly memory: RuntimeSession;
  /** One token, read with the keys and values of all before it. */
  readonly decoder: RuntimeSession;
  readonly shape: WhisperShape;
}

interface Window {
  /** `past_key_values.*.encoder.*` */
  readonly sound: Readonly<Record<string, Tensor>>;
  /** `past_key_values.*.decoder.*` behind the first token. */
  readonly begun: Readonly<Record<string, Tensor>>;
  /** Columns that hold sound. */
  readonly columns: number;
}

let opened: Opened | undefined;
let heard: Window | undefined;

function openedNow(): Opened {
  if (!opened) throw new Error('No model is open.');
  return opened;
}

serveCalls<SpeechCalls>(
  {
    async open({ detector, encoder, decoder, shape, options }) {
      // The export holds both decoders behind one choice, and hands out attention maps of 54 MB a layer.
      const listening = new Set(shape.alignmentHeads.map(([layer]) => `cross_attentions.${layer}`));
      const part = async (file: string, cut: ModelCut, unpackWeights = false) =>
        RuntimeSession.open(await cutModel(await readFile(file), cut), { ...options, frugal: true, unpackWeights });
      const isText = (name: string) => name === 'logits' || name.includes('.decoder.') || listening.has(name);
      // The largest first, so that less lies beside it while it is loaded.
      opened = {
        decoder: await part(decoder, { branch: 'then_branch', outputs: isText }, true),
        memory: await part(decoder, { branch: 'else_branch', outputs: (name) => name.includes('.encoder.') }),
        encoder: await part(encoder, { outputs: (name) => name === 'last_hidden_state' }),
        detector: await SpeechDetector.open(detector, { ...options, threads: 1 }),
        shape,
      };
      return { answer: null };
    },
    async detect({ samples, fresh }) {
      const { detector } = openedNow();
      if (fresh) detector.forget();
      const answer = await detector.probabilities(samples);
      return { answer, transfer: buffersOf([answer]) };
    },
    async hear({ samples }) {
      const models = openedNow();
      heard = undefined;
      const features: Tensor = { type: 'float32', shape: [1, MEL_BANDS, MEL_COLUMNS], data: logMel(samples) };
      const encoded = await models.encoder.run({ input_features: features }, []);
      const { tokens } = models.shape;
      const memory = await models.memory.run(
        { encoder_hidden_states: tensor(encoded, 'last_hidden_state'), input_ids: idTensor(tokens.startOfTranscript) },
        [],
      );
      const sound = asPast(memory);
      const { logits, past } = await step(models, tokens.startOfTranscript, { ...sound, ...emptyPast(models.shape) });
      heard = { sound, begun: past, columns: Math.min(ENCODED, Math.ceil(samples.length / SAMPLES_PER_COLUMN)) };
      const ids = Object.entries(tokens.languages);
      const probable = softmax(ids.map(([, id]) => logits[id] ?? -Infinity));
      return {
        answer: {
          languages: Object.fromEntries(ids.map(([code], index) => [code, probable[index] ?? 0])),
          noSpeech: Math.exp((logits[tokens.noSpeech] ?? -Infinity) - logSum(logits)),
        },
      };
    },
    async write(request) {
      const models = openedNow();
      if (!heard) throw new Error('There is no window to write about.');
      return { answer: await write(models, heard, request) };
    },
  },
  async () => {
    await opened?.detector.release();
    await opened?.encoder.release();
    await opened?.memory.release();
    await opened?.decoder.release();
  },
);

async function write(
  models: Opened,
  { sound, begun, columns }: Window,
  { language, temperature, seed, lastSpeech }: WritingRequest,
): Promise<Writing> {
  const random = mulberry32(seed);
  const { tokens, context, alignmentHeads } = models.shape;
  const spoken = tokens.languages[language];
  if (spoken === undefined) throw new Error(`Whisper knows no language "${language}".`);
  const attention: Float32Array[][] = alignmentHeads.map(() => []);
  const ids: number[] = [];
  let { past } = await step(models, spoken, { ...sound, ...begun });
  let sum = 0;
  for (let next = tokens.transcribe; ; ) {
    const read = await step(models, next, { ...sound, ...past });
    past = read.past;
    applyTimestampRules(read.logits, ids, tokens, lastSpeech);
    next = temperature === 0 ? argmax(read.logits) : draw(read.logits, temperature, random);
    sum += (read.logits[next] ?? -Infinity) - logSum(read.logits);
    const full = ids.length + 1 === Math.min(LONGEST_TEXT, context - PROMPT);
    const ends = next === tokens.endOfText || full;
    // The row that wrote a token tells where it was said, and the one that wrote the end, where speech ended.
    if (next < tokens.firstTime || ends)
      for (const [index, row] of read.attention.entries()) attention[index]?.push(row);
    if (ends) break;
    ids.push(next);
  }
  return { ids, meanLogProbability: sum / (ids.length + 1), starts: alignTokens(attention, columns) };
}

interface Step {
  /** `[vocabulary]` */
  readonly logits: Float32Array;
  /** The keys and values of the text so far, under the names by which the next step is fed. */
  readonly past: Readonly<Record<string, Tensor>>;
  /** What each alignment head listened to, `[ENCODED]`. */
  readonly attention: readonly Float32Array[];
}

async function step({ decoder, shape }: Opened, token: number, feeds: Readonly<Record<string, Tensor>>): Promise<Step> {
  const outputs = await decoder.run({ ...feeds, input_ids: idTensor(token) }, []);
  return {
    logits: floats(outputs, 'logits'),
    past: asPast(outputs),
    attention: shape.alignmentHeads.map(([layer, head]) =>
      floats(outputs, `cross_attentions.${layer}`).slice(head * ENCODED, (head + 1) * ENCODED),
    ),
  };
}

function idTensor(id: number): Tensor {
  return { type: 'int64', shape: [1, 1], data: BigInt64Array.of(BigInt(id)) };
}

/** Text that has not begun. */
function emptyPast({ layers, heads, width }: WhisperShape): Record<string, Tensor> {
  const empty: Tensor = { type: 'float32', shape: [1, heads, 0, width], data: new Float32Array(0) };
  return Object.fromEntries(
    Array.from({ length: layers }, (_, layer) =>
      ['key', 'value'].map((part) => [`past_key_values.${layer}.decoder.${part}`, empty] as const),
    ).flat(),
  );
}

/** `present.*` of one run as `past_key_values.*` of the next. */
function asPast(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, value]) =>
      name.startsWith('present.') ? [[name.replace('present', 'past_key_values'), value]] : [],
    ),
  );
}

function tensor(outputs: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const found = outputs[name];
  if (!found) throw new Error(`The decoder gave no ${name}.`);
  return found;
}

function floats(outputs: Readonly<Record<string, Tensor>>, name: string): Float32Array {
  const found = tensor(outputs, name);
  if (found.type !== 'float32') throw new Error(`The decoder's ${name} are no floats.`);
  return found.data;
}

/** ln Σ eˣ */
function logSum(logits: ArrayLike<number>): number {
  let loudest = -Infinity;
  for (let index = 0; index < logits.length; index++) loudest = Math.max(loudest, logits[index] ?? -Infinity);
  let sum = 0;
  for (let index = 0; index < logits.length; index++) sum += Math.exp((logits[index] ?? -Infinity) - loudest);
  return loudest + Math.log(sum);
}

function softmax(logits: ArrayLike<number>): Float64Array {
  const total = logSum(logits);
  return Float64Array.from(logits, (logit) => Math.exp(logit - total));
}

function argmax(logits: Float32Array): number {
  let [best, most] = [0, -Infinity];
  for (const [id, logit] of logits.entries()) if (logit > most) [best, most] = [id, logit];
  return best;
}

function draw(logits: Float32Array, temperature: number, random: () => number): number {
  const probabilities = softmax(Float64Array.from(logits, (logit) => logit / temperature));
  let left = random();
  for (const [id, probability] of probabilities.entries()) {
    left -= probability;
    if (left < 0) return id;
  }
  return argmax(logits);
}

/** Numbers from 0 to 1 from a seed, the same everywhere (Mulberry32, T. Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
