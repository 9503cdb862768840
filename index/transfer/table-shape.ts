/** Tables as the engines' catalogues describe them, and which of them go from one library to another. */

import { LongwatchError } from '../../src/errors.js';

export interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
  /** Columns by which rows are sorted, and no two are alike. */
  readonly key: readonly string[];
  /** Other tables that rows refer to. */
  readonly references: readonly string[];
}

export type Value = string | number | Uint8Array | null;
export type Row = Readonly<Record<string, Value>>;

/** What each engine makes itself: of other rows, or with its schema. */
const OF_THE_ENGINE = [
  ...[
    'schema_step',
    'event_kind',
    'event_source',
    'meta',
    'vector_index',
    'word',
    'video_words',
    'label',
    'video_extent',
    'worker',
  ],
  ...['event.words', 'event.word_count', 'embedder.rows', 'embedder.has_points'],
];
/** Tables of pgvector, one for each embedder. */
const POINTS = /^embedding_point_\d+(_\d+)?$/;

/**
 * The tables that both have, those before others that these refer to, with the columns that both have.
 * @throws {LongwatchError} `internal` when one has a table or a column that the other lacks and that no engine makes itself
 */
export function carriedTables(from: readonly TableShape[], to: readonly TableShape[]): TableShape[] {
  const carried = from.filter(({ name }) => isCarried(name));
  const others = new Map(to.filter(({ name }) => isCarried(name)).map((table) => [table.name, table]));
  const strangers = difference(
    [...others.keys()],
    carried.map(({ name }) => name),
  );
  const shapes = carried.map((table) => {
    const other = others.get(table.name);
    const own = table.columns.filter((column) => isCarried(`${table.name}.${column}`));
    const theirs = other?.columns.filter((column) => isCarried(`${table.name}.${column}`)) ?? [];
    strangers.push(...difference(own, theirs).map((column) => `${table.name}.${column}`));
    // In one order, whichever side it comes from.
    return { ...table, columns: own.toSorted(), references: table.references.filter(isCarried).toSorted() };
  });
  if (strangers.length > 0)
    throw new LongwatchError('internal', `The formats of the two libraries differ in ${strangers.join(', ')}.`);
  return inOrder(shapes);
}

function isCarried(name: string): boolean {
  return !OF_THE_ENGINE.includes(name) && !POINTS.test(name);
}

/** What is in one of the two lists only. */
function difference(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((name) => !b.includes(name)), ...b.filter((name) => !a.includes(name))];
}

/** What a new segment sets off must find nothing to work on: these come after it. */
const AFTER_SEGMENTS = ['watch', 'summary', 'window_attempt'];

/** What is referred to comes first. */
function inOrder(tables: readonly TableShape[]): TableShape[] {
  const placed = new Set<string>();
  const order: TableShape[] = [];
  const place = (table: TableShape) => {
    if (placed.has(table.name)) return;
    placed.add(table.name);
    for (const name of [...table.references, ...(AFTER_SEGMENTS.includes(table.name) ? ['segment'] : [])]) {
      const other = tables.find((candidate) => candidate.name === name);
      if (other) place(other);
    }
    order.push(table);
  };
  for (const table of tables) place(table);
  return order;
}
