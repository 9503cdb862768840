/** How alike two readings are, and whether one is the other with another number in it. */

/** 1 for the same letters, 0 for nothing in common: 1 − edits / length of the longer one. Case and spaces do not count. */
export function textSimilarity(a: string, b: string): number {
  const [left, right] = [bare(a), bare(b)];
  const longer = Math.max(left.length, right.length);
  return longer === 0 ? 1 : 1 - edits(left, right) / longer;
}

function bare(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, '');
}

/** Insertions, deletions and replacements from one text to the other (Levenshtein 1966). */
export function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The text with every run of digits and of the signs between them as one `#`: the same for 12:34 and 9:05. Undefined without a digit. */
export function numberMask(text: string): string | undefined {
  return /\d/.test(text) ? bare(text).replaceAll(/\d+(?:[.,:;/-]\d+)*/g, '#') : undefined;
}

/** Whether both are one text but for its numbers, and the numbers differ. */
export function differsInNumbers(a: string, b: string): boolean {
  const mask = numberMask(a);
  return mask !== undefined && mask === numberMask(b) && bare(a) !== bare(b);
}

/** Longest text that stands in both, with its place in each. */
export function sharedText(
  a: string,
  b: string,
): { readonly length: number; readonly inA: number; readonly inB: number } {
  let best = { length: 0, inA: 0, inB: 0 };
  let row = new Array<number>(b.length + 1).fill(0);
  for (let i = 1; i <= a.length; i++) {
    const next = [0];
    for (let j = 1; j <= b.length; j++) {
      const length = a[i - 1] === b[j - 1] ? (row[j - 1] ?? 0) + 1 : 0;
      next.push(length);
      if (length > best.length) best = { length, inA: i - length, inB: j - length };
    }
    row = next;
  }
  return best;
}
