/** How much is read from a video. */

import type { LayerName } from './layer-name.js';

/** Each reads all that those before it read. */
export const PROFILE_NAMES = ['fast', 'standard', 'thorough'] as const;
export type Profile = (typeof PROFILE_NAMES)[number];

/**
 * Layers of their own pass that each profile runs; `pictures` needs a checkpoint that the user has. `thorough` runs those of `standard`, and looks
 * closer (`src/parts.ts`).
 */
export const PROFILES: Readonly<Record<Profile, readonly LayerName[]>> = {
  fast: ['sound'],
  standard: ['sound', 'speech', 'text', 'pictures'],
  thorough: ['sound', 'speech', 'text', 'pictures'],
};

/** The one of two that reads more; undefined when neither is named. */
export function higherProfile(a: Profile | undefined, b: Profile | undefined): Profile | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return PROFILE_NAMES.indexOf(a) >= PROFILE_NAMES.indexOf(b) ? a : b;
}
