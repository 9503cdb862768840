/** How many tokens a question will be for a server, guessed from what it said about earlier ones. */

import { estimateTokens } from '../tasks/words.js';
import type { MessageContent } from './frames.js';

/** Of the chat template around a question. */
const TEMPLATE_TOKENS = 32;
/** Around every picture: where it begins and ends. */
const PICTURE_MARKS = 2;
/** Answers that the guess rests on, the latest. */
const REMEMBERED = 20;

/** What a question is made of, as far as it can be counted without the server's tokenizer. */
export interface PromptParts {
  readonly textTokens: number;
  /** Of pictures, as this model family counts them (28 × 28 pixels each, a video's by the pair). */
  readonly pictureTokens: number;
}

/** @param pictureTokens of all pictures, without the marks around each */
export function promptParts(system: string | undefined, content: MessageContent, pictureTokens: number): PromptParts {
  const texts = content.parts.map((part) => (part.type === 'text' ? part.text : ''));
  const pictures = content.parts.filter((part) => part.type !== 'text').length;
  return {
    textTokens: TEMPLATE_TOKENS + estimateTokens([system ?? '', ...texts].join('\n')),
    pictureTokens: pictureTokens + PICTURE_MARKS * pictures,
  };
}

/**
 * Another family of models makes another number of tokens of a picture, and the guess of texts is rather too high. So nothing is said of a size
 * before the server has counted one question of the kind, with pictures or without; from then on it is the guess times the largest ratio that
 * was seen lately.
 */
export class PromptSize {
  readonly #ratios: Record<'words' | 'pictures', number[]> = { words: [], pictures: [] };

  /** @param counted what the server counted; 0 when it does not say */
  learn(parts: PromptParts, counted: number): void {
    if (counted <= 0) return;
    const kind = kindOf(parts);
    this.#ratios[kind] = [...this.#ratios[kind], counted / guess(parts)].slice(-REMEMBERED);
  }

  /** Undefined when nothing is known. */
  estimate(parts: PromptParts): number | undefined {
    const ratios = this.#ratios[kindOf(parts)];
    return ratios.length === 0 ? undefined : Math.ceil(guess(parts) * Math.max(...ratios));
  }
}

function kindOf({ pictureTokens }: PromptParts): 'words' | 'pictures' {
  return pictureTokens > 0 ? 'pictures' : 'words';
}

function guess({ textTokens, pictureTokens }: PromptParts): number {
  return textTokens + pictureTokens;
}
