/** A built CLIP or SigLIP model as a `PictureEmbedder`. Each tower is loaded when it is first needed: an ingest needs no texts, a question no pictures. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { LongwatchError } from '../errors.js';
import type { PictureEmbedder, PictureScale, RgbPicture } from '../meaning/picture-embedder.js';
import { Session, type Tensors } from '../onnx/session.js';
import { trustFiles } from '../qwen/built-model.js';
import { LICENCE_FILES } from '../qwen/licence.js';
import type { PictureSize } from '../qwen/smart-resize.js';
import { readTowersConfig } from './checkpoint.js';
import type { TowersConfig } from './config.js';
import { PICTURES_FILE, readTowersManifest, TEXTS_FILE, type TowersManifest } from './manifest.js';
import { type PictureInput, pixelsOf, readPictureInput, resizedSize } from './picture-input.js';
import { TextInput } from './text-input.js';

export interface TowersOptions {
  /** Threads of the runtime, 1 or more. @default half the cores, at least 1 and at most 4 */
  readonly threads?: number;
}

/** Raised when the same picture or text gives another vector, e.g. because it is resized in another way. */
const INPUT_VERSION = 1;
/** Pictures or texts of one run: beyond a few, more only take memory. */
const MAX_BATCH = 8;

/**
 * Opens a built folder: checks its files, the first time after a build by their hashes, and reads what is small.
 * @param name of the model, for people
 * @throws {LongwatchError} `not_found` for no picture model; `bad_weights` when a file is not as built
 */
export async function openTowers(
  name: string,
  directory: string,
  options: TowersOptions = {},
): Promise<PictureEmbedder> {
  const manifest = await readTowersManifest(directory);
  if (!manifest) throw new LongwatchError('not_found', `${directory} holds no picture model.`, { path: directory });
  await trustFiles(directory, manifest.files);
  const config = await readTowersConfig(directory);
  const input = await readPictureInput(directory, config.pictures.imageSize);
  const texts = await TextInput.open(directory, config);
  const tower = (file: string) => new Tower(path.join(directory, file), options.threads);
  return new Towers(name, manifest, config, input, texts, tower(PICTURES_FILE), tower(TEXTS_FILE));
}

/** Two builds of one checkpoint in one form lie in one space, wherever and whenever they were built. */
function idOf({ architecture, dtype, source }: TowersManifest): string {
  const parts = source.filter(({ name }) => !LICENCE_FILES.some((licence) => licence === name));
  const content = JSON.stringify([INPUT_VERSION, dtype, ...parts.map(({ name, sha256 }) => [name, sha256])]);
  return `${architecture}-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
}

class Towers implements PictureEmbedder {
  readonly id: string;
  readonly dim: number;
  readonly scale: PictureScale;

  constructor(
    readonly name: string,
    manifest: TowersManifest,
    private readonly config: TowersConfig,
    private readonly input: PictureInput,
    private readonly tokens: TextInput,
    private readonly pictures: Tower,
    private readonly texts: Tower,
  ) {
    this.id = idOf(manifest);
    this.dim = manifest.dim;
    this.scale = manifest.scale;
  }

  pictureSize(shown: PictureSize): PictureSize {
    return resizedSize(this.input, shown);
  }

  async embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#inBatches(texts, (batch) => {
      const rows = batch.map((text) => this.tokens.encode(text));
      const length = Math.max(...rows.map(({ ids }) => ids.length));
      // What stands behind the end of a text changes nothing, so any token pads it.
      const ids = new Int32Array(rows.length * length);
      for (const [row, { ids: own }] of rows.entries()) ids.set(own, row * length);
      const ends = BigInt64Array.from(rows, ({ end }) => BigInt(end));
      const feeds: Tensors = {
        input_ids: { type: 'int32', shape: [rows.length, length], data: ids },
        ends: { type: 'int64', shape: [rows.length], data: ends },
      };
      return this.#vectors(this.texts, feeds, rows.length, signal);
    });
  }

  async embedPictures(pictures: readonly RgbPicture[], signal?: AbortSignal): Promise<Float32Array[]> {
    const { imageSize: side } = this.config.pictures;
    return this.#inBatches(pictures, (batch) => {
      const data = new Float32Array(batch.length * 3 * side * side);
      for (const [i, picture] of batch.entries()) data.set(pixelsOf(this.input, picture), i * 3 * side * side);
      const pixels = { type: 'float32', shape: [batch.length, 3, side, side], data } as const;
      return this.#vectors(this.pictures, { pixels }, batch.length, signal);
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.pictures.close(), this.texts.close()]);
  }

  async #inBatches<T>(
    all: readonly T[],
    embed: (batch: readonly T[]) => Promise<Float32Array[]>,
  ): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (let from = 0; from < all.length; from += MAX_BATCH)
      vectors.push(...(await embed(all.slice(from, from + MAX_BATCH))));
    return vectors;
  }

  async #vectors(
    tower: Tower,
    feeds: Tensors,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const { dim } = this;
    const embedding = (await tower.run(feeds, signal))['embedding'];
    if (embedding?.type !== 'float32' || embedding.data.length !== count * dim)
      throw new LongwatchError('model_failed', 'The model answered with a tensor of another shape.');
    if (!embedding.data.every(Number.isFinite))
      throw new LongwatchError('model_failed', 'The model computes numbers that are infinite or not numbers.', {
        hint: 'Build it as fp32; if it stays, the checkpoint is damaged.',
      });
    return Array.from({ length: count }, (_, row) => embedding.data.slice(row * dim, (row + 1) * dim));
  }
}

/** A session that is opened when it is first needed, and anew when its thread has died: a call fails with the thread, the next one works. */
class Tower {
  #session: Promise<Session> | undefined;
  #closed = false;

  constructor(
    private readonly file: string,
    private readonly threads: number | undefined,
  ) {}

  async run(feeds: Tensors, signal: AbortSignal | undefined): Promise<Tensors> {
    const session = await this.#open(signal);
    return session.run(feeds, signal ? { signal } : {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    // An attempt to open that failed has left nothing to close.
    await this.#session?.then(
      (session) => session.close(),
      () => undefined,
    );
  }

  async #open(signal: AbortSignal | undefined): Promise<Session> {
    const known = this.#session;
    const session = await known?.catch(() => undefined);
    if (this.#closed) throw new LongwatchError('cancelled', 'The model was closed.');
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
    if (session?.alive) return session;
    // Of several calls that find none, the first opens and the others wait for it.
    if (this.#session === known)
      this.#session = Session.open(this.file, this.threads === undefined ? {} : { threads: this.threads });
    return (await this.#session) as Session;
  }
}
