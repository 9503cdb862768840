/** What the recogniser says step by step, as text: the best path of connectionist temporal classification (Graves et al. 2006, §3.2). */

export interface Steps {
  /** Classes of a step: class 0 is "nothing", the others are the characters in order. */
  readonly classes: number;
  /** `[steps, classes]`, probabilities. */
  readonly data: Float32Array;
}

export interface Reading {
  readonly text: string;
  /** Mean probability of the characters, 0..1; 0 for no text. Says which of two readings is surer, and is not calibrated. */
  readonly score: number;
}

/** The likeliest class of each step; repeats are one character, "nothing" is left out. */
export function readSteps({ classes, data }: Steps, characters: readonly string[]): Reading {
  let text = '';
  let sum = 0;
  let count = 0;
  let previous = 0;
  for (let from = 0; from + classes <= data.length; from += classes) {
    let best = 0;
    let probability = data[from] ?? 0;
    for (let candidate = 1; candidate < classes; candidate++) {
      const value = data[from + candidate] ?? 0;
      if (value > probability) [best, probability] = [candidate, value];
    }
    if (best !== 0 && best !== previous) {
      text += characters[best - 1] ?? '';
      sum += probability;
      count++;
    }
    previous = best;
  }
  return { text: cleanText(text), score: count === 0 ? 0 : sum / count };
}

/** One line without control characters, with single spaces. */
export function cleanText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}
