/** Which layers read a video by themselves, and why others do not. A missing one is no error: the rest of the index is there all the same. */

import type { Config } from './config.js';
import { type LongwatchError, toLongwatchError } from './errors.js';
import { LAYER_NAMES, type LayerName } from './layer-name.js';
import type { Layer } from './layers/layer.js';
import { PROFILES } from './profile.js';

/** Why a layer does not run. */
export interface MissingLayer {
  /** For a person to read, with what to do. */
  readonly reason: string;
  /** Undefined where it was not wanted. */
  readonly error?: LongwatchError;
}

export interface ChosenLayers {
  /** In the order in which they run. */
  readonly layers: readonly Layer[];
  readonly missing: Readonly<Partial<Record<LayerName, MissingLayer>>>;
  /** Wanted, and left to another process. */
  readonly left: readonly LayerName[];
}

/** Opens one layer. @throws {LongwatchError} `part_missing` when what it needs is not installed */
export type LayerOpener = (config: Config) => Promise<Layer>;

/** What is not installed or cannot be used; everything else is a failure. */
const ABSENT: ReadonlySet<string> = new Set(['part_missing', 'bad_weights']);

/**
 * Opens the layers of the configured profile that are not switched off.
 * @param openers one per layer that this build knows
 * @param own those that this process reads; others are not opened, since others have them. @default all
 * @throws {LongwatchError} what is no absence, e.g. `model_failed` for want of memory; what was opened is closed again
 */
export async function openChosenLayers(
  config: Config,
  openers: Readonly<Partial<Record<LayerName, LayerOpener>>>,
  own: readonly LayerName[] = LAYER_NAMES,
): Promise<ChosenLayers> {
  const layers: Layer[] = [];
  const left: LayerName[] = [];
  const missing: Partial<Record<LayerName, MissingLayer>> = {};
  try {
    for (const name of LAYER_NAMES) {
      const open = openers[name];
      if (!open) continue;
      if (config.layers[name] === false) missing[name] = { reason: 'It is switched off in the settings.' };
      else if (config.layers[name] !== true && !PROFILES[config.profile].includes(name))
        missing[name] = { reason: `The profile "${config.profile}" leaves it out.` };
      else if (!own.includes(name)) left.push(name);
      else {
        try {
          layers.push(await open(config));
        } catch (thrown) {
          const error = toLongwatchError(thrown);
          if (!ABSENT.has(error.code)) throw error;
          missing[name] = { reason: `${error.message}${error.hint ? ` ${error.hint}` : ''}`, error };
        }
      }
    }
    return { layers, missing, left };
  } catch (error) {
    for (const layer of layers) await layer.close();
    throw error;
  }
}
