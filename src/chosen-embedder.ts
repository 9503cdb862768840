/** Which embedder compares meanings, and why there is none. A missing one is no error: search works by words then. */

import { type ChosenModel, installedModel } from './chosen-model.js';
import type { Config } from './config.js';
import { type LongwatchError, toLongwatchError } from './errors.js';
import type { Embedder } from './meaning/embedder.js';
import { openMiniLm } from './meaning/minilm.js';
import { buildOf, openModelEmbedder, trainedModelEmbedder } from './meaning/model-embedder.js';

export interface ChosenEmbedder {
  readonly embedder?: Embedder;
  /** Why there is none. */
  readonly missing?: string;
}

/** What is not installed or cannot be used; everything else is a failure. */
const ABSENT: ReadonlySet<string> = new Set(['part_missing', 'bad_weights']);

/**
 * The states of the chosen model where it was trained to compare what it writes. Else MiniLM where it is installed: small, quick and measured.
 * Where it is not, the built model's own states; a model on a server has none to give.
 * @param model opened only when it is needed
 * @throws {LongwatchError} what is no absence, e.g. `model_failed` for want of memory
 */
export async function openChosenEmbedder(
  config: Config,
  model: () => Promise<ChosenModel>,
  openOwn: (options: { readonly threads?: number }) => Promise<Embedder> = openMiniLm,
): Promise<ChosenEmbedder> {
  if (!config.meaning) return { missing: 'Search by meaning is switched off in the settings.' };
  const trained = await trainedEmbedder(config, model);
  if (trained) return { embedder: trained };
  try {
    return { embedder: await openOwn(config.threads === undefined ? {} : { threads: config.threads }) };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (!ABSENT.has(error.code)) throw error;
    const missing = sentenceOf(error);
    // Damaged weights are to be mended, not to be worked around.
    if (error.code !== 'part_missing') return { missing };
    return fromModel(model, missing);
  }
}

/** Undefined too where the model does not open: whoever asks it for an answer is told why. */
async function trainedEmbedder(config: Config, model: () => Promise<ChosenModel>): Promise<Embedder | undefined> {
  const installed = config.remote ? undefined : await installedModel(config).catch(() => undefined);
  if (installed === undefined || typeof installed === 'string' || installed.state === 'damaged') return undefined;
  const { meaning } = installed.config;
  if (!meaning) return undefined;
  const { local } = await model().catch(() => ({ local: undefined }));
  return local && trainedModelEmbedder(local.backend, await buildOf(local.directory), meaning);
}

async function fromModel(model: () => Promise<ChosenModel>, missing: string): Promise<ChosenEmbedder> {
  try {
    const { local } = await model();
    return local ? { embedder: await openModelEmbedder(local.backend, local.directory) } : { missing };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    return { missing: `${missing} The model cannot stand in: ${sentenceOf(error)}` };
  }
}

function sentenceOf({ message, hint }: LongwatchError): string {
  return `${message}${hint ? ` ${hint}` : ''}`;
}
