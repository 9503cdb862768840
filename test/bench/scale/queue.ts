/** A queue in front of workers that may die: what waits, how long, and what is done twice. Event by event, from a seed. */

import type { Random } from '../../../fixtures/film/random.js';
import type { Seconds } from '../../../src/time.js';

/** Work that one worker does from its beginning to its end. */
export interface Work {
  readonly arrives: Seconds;
  readonly takes: Seconds;
}

export interface Pool {
  readonly workers: number;
  /** Mean time between two deaths of one worker. @default none dies */
  readonly deathEvery?: Seconds;
  /** How long a worker that died is away. @default 0 */
  readonly away?: Seconds;
  /** How long nobody may take up the work of a worker that died. @default 0 */
  readonly lease?: Seconds;
  /** Share of the work before a death that the next worker does again, 0..1. @default 1 */
  readonly again?: number;
}

export interface Outcome {
  /** From the arrival to the first second of work, of each piece that was begun, sorted. */
  readonly waits: readonly Seconds[];
  readonly deaths: number;
  /** Work that was done twice, as a share of all. */
  readonly redone: number;
  /** Share of the workers' time that was spent on work, up to the last end. */
  readonly busy: number;
  readonly longestQueue: number;
  /** When the last piece was done. */
  readonly end: Seconds;
}

interface Happening {
  readonly at: Seconds;
  readonly kind: 'arrival' | 'end' | 'death' | 'return' | 'released';
  readonly piece?: Piece;
}

interface Piece {
  readonly arrived: Seconds;
  left: Seconds;
  begun: boolean;
  started: Seconds;
}

/**
 * First come, first served. A death comes to a busy worker after an exponential time of work; its piece waits for the lease and then goes
 * before all others, as the oldest one.
 */
export function simulate(works: readonly Work[], pool: Pool, random: Random): Outcome {
  const { workers, deathEvery = Number.POSITIVE_INFINITY, away = 0, lease = 0, again = 1 } = pool;
  const agenda = new Heap();
  for (const { arrives, takes } of works)
    agenda.push({ at: arrives, kind: 'arrival', piece: { arrived: arrives, left: takes, begun: false, started: 0 } });
  const waiting: Piece[] = [];
  let head = 0;
  const returned: Piece[] = [];
  const waits: Seconds[] = [];
  let free = workers;
  let deaths = 0;
  let worked = 0;
  let redone = 0;
  let longestQueue = 0;
  let now = 0;

  const start = () => {
    while (free > 0 && (returned.length > 0 || head < waiting.length)) {
      const piece = returned.shift() ?? (waiting[head++] as Piece);
      free--;
      if (!piece.begun) waits.push(now - piece.arrived);
      piece.begun = true;
      piece.started = now;
      const untilDeath = -Math.log(1 - random.next()) * deathEvery;
      if (untilDeath < piece.left) agenda.push({ at: now + untilDeath, kind: 'death', piece });
      else agenda.push({ at: now + piece.left, kind: 'end', piece });
    }
  };

  for (let next = agenda.pop(); next; next = agenda.pop()) {
    now = next.at;
    const { kind, piece } = next;
    if (kind === 'arrival' && piece) waiting.push(piece);
    else if (kind === 'released' && piece) returned.push(piece);
    else if (kind === 'return') free++;
    else if (kind === 'end' && piece) {
      worked += now - piece.started;
      free++;
    } else if (kind === 'death' && piece) {
      deaths++;
      const done = now - piece.started;
      worked += done;
      redone += done * again;
      piece.left -= done * (1 - again);
      agenda.push({ at: now + lease, kind: 'released', piece });
      agenda.push({ at: now + away, kind: 'return' });
    }
    longestQueue = Math.max(longestQueue, waiting.length - head + returned.length - free);
    start();
    if (head > 100_000) {
      waiting.splice(0, head);
      head = 0;
    }
  }
  return {
    waits: waits.sort((a, b) => a - b),
    deaths,
    redone: worked === 0 ? 0 : redone / worked,
    busy: now === 0 ? 0 : worked / (workers * now),
    longestQueue,
    end: now,
  };
}

/** Smallest time first; equal times in the order in which they were put in. */
class Heap {
  readonly #items: { readonly happening: Happening; readonly order: number }[] = [];
  #order = 0;

  push(happening: Happening): void {
    const items = this.#items;
    items.push({ happening, order: this.#order++ });
    for (let i = items.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  pop(): Happening | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (!first || !last) return undefined;
    if (items.length === 0) return first.happening;
    items[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < items.length && this.#before(left, least)) least = left;
      if (right < items.length && this.#before(right, least)) least = right;
      if (least === i) return first.happening;
      this.#swap(i, least);
      i = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#items[a], this.#items[b]];
    if (!one || !other) return false;
    return (
      one.happening.at - other.happening.at < 0 || (one.happening.at === other.happening.at && one.order < other.order)
    );
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    const one = items[a];
    const other = items[b];
    if (one && other) [items[a], items[b]] = [other, one];
  }
}
