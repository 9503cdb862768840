/** A built model, loaded: it encodes frames, reads prompts and goes on from them. Its two graphs live in threads of their own. */

import { modelClosed, operatorThreads } from '../onnx/model-thread.js';
import { Session } from '../onnx/session.js';
import { type BuiltModel, openBuiltModel } from './built-model.js';
import { ChatTemplate } from './chat-template.js';
import type { QwenConfig } from './config.js';
import { Context, type ModelPrompt, type ReadOptions } from './context.js';
import { DecoderSession } from './decoder-session.js';
import { type Device, type DeviceChoice, openOnDevice, providersOf } from './device.js';
import { type Grammar, GrammarCompiler } from './grammar/grammar.js';
import type { JsonSchema } from './grammar/schema.js';
import { vocabularyOf } from './grammar/vocabulary.js';
import { requireMemory } from './memory.js';
import type { PictureSettings } from './picture-settings.js';
import type { PreprocessedVideo } from './preprocess.js';
import { buildPrompt, type Prompt, type PromptInput } from './prompt.js';
import { compareSelfTest, runSelfTest } from './self-test.js';
import type { TokenEmbeddings } from './token-embeddings.js';
import { QwenTokenizer } from './tokenizer.js';
import { VisionEncoder, type VisionEncoderOptions } from './vision-encoder.js';

export interface RuntimeOptions {
  /** @default 'cpu' */
  readonly device?: DeviceChoice;
  /** Threads that one operator may use. @default half the cores, 1 to 4 */
  readonly threads?: number;
  readonly vision?: VisionEncoderOptions;
  readonly signal?: AbortSignal;
}

/** `close` it. Several may be open at once, each with the model's memory. */
export class QwenRuntime {
  readonly config: QwenConfig;
  /** What the checkpoint says about the pictures it was trained with. */
  readonly pictures: PictureSettings;
  readonly tokenizer: QwenTokenizer;
  readonly template: ChatTemplate;
  /** What it runs on. */
  readonly device: Device;
  /** Why that is not the device that was asked for. */
  readonly notice: string | undefined;
  readonly #embeddings: TokenEmbeddings;
  readonly #vision: Reopened<Session>;
  readonly #decoder: Reopened<DecoderSession>;
  readonly #encoder: VisionEncoder;
  #grammars: GrammarCompiler | undefined;

  private constructor(
    model: BuiltModel,
    texts: { readonly tokenizer: QwenTokenizer; readonly template: ChatTemplate },
    embeddings: TokenEmbeddings,
    sessions: { readonly vision: Reopened<Session>; readonly decoder: Reopened<DecoderSession> },
    placed: { readonly device: Device; readonly notice?: string },
    options: RuntimeOptions,
  ) {
    this.config = model.config;
    this.pictures = model.pictures;
    this.tokenizer = texts.tokenizer;
    this.template = texts.template;
    this.device = placed.device;
    this.notice = placed.notice;
    this.#embeddings = embeddings;
    this.#vision = sessions.vision;
    this.#decoder = sessions.decoder;
    this.#encoder = new VisionEncoder(model.config.vision, () => this.#vision.get(), options.vision);
  }

  /**
   * Loads a built folder. On another device than the processor it first repeats the build's self-test there: a device that does not
   * start, or computes something else, is passed over with a notice.
   * @throws {LongwatchError} `not_found` or `bad_weights` for the folder; `part_missing` without onnxruntime-node; `overloaded`, with
   * both figures, when the weights do not fit into memory; `model_failed`
   */
  static async open(directory: string, options: RuntimeOptions = {}): Promise<QwenRuntime> {
    const model = await openBuiltModel(directory, options.signal ? { signal: options.signal } : {});
    const weights = model.manifest.files.reduce(
      (sum, { name, bytes }) => sum + (name.includes('.onnx') ? bytes : 0),
      0,
    );
    requireMemory('The model', weights);
    const texts = { tokenizer: await QwenTokenizer.open(directory), template: await ChatTemplate.open(directory) };
    const threads = operatorThreads(options.threads);
    const { opened, ...placed } = await openOnDevice(options.device ?? 'cpu', async (device) => {
      if (device !== 'cpu') await testDevice(model, device, threads);
      return openSessions(model, device, threads);
    });
    try {
      const embeddings = await model.openEmbeddings();
      return new QwenRuntime(model, texts, embeddings, opened, placed, options);
    } catch (error) {
      await Promise.all([opened.vision.close(), opened.decoder.close()]);
      throw error;
    }
  }

