/**
 * How many letters two words are apart: insertions, deletions, substitutions and swaps of neighbours, each one edit; a letter is moved once at most
 * (optimal string alignment). Row by row, so that words with a common beginning share the work. Pure.
 */

/** What is known after some letters of the other word. Cell `j`: edits between those letters and the first `j` of the word asked for. */
export interface EditRow {
  readonly cells: readonly number[];
  /** The least of them. It never falls from row to row: what is too far here stays too far. */
  readonly least: number;
  /** The letter that this row was made with; undefined before the first. */
  readonly letter?: string;
}

/** Before the first letter. @param word letters of the word asked for */
export function firstRow(word: readonly string[]): EditRow {
  return { cells: Array.from({ length: word.length + 1 }, (_, j) => j), least: 0 };
}

/** After one more letter. @param before the row before `row`, undefined when `row` is the first */
export function nextRow(word: readonly string[], letter: string, row: EditRow, before: EditRow | undefined): EditRow {
  const above = row.cells;
  const cells = [(above[0] ?? 0) + 1];
  for (let j = 1; j <= word.length; j++) {
    const same = word[j - 1] === letter ? 0 : 1;
    let edits = Math.min(at(above, j - 1) + same, at(above, j) + 1, at(cells, j - 1) + 1);
    if (before && j > 1 && word[j - 2] === letter && word[j - 1] === row.letter)
      edits = Math.min(edits, at(before.cells, j - 2) + 1);
    cells.push(edits);
  }
  return { cells, least: Math.min(...cells), letter };
}

function at(cells: readonly number[], index: number): number {
  return cells[index] ?? Number.POSITIVE_INFINITY;
}
