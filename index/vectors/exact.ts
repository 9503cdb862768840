/** Exact search over a copy of all vectors in memory. Nothing of it is on disk, so nothing of it can be damaged. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SearchScope } from '../library.js';
import { dot, Nearest } from './vector.js';
import type { Neighbour, VectorIndex, VectorRow, VectorSource } from './vector-index.js';

/** Rows between two turns of the event loop while the copy is filled: about 10 ms of reading at 384 dimensions. */
const BATCH_ROWS = 4000;
const FIRST_CAPACITY = 1024;

type Place = Omit<VectorRow, 'vector'>;

export class ExactIndex implements VectorIndex {
  readonly kind = 'exact';
  readonly #source: VectorSource;
  /** Vector of slot `s` at `s * dim`. Slots are dense: a deleted one is filled with the last. */
  #vectors: Float32Array;
  readonly #places: Place[] = [];
  #generation = -1;
  #lastId = 0;
  #refreshing: Promise<void> | undefined;

  constructor(source: VectorSource) {
    this.#source = source;
    this.#vectors = new Float32Array(FIRST_CAPACITY * source.dim);
  }

  async search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]> {
    while ((await this.#source.generation()) !== this.#generation) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    const nearest = new Nearest(limit);
    const inScope = scope && placeFilter(scope);
    this.#places.forEach((place, slot) => {
      if (inScope?.(place) ?? true) nearest.offer(place.id, dot(query, this.#vectors, slot * this.#source.dim));
    });
    return nearest.toArray();
  }

  /** Adds what is new, a batch a turn; what the last batch is compared with is of the same moment. */
  async #refresh(): Promise<void> {
    while (!(await this.#catchUp())) await nextTurn();
  }

  async #catchUp(): Promise<boolean> {
    const { rows, count, generation } = await this.#source.newer(this.#lastId, BATCH_ROWS);
    for (const row of rows) this.#add(row);
    if (rows.length === BATCH_ROWS) return false;
    // Every row that lived at that moment is in the copy now, so a surplus is exactly what was deleted.
    if (this.#places.length !== count) this.#drop(new Set(await this.#source.ids()));
    this.#generation = generation;
    return true;
  }

  #add({ vector, ...place }: VectorRow): void {
    const { dim } = this.#source;
    const slot = this.#places.length;
    if ((slot + 1) * dim > this.#vectors.length) {
      const larger = new Float32Array(this.#vectors.length * 2);
      larger.set(this.#vectors);
      this.#vectors = larger;
    }
    this.#vectors.set(vector, slot * dim);
    this.#places.push(place);
    this.#lastId = place.id;
  }

  #drop(living: ReadonlySet<number>): void {
    const { dim } = this.#source;
    for (let slot = this.#places.length - 1; slot >= 0; slot--) {
      if (living.has((this.#places[slot] as Place).id)) continue;
      const last = this.#places.pop() as Place;
      if (slot === this.#places.length) continue;
      this.#places[slot] = last;
      const from = this.#places.length * dim;
      this.#vectors.copyWithin(slot * dim, from, from + dim);
    }
  }
}

/** The same rule as the store's scope: overlap of half-open ranges, and an event without length is at its start. */
function placeFilter({ videoIds, range, sources }: SearchScope): (place: Place) => boolean {
  const videos = videoIds && new Set(videoIds);
  const allowed: ReadonlySet<string> | undefined = sources && new Set(sources);
  return ({ videoId, start, end, source }) =>
    (!videos || videos.has(videoId)) &&
    (!allowed || allowed.has(source)) &&
    (!range || (start < range.end && (end > range.start || start >= range.start)));
}
