/**
 * Meaning space of the language model itself, for where no embedder of its own is installed.
 *
 * The vector of a text is the state after the last norm of the last token of a prompt that asks for the text in one word. To say that
 * one word the model has to gather the whole meaning in that state, so it compares better than the mean over tokens, whose states each
 * want to say the next word of the text: Jiang et al. 2023, arXiv:2307.16645, and, for models that also see, with this prompt, Jiang
 * et al. 2024, arXiv:2407.12580; asked the same about frames, the model lays them beside texts. No training is needed. What the cosines say differs from model to model and is found out (`calibrate`).
 */

import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Picture } from '../../ingest/video/frame.js';
import type { PromptPart } from '../backend.js';
import { LongwatchError } from '../errors.js';
import { cleanText } from '../tasks/words.js';
import { CALIBRATION_VERSION, calibrate } from './calibration.js';
import type { Embedder, FrameEmbedder, SimilarityScale } from './embedder.js';

/** A model that gives its state instead of an answer. */
export interface StateReader {
  /** Name of the model. */
  readonly id: string;
  /** Length of a state. */
  readonly stateSize: number;
  /**
   * The state after the last norm of the last token of each prompt, in order: what the model would begin its answer from.
   * @throws {LongwatchError} as `Backend.ask`
   */
  states(prompts: readonly (readonly PromptPart[])[], signal?: AbortSignal): Promise<Float32Array[]>;
}

/** Raised when the prompt changes: vectors of other prompts lie elsewhere. */
const PROMPT_VERSION = 1;
/** The same for the prompt about frames. */
const FRAMES_VERSION = 1;
/** Pairs of a window that are looked at: reading more costs what it costs to describe them. */
const MOST_PAIRS = 2;
/** Longest text in code points; captions have at most 600. */
const MAX_TEXT = 1000;
/** In the model's folder: what its cosines say, so that it is found out once for a build. */
const SCALE_FILE = 'meaning.json';

/**
 * The embedder of a model that was trained to compare the sentences that it writes.
 * @param build as `buildOf` gives it; part of the embedder's id
 * @param scale as it was measured when the model was trained
 */
export function trainedModelEmbedder(
  model: StateReader,
  build: string,
  scale: Omit<SimilarityScale, 'knows'>,
): Embedder {
  return new ModelEmbedder(model, idOf(model, build), { ...scale, knows: 'model' });
}

/** What tells two builds of one name apart, which are two spaces: hex. @throws the file system's error where the folder has no manifest */
export async function buildOf(directory: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path.join(directory, 'manifest.json')))
    .digest('hex');
}

function idOf(model: StateReader, build: string): string {
  return `${model.id}-state-${PROMPT_VERSION}-${build.slice(0, 8)}`;
}

/**
 * @param directory Folder of the built model, where the scale is kept. In one that cannot be written it is found out every time, which takes
 * as long as reading two thousand tokens.
 * @throws {LongwatchError} as `StateReader.states`
 */
export async function openModelEmbedder(
  model: StateReader,
  directory: string,
  signal?: AbortSignal,
): Promise<Embedder> {
  const build = await buildOf(directory);
  const key = `${PROMPT_VERSION}.${CALIBRATION_VERSION}.${build}`;
  const embedder = new ModelEmbedder(model, idOf(model, build));
  const file = path.join(directory, SCALE_FILE);
  const known = await readScale(file, key);
  if (known) return embedder.withScale(known.scale);
  const scale = await calibrate(embedder, signal);
  await writeScale(file, { key, scale: scale ?? null });
  return embedder.withScale(scale);
}

class ModelEmbedder implements Embedder {
  readonly dim: number;
  readonly frames: FrameEmbedder;
  #closed = false;

  constructor(
    private readonly model: StateReader,
    readonly id: string,
    readonly scale: SimilarityScale | undefined = undefined,
  ) {
    this.dim = model.stateSize;
    this.frames = {
      id: `${id}-frames-${FRAMES_VERSION}`,
      embed: (windows, signal) => this.#embed(windows.map(framesPromptOf), signal),
    };
  }

  withScale(scale: SimilarityScale | undefined): ModelEmbedder {
    return new ModelEmbedder(this.model, this.id, scale);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#embed(texts.map(promptOf), signal);
  }

  /** The model belongs to whoever opened it. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  async #embed(prompts: readonly (readonly PromptPart[])[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    if (this.#closed) throw new LongwatchError('cancelled', 'The embedder was closed.');
    const states = await this.model.states(prompts, signal);
    return states.map(normalized);
  }
}

function promptOf(text: string): readonly PromptPart[] {
  return [
    { kind: 'text', text: `${JSON.stringify(cleanText(text, MAX_TEXT))}\nSummary of the text above in one word:` },
  ];
}

function framesPromptOf(pictures: readonly Picture[]): readonly PromptPart[] {
  const shown = spreadPairs(pictures);
  const begin = shown[0]?.time ?? 0;
  return [
    // As a clip of its own: what is seen does not depend on when.
    { kind: 'video', pictures: shown.map((picture) => ({ ...picture, time: picture.time - begin })), timeZero: 0 },
    { kind: 'text', text: '\nSummary of the video above in one word:' },
  ];
}

/** All pairs, or as many as are looked at, each from the middle of its part of the window. */
function spreadPairs(pictures: readonly Picture[]): readonly Picture[] {
  const pairs = Math.floor(pictures.length / 2);
  if (pairs <= MOST_PAIRS) return pictures;
  return Array.from({ length: MOST_PAIRS }, (_, part) => Math.floor(((part + 0.5) * pairs) / MOST_PAIRS)).flatMap(
    (pair) => pictures.slice(2 * pair, 2 * pair + 2),
  );
}

function normalized(state: Float32Array): Float32Array {
  const norm = Math.hypot(...state);
  if (norm > 0 && Number.isFinite(norm)) return state.map((value) => value / norm);
  throw new LongwatchError('model_failed', 'The model gave a state that is no direction.', {
    hint: 'Run `longwatch models verify NAME`.',
  });
}

/** `scale` is null when the model was found not to tell answers from other lines. */
interface StoredScale {
  readonly key: string;
  readonly scale: SimilarityScale | null;
}

/** Undefined when there is none, or one of another build, prompt or rule. */
async function readScale(
  file: string,
  key: string,
): Promise<{ readonly scale: SimilarityScale | undefined } | undefined> {
  try {
    const stored = JSON.parse(await readFile(file, 'utf8')) as StoredScale;
    if (stored.key !== key) return undefined;
    if (stored.scale === null) return { scale: undefined };
    const { unrelated, match, same } = stored.scale;
    return -1 <= unrelated && unrelated < match && match < same && same <= 1.001 ? { scale: stored.scale } : undefined;
  } catch {
    return undefined;
  }
}

async function writeScale(file: string, stored: StoredScale): Promise<void> {
  const draft = `${file}.tmp-${process.pid}`;
  try {
    await writeFile(draft, `${JSON.stringify(stored)}\n`);
    await rename(draft, file);
  } catch {
    // Found out again next time.
  }
}
