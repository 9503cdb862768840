/** Resolution and frame rate as one budget: visual tokens per frame pair times pairs never exceed it. */

import { LongwatchError } from '../errors.js';
import type { VisionConfig } from './config.js';
import { type PictureSize, smartResize } from './smart-resize.js';

export interface TokenBudget {
  /** Visual tokens that a whole video (or window) may cost. */
  readonly tokens: number;
  /**
   * Fewest tokens that a pair should have: rather fewer pairs than smaller ones. Rounding may go one step below.
   * @default 128, as the reference
   */
  readonly minTokensPerPair?: number;
  /** Most tokens that a pair gets, however much is left. @default 768, as the reference */
  readonly maxTokensPerPair?: number;
  /**
   * `token`: sides are whole merged tokens (28 pixels), the sizes of the reference. `window`: sides are whole attention windows (112
   * pixels), so that no window is padded: up to a third less work, for a shape that is up to 56 pixels off.
   * @default 'token'
   */
  readonly sides?: 'token' | 'window';
}

export interface BudgetedVideo extends PictureSize {
  /** Frame pairs that fit; fewer than were wanted when the smallest pairs would exceed the budget. */
  readonly pairs: number;
  readonly tokensPerPair: number;
  /** `pairs × tokensPerPair`, at most the budget. */
  readonly tokens: number;
  /** The area that the size was chosen within. Rounding to whole steps may pass the lower one, in either direction. */
  readonly minPixels: number;
  readonly maxPixels: number;
}

const MIN_TOKENS_PER_PAIR = 128;
const MAX_TOKENS_PER_PAIR = 768;

/**
 * The size and the number of pairs for a video of this display size. Where the budget has room this is the reference's own choice
 * (its `max_pixels` is the budget's share of a pair, at most 768 tokens); where the reference would exceed its total, pairs are dropped.
 * @param pairs frame pairs that are wanted, at least 1
 * @throws {LongwatchError} `invalid_input` when not one pair fits the budget, or for a shape that `smartResize` refuses.
 */
export function fitBudget(
  display: PictureSize,
  pairs: number,
  budget: TokenBudget,
  vision: Pick<VisionConfig, 'patchSize' | 'spatialMergeSize' | 'windowSize'>,
): BudgetedVideo {
  const tokenSide = vision.patchSize * vision.spatialMergeSize;
  const factor = budget.sides === 'window' ? vision.windowSize : tokenSide;
  const pixelsPerToken = tokenSide ** 2;
  const tokensPerStep = factor ** 2 / pixelsPerToken;

  const leastTokens = Math.max(budget.minTokensPerPair ?? MIN_TOKENS_PER_PAIR, tokensPerStep);
  const mostTokens = Math.max(budget.maxTokensPerPair ?? MAX_TOKENS_PER_PAIR, leastTokens);
  const kept = Math.min(Math.max(1, pairs), Math.floor(budget.tokens / leastTokens));
  if (!(kept >= 1)) {
    throw new LongwatchError(
      'invalid_input',
      `A budget of ${budget.tokens} visual tokens holds no frame pair of ${leastTokens}.`,
      { hint: 'Raise the token budget or lower the fewest tokens of a pair.' },
    );
  }
  const share = budget.tokens / kept;
  const minPixels = leastTokens * pixelsPerToken;
  const maxPixels = Math.min(mostTokens, share) * pixelsPerToken;
  const size = shrinkInto(smartResize(display, { factor, minPixels, maxPixels }), factor, share * pixelsPerToken);
  const tokensPerPair = (size.width * size.height) / pixelsPerToken;
  return { ...size, pairs: kept, tokensPerPair, tokens: kept * tokensPerPair, minPixels, maxPixels };
}

/** Takes steps off the longer side until the area fits: rounding up to the lower area may have passed the upper one. */
function shrinkInto(size: PictureSize, factor: number, maxPixels: number): PictureSize {
  let { width, height } = size;
  while (width * height > maxPixels && Math.max(width, height) > factor) {
    if (width >= height) width -= factor;
    else height -= factor;
  }
  return { width, height };
}
