/**
 * Average normalised Levenshtein similarity (Biten et al., "Scene Text Visual Question Answering", ICCV 2019), the metric of DocVQA: per
 * question 1 − distance / length of the longer text, of the answer that fits best; below 0.5 it counts as 0. Case and blanks at the
 * ends do not matter, and runs of blanks are one.
 */

const LEAST = 0.5;

/** One question, 0..1. */
export function levenshteinSimilarity(said: string, answers: readonly string[]): number {
  return Math.max(0, ...answers.map((answer) => similarity(plain(said), plain(answer))));
}

function plain(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}

function similarity(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const longer = Math.max(left.length, right.length);
  const score = longer === 0 ? 1 : 1 - distance(left, right) / longer;
  return score < LEAST ? 0 : score;
}

/** Fewest characters that are added, removed or replaced to make one text the other. */
export function distance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
