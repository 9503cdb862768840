/**
 * Where the events of a video lie, as the dense captions of ActivityNet (Krishna et al., ICCV 2017) are located: at an IoU threshold
 * (strictly above it), recall is the part of the true events that some found one covers, precision the part of the found ones that cover
 * some true one. It is no one-to-one pairing. Of several annotators the better one counts, for each of the two; the mean runs over videos.
 */

import { type TimeRange, temporalIoU } from '../../time.js';

export const LOCALISATION_THRESHOLDS = [0.3, 0.5, 0.7, 0.9] as const;

/** One video. Both are 0 where nothing was found. */
export function localisation(
  found: readonly TimeRange[],
  annotators: readonly (readonly TimeRange[])[],
  threshold: number,
): { readonly precision: number; readonly recall: number } {
  const part = (of: readonly TimeRange[], by: readonly TimeRange[]) =>
    of.length === 0
      ? 0
      : of.filter((one) => by.some((other) => temporalIoU(one, other) > threshold)).length / of.length;
  return {
    precision: Math.max(0, ...annotators.map((truth) => part(found, truth))),
    recall: Math.max(0, ...annotators.map((truth) => part(truth, found))),
  };
}
