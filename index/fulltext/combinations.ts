/** Which of several lists each key is in: every list is walked through once, and keys of the same lists share a number. Pure. */

/** One list: the keys that something was found in, in rising order, and what it was found as. */
export interface Listed<T> {
  readonly keys: readonly number[];
  readonly found: T;
  /** Of lists of one group the first one that a key is in counts, the others say nothing new of it. */
  readonly group: number;
}

/** Keys that are in the same lists. */
export interface Combination<T> {
  /** What was found, in the order of the lists. */
  readonly found: readonly T[];
  /** In rising order. */
  readonly keys: readonly number[];
}

/** Keys may lie so far apart: 64 MB of places. Beyond, a map of the keys takes their part and ten times as long. */
const MOST_PLACES = 1 << 24;
/** The combination of no list. */
const NONE = 0;
/** A place for every key, kept for the next call: all are `NONE` between two calls. */
let places = new Uint32Array(0);

/** Every key of the lists, gathered by the lists that it is in. @param mostPlaces for tests */
export function combine<T>(lists: readonly Listed<T>[], mostPlaces = MOST_PLACES): Combination<T>[] {
  const first = Math.min(...lists.map(({ keys }) => keys[0] ?? Number.POSITIVE_INFINITY));
  const last = Math.max(...lists.map(({ keys }) => keys.at(-1) ?? Number.NEGATIVE_INFINITY));
  if (first > last) return [];
  return last - first < mostPlaces ? combineInPlaces(lists, first, last) : combineInMap(lists);
}

function combineInPlaces<T>(lists: readonly Listed<T>[], first: number, last: number): Combination<T>[] {
  const table = new Table(lists);
  if (places.length <= last - first) places = new Uint32Array(Math.ceil((last - first + 1) * 1.2));
  const combinations = places;
  lists.forEach(({ keys }, list) => {
    const next = table.next();
    for (let i = 0; i < keys.length; i++) {
      const place = (keys[i] as number) - first;
      const before = combinations[place] as number;
      combinations[place] = next[before] || table.become(before, list, next);
    }
  });
  // All keys of a combination are in the first of its lists, so they come in order.
  for (const { keys } of lists) {
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as number;
      const combination = combinations[key - first] as number;
      if (combination === NONE) continue;
      table.gather(key, combination);
      combinations[key - first] = NONE;
    }
  }
  return table.combinations();
}

function combineInMap<T>(lists: readonly Listed<T>[]): Combination<T>[] {
  const table = new Table(lists);
  const combinations = new Map<number, number>();
  lists.forEach(({ keys }, list) => {
    const next = table.next();
    for (const key of keys) {
      const before = combinations.get(key) ?? NONE;
      combinations.set(key, next[before] || table.become(before, list, next));
    }
  });
  for (const [key, combination] of [...combinations].sort(([a], [b]) => a - b)) table.gather(key, combination);
  return table.combinations();
}

/** The combinations that were met, each with a number. */
class Table<T> {
  readonly #lists: readonly Listed<T>[];
  /** Of each combination: the numbers of its lists. */
  readonly #members: (readonly number[])[] = [[]];
  readonly #keys: number[][] = [[]];

  constructor(lists: readonly Listed<T>[]) {
    this.#lists = lists;
  }

  /** Room to note what each combination becomes with a further list; 0 where that is not known yet. */
  next(): number[] {
    return this.#members.map(() => 0);
  }

  /** What a combination becomes with a further list. @param next where it is noted */
  become(combination: number, list: number, next: number[]): number {
    const own = this.#members[combination] ?? [];
    const same = own.some((other) => this.#lists[other]?.group === this.#lists[list]?.group);
    const found = same ? combination : this.#members.push([...own, list]) - 1;
    if (!same) this.#keys.push([]);
    next[combination] = found;
    return found;
  }

  gather(key: number, combination: number): void {
    (this.#keys[combination] as number[]).push(key);
  }

  combinations(): Combination<T>[] {
    return this.#keys.flatMap((keys, combination) => {
      const found = (this.#members[combination] ?? []).flatMap((list) => this.#lists[list]?.found ?? []);
      return keys.length === 0 ? [] : [{ found, keys }];
    });
  }
}