  /** The token ids of what a user shows and says. @throws {LongwatchError} as `buildPrompt` */
  prompt(input: PromptInput): Prompt {
    const { tokenizer, template, config } = this;
    const spatialMerge = config.vision.spatialMergeSize;
    return buildPrompt(input, { tokenizer, template, tokens: config.tokens, spatialMerge });
  }

  /**
   * @returns `[pairs · merged tokens, hidden]`, pair after pair, each in raster order
   * @throws {LongwatchError} as `VisionEncoder.encode`
   */
  encodeVision(video: PreprocessedVideo, signal?: AbortSignal): Promise<Float32Array> {
    return this.#encoder.encode(video, signal);
  }

  /** Reads a prompt; only its last token gives logits. `end` the context. @throws {LongwatchError} as `Context.read` */
  async prefill(prompt: ModelPrompt, options: ReadOptions = {}): Promise<Context> {
    const decoder = await this.#decoder.get();
    const parts = {
      text: this.config.text,
      tokensPerSecond: this.config.vision.tokensPerSecond,
      spatialMerge: this.config.vision.spatialMergeSize,
      embeddings: this.#embeddings,
    };
    return Context.read(parts, (capacity) => decoder.begin(capacity), prompt, options);
  }

  /**
   * A schema for constrained answers. The first one prepares the vocabulary, which takes a good half second for 150,000 tokens.
   * @throws {LongwatchError} `invalid_input` for a schema that cannot be kept
   */
  grammar(schema: JsonSchema): Grammar {
    this.#grammars ??= new GrammarCompiler(vocabularyOf(this.tokenizer, this.config.text.vocabSize));
    return this.#grammars.compile(schema);
  }

  /** Ends both threads after what is under way; an answer that is not whole fails with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([this.#vision.close(), this.#decoder.close(), this.#embeddings.close()]);
  }
}

interface Closable {
  readonly alive: boolean;
  close(): Promise<void>;
}

/** A session that is opened again when it has died: its death costs what it had in hand and nothing later. */
class Reopened<T extends Closable> {
  readonly #open: () => Promise<T>;
  #current: Promise<T> | undefined;
  #closed = false;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  /** Of several that ask for a session which is not there, the first one opens it. */
  async get(): Promise<T> {
    if (this.#closed) throw modelClosed();
    this.#current ??= this.#open();
    const attempt = this.#current;
    const forget = () => {
      if (this.#current === attempt) this.#current = undefined;
    };
    const session = await attempt.catch((error) => {
      forget();
      throw this.#closed ? modelClosed(error) : error;
    });
    if (session.alive) return session;
    forget();
    return this.get();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#current?.catch(() => undefined))?.close();
  }
}

async function openSessions({ graphs, config }: BuiltModel, device: Device, threads: number) {
  const options = { threads, providers: providersOf(device) };
  const vision = new Reopened(() => Session.open(graphs.vision, options));
  const decoder = new Reopened(() => DecoderSession.open(graphs.decoder, config.text, options));
  try {
    await Promise.all([vision.get(), decoder.get()]);
    return { vision, decoder };
  } catch (error) {
    await Promise.all([vision.close(), decoder.close()]);
    throw error;
  }
}

async function testDevice({ graphs, config, manifest }: BuiltModel, device: Device, threads: number): Promise<void> {
  const { selfTest, dtype } = manifest;
  const found = await runSelfTest(graphs, config, { threads, providers: providersOf(device) });
  if (selfTest) compareSelfTest(found, selfTest, dtype);
}
