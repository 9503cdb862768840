/**
 * When each token was said, from where the decoder listened while it wrote it: the attention of a few heads that follow the sound, and the
 * cheapest monotonic path through it (the reference implementation's `find_alignment`; dynamic time warping: Sakoe and Chiba, 1978).
 */

/** Odd width of the median that smooths attention over time. */
const MEDIAN = 7;

/**
 * Letters: H heads, R rows (one a token, and one for the end of the text), C columns of 20 ms.
 * @param attention `[H, R, C]`
 * @param columns how many of the columns hold sound
 * @returns column at which each row begins, rising; R numbers
 */
export function alignTokens(attention: readonly (readonly Float32Array[])[], columns: number): number[] {
  const rows = attention[0]?.length ?? 0;
  const cost = Array.from({ length: rows }, () => new Float64Array(columns));
  for (const head of attention) {
    const smooth = standardize(head.map((row) => row.subarray(0, columns))).map(medianFilter);
    for (const [row, values] of smooth.entries())
      for (let column = 0; column < columns; column++)
        (cost[row] as Float64Array)[column] = (cost[row]?.[column] ?? 0) - (values[column] ?? 0) / attention.length;
  }
  return rowStarts(cost, columns);
}

/** Each column by its mean and deviation over the rows, so that what all tokens listen to counts for none. */
function standardize(rows: readonly Float32Array[]): Float64Array[] {
  const columns = rows[0]?.length ?? 0;
  const out = rows.map(() => new Float64Array(columns));
  for (let column = 0; column < columns; column++) {
    let [sum, squares] = [0, 0];
    for (const row of rows) sum += row[column] ?? 0;
    const mean = sum / rows.length;
    for (const row of rows) squares += ((row[column] ?? 0) - mean) ** 2;
    const deviation = Math.sqrt(squares / rows.length);
    for (const [index, row] of rows.entries())
      (out[index] as Float64Array)[column] = deviation > 0 ? ((row[column] ?? 0) - mean) / deviation : 0;
  }
  return out;
}

function medianFilter(values: Float64Array): Float64Array {
  const half = (MEDIAN - 1) / 2;
  const last = values.length - 1;
  // Mirrored at both ends.
  const at = (index: number) =>
    values[Math.max(0, Math.min(last, index < 0 ? -index : index > last ? 2 * last - index : index))];
  return values.map((_, index) => {
    const window = Array.from({ length: MEDIAN }, (_, offset) => at(index + offset - half) ?? 0).sort((a, b) => a - b);
    return window[half] ?? 0;
  });
}

/** The cheapest path from the first row and column to the last ones by steps down, right and both; where it enters each row. */
function rowStarts(cost: readonly Float64Array[], columns: number): number[] {
  const rows = cost.length;
  if (rows === 0 || columns === 0) return Array.from({ length: rows }, () => 0);
  const width = columns + 1;
  const total = new Float64Array((rows + 1) * width).fill(Infinity);
  /** 0 from both, 1 from the row before, 2 from the column before. */
  const step = new Uint8Array((rows + 1) * width);
  total[0] = 0;
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++) {
      const place = row * width + column;
      const both = total[place - width - 1] ?? Infinity;
      const down = total[place - width] ?? Infinity;
      const right = total[place - 1] ?? Infinity;
      const best = both < down && both < right ? 0 : down < both && down < right ? 1 : 2;
      step[place] = best;
      total[place] = (cost[row - 1]?.[column - 1] ?? 0) + Math.min(both, down, right);
    }
  }
  const starts = Array.from({ length: rows }, () => 0);
  for (let [row, column] = [rows, columns]; row > 0 && column > 0; ) {
    starts[row - 1] = column - 1;
    const from = step[row * width + column];
    if (from !== 2) row--;
    if (from !== 1) column--;
  }
  return starts;
}
