/** Which vision-language model is asked, and why there is none. */

import type { ModelOverview } from '../api/ports.js';
import type { Backend } from './backend.js';
import { listTowers } from './clip/installed-towers.js';
import type { Config } from './config.js';
import { LongwatchError } from './errors.js';
import type { ModelNeeds } from './model.js';
import { findModel, type InstalledModel, listModels, scopeNotice } from './qwen/installed-models.js';
import { LocalBackend } from './qwen/local-backend.js';
import { PictureNeeds } from './qwen/picture-needs.js';
import { readPictureSettings } from './qwen/picture-settings.js';
import { QwenRuntime } from './qwen/runtime.js';
import { RemoteBackend } from './remote/remote-backend.js';

export interface ChosenModel {
  readonly backend?: Backend;
  /** The same where it runs on this machine, with the folder that it was built into. */
  readonly local?: { readonly backend: LocalBackend; readonly directory: string };
  /** The same where servers run it. */
  readonly remote?: RemoteBackend;
  /** Why there is none. */
  readonly missing?: string;
  /** What the reader should know, e.g. that it does not run on the device that was wanted. */
  readonly notice?: string;
}

/**
 * The server of the settings, else the built model that they name, else the only one that is built and not limited to some kind of pictures.
 * @throws {LongwatchError} `not_found` for a name that is none; `bad_weights`, `part_missing` or `model_failed` for a model that does not open
 */
export async function openChosenModel(config: Config): Promise<ChosenModel> {
  if (config.remote) {
    const backend = openRemote(config.remote);
    return { backend, remote: backend };
  }
  const installed = await installedModel(config);
  if (typeof installed === 'string') return { missing: installed };
  if (installed.state === 'damaged') throw installed.problem;
  const runtime = await QwenRuntime.open(installed.directory, {
    device: config.device,
    ...(config.threads === undefined ? {} : { threads: config.threads }),
  });
  const backend = new LocalBackend(installed.name, runtime);
  const local = { backend, directory: installed.directory };
  const notices = [scopeNotice(installed), runtime.notice].filter((notice) => notice !== undefined);
  return { backend, local, ...(notices.length > 0 ? { notice: notices.join(' ') } : {}) };
}

/**
 * What the plan of a video goes by, of the model that would be opened: no weights are loaded for it and no connection is opened.
 * @throws {LongwatchError} as `openChosenModel`
 */
export async function chosenNeeds(config: Config): Promise<ModelNeeds | undefined> {
  if (config.remote) return openRemote(config.remote);
  const installed = await installedModel(config);
  if (typeof installed === 'string') return undefined;
  if (installed.state === 'damaged') throw installed.problem;
  const pictures = await readPictureSettings(installed.directory);
  return new PlannedModel(installed.name, new PictureNeeds({ config: installed.config, pictures }));
}

class PlannedModel implements ModelNeeds {
  readonly #needs: PictureNeeds;

  constructor(
    readonly id: string,
    needs: PictureNeeds,
  ) {
    this.#needs = needs;
  }

  get frameRate() {
    return this.#needs.frameRate;
  }

  pictureSize(display: { readonly width: number; readonly height: number }) {
    return this.#needs.pictureSize(display);
  }

  tokensPerPair(size: { readonly width: number; readonly height: number }) {
    return this.#needs.tokensPerPair(size);
  }
}

/** Opens no connection. @throws {LongwatchError} `bad_config` */
export function openRemote({
  model,
  endpoints,
  frames,
  pictures,
  hedge,
}: NonNullable<Config['remote']>): RemoteBackend {
  return new RemoteBackend({
    id: model,
    endpoints: endpoints.map(({ url, key, ...others }) => ({
      ...others,
      baseUrl: url,
      ...(key === undefined ? {} : { apiKey: key }),
    })),
    ...(frames === undefined ? {} : { frames }),
    ...(pictures === undefined ? {} : { pictures }),
    ...(hedge === undefined ? {} : { hedge }),
  });
}

/** What there is and what would be used, without opening any of it. @param servers of the model, where servers run it */
export async function modelOverview(config: Config, servers: ModelOverview['servers'] = []): Promise<ModelOverview> {
  const [models, pictures] = await Promise.all([listModels(config.models), listTowers(config.models)]);
  if (config.remote) return { models, pictures, inUse: config.remote.model, servers };
  // A name that is none, or a choice that is not made, is told by whoever asks the model.
  const installed = await installedModel(config).catch(() => 'none');
  return typeof installed === 'string' ? { models, pictures } : { models, pictures, inUse: installed.name };
}

/** The model to open, or why there is none. */
export async function installedModel({ model, models }: Config): Promise<InstalledModel | string> {
  if (model === 'none') return 'The model is switched off in the settings.';
  if (model !== 'auto') return findModel(models, model);
  const built = await listModels(models);
  const [only, ...others] = built.filter((one) => one.state === 'damaged' || one.config.sees === undefined);
  if (!only) {
    const limited = built.find((one) => one.state === 'ready');
    return limited?.state === 'ready'
      ? `${limited.name} is not used unasked: it knows ${limited.config.sees}. LONGWATCH_MODEL=${limited.name} uses it, another one is built by: longwatch models add CHECKPOINT_DIR.`
      : `No model is built in ${models}. Build one: longwatch models add CHECKPOINT_DIR.`;
  }
  if (others.length === 0) return only;
  throw new LongwatchError('bad_config', `There are ${others.length + 1} models in ${models} and none is chosen.`, {
    hint: `Set LONGWATCH_MODEL to ${[only, ...others].map(({ name }) => name).join(' or ')}, or to none.`,
  });
}
