/** Which model compares pictures, and why there is none. A missing one is no error: the rest of the index is there all the same. */

import { openTowers } from './clip/embedder.js';
import { chooseTowers } from './clip/installed-towers.js';
import type { Config } from './config.js';
import { LongwatchError, toLongwatchError } from './errors.js';
import type { Layer } from './layers/layer.js';
import { PicturesLayer } from './layers/pictures/pictures.js';
import type { PictureEmbedder } from './meaning/picture-embedder.js';

export interface ChosenPictures {
  readonly embedder?: PictureEmbedder;
  /** Why there is none. */
  readonly missing?: string;
  /** With `missing`, where there is one and it is damaged. */
  readonly problem?: LongwatchError;
}

/**
 * The built model that the settings name, else the only one. Its weights are read when it is first asked.
 * @throws {LongwatchError} `not_found` for a name that is none; `bad_config` when there are several
 */
export async function openChosenPictures({ models, pictures, threads }: Config): Promise<ChosenPictures> {
  const chosen = await chooseTowers(models, pictures);
  if (typeof chosen === 'string') return { missing: chosen };
  if (chosen.state === 'damaged') return damaged(chosen.problem);
  const options = threads === undefined ? {} : { threads };
  try {
    return { embedder: await openTowers(chosen.name, chosen.directory, options) };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (error.code !== 'bad_weights') throw error;
    return damaged(error);
  }
}

/** The layer that gives pictures their points. @throws {LongwatchError} `part_missing` without a model, `bad_weights` for one that is damaged; as `openChosenPictures` */
export async function openPicturesLayer(config: Config): Promise<Layer> {
  const { embedder, missing = '', problem } = await openChosenPictures(config);
  if (!embedder) throw problem ?? new LongwatchError('part_missing', missing);
  return new PicturesLayer(embedder);
}

function damaged(problem: LongwatchError): ChosenPictures {
  const { message, hint } = problem;
  return { missing: `${message}${hint ? ` ${hint}` : ''}`, problem };
}
