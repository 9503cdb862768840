/** What pictures a checkpoint wants: known from its settings, before its weights are loaded. */

import type { QwenConfig } from './config.js';
import type { PictureSettings } from './picture-settings.js';
import { fitBudget } from './token-budget.js';

/** Most visual tokens of one pair of frames, unless something else is said. */
const DEFAULT_TOKENS_PER_PAIR = 256;

export class PictureNeeds {
  readonly #vision: QwenConfig['vision'];
  readonly #pictures: PictureSettings;
  readonly #tokensPerPair: number;

  constructor(
    { config, pictures }: { readonly config: QwenConfig; readonly pictures: PictureSettings },
    tokensPerPair: number = DEFAULT_TOKENS_PER_PAIR,
  ) {
    this.#vision = config.vision;
    this.#pictures = pictures;
    this.#tokensPerPair = tokensPerPair;
  }

  pictureSize(display: { readonly width: number; readonly height: number }) {
    const side = this.#vision.patchSize * this.#vision.spatialMergeSize;
    const trained = Math.max(1, Math.floor((this.#pictures.maxPixels ?? Number.POSITIVE_INFINITY) / side ** 2));
    const tokens = Math.min(this.#tokensPerPair, trained);
    const minTokensPerPair = Math.min(128, tokens);
    const { width, height } = fitBudget(display, 1, { tokens, minTokensPerPair }, this.#vision);
    return { width, height };
  }

  get frameRate(): number | undefined {
    return this.#pictures.frameRate;
  }

  tokensPerPair({ width, height }: { readonly width: number; readonly height: number }): number {
    const { patchSize, spatialMergeSize } = this.#vision;
    return (width * height) / (patchSize * spatialMergeSize) ** 2;
  }
}
