/**
 * The timeline's data as tiles: level 0 is the whole video, and each level halves the length of a tile. A tile has a fixed number of
 * parts, so what is drawn and what travels stays small at every zoom.
 */

import { ask } from './dom.js';

/** Parts of a tile. */
const PARTS = 256;
/** No tile is shorter, in seconds. */
const SHORTEST = 4;
const TILES_KEPT = 256;
const REQUESTS_AT_ONCE = 3;

export class Tiles {
  /** By `level/index`, the least recently used first. @type {Map<string, object>} */
  #tiles = new Map();
  /** Wanted and not asked for yet, the newest last. @type {string[]} */
  #wanted = [];
  #running = new Set();
  #closed = new AbortController();

  /** @param {() => void} onLoad called when a tile has come */
  constructor(videoId, duration, onLoad) {
    this.videoId = videoId;
    this.duration = duration;
    this.deepest = Math.max(0, Math.floor(Math.log2(duration / SHORTEST)));
    this.onLoad = onLoad;
  }

  /** The level whose parts are no wider than `seconds`, or the deepest. */
  levelFor(seconds) {
    const level = Math.ceil(Math.log2(this.duration / PARTS / seconds));
    return Math.min(this.deepest, Math.max(0, level));
  }

  /**
   * Tiles that cover a stretch at a level; where one has not come yet, the smallest one above it that has. Asks for what is missing.
   * @returns {{ data: object, start: number, end: number }[]} each with the part of the stretch that it is to be drawn in
   */
  cover(level, start, end) {
    const length = this.duration / 2 ** level;
    const last = 2 ** level - 1;
    const found = [];
    for (let index = Math.max(0, Math.floor(start / length)); index <= last && index * length < end; index++) {
      const data = this.#nearest(level, index);
      if (data) found.push({ data, start: index * length, end: (index + 1) * length });
    }
    return found;
  }

  /** The whole video; undefined until it has come. */
  whole() {
    return this.#nearest(0, 0);
  }

  close() {
    this.#closed.abort();
  }

  #nearest(level, index) {
    this.#want(`${level}/${index}`);
    for (let up = 0; up <= level; up++) {
      const key = `${level - up}/${index >> up}`;
      const tile = this.#tiles.get(key);
      if (tile) {
        this.#tiles.delete(key);
        this.#tiles.set(key, tile);
        return tile;
      }
    }
    return undefined;
  }

  #want(key) {
    if (this.#tiles.has(key) || this.#running.has(key)) return;
    this.#wanted = [...this.#wanted.filter((other) => other !== key), key].slice(-16);
    this.#next();
  }

  #next() {
    while (this.#running.size < REQUESTS_AT_ONCE && this.#wanted.length > 0) this.#load(this.#wanted.pop());
  }

  async #load(key) {
    this.#running.add(key);
    const [level, index] = key.split('/').map(Number);
    const length = this.duration / 2 ** level;
    const range = level === 0 ? '' : `&from=${(index * length).toFixed(6)}&to=${((index + 1) * length).toFixed(6)}`;
    try {
      const { signal } = this.#closed;
      const data = await ask(`/v1/videos/${this.videoId}/timeline?parts=${PARTS}${range}`, { signal });
      this.#tiles.set(key, data);
      for (const oldest of this.#tiles.keys()) {
        if (this.#tiles.size <= TILES_KEPT) break;
        if (oldest !== '0/0') this.#tiles.delete(oldest);
      }
      this.onLoad();
    } catch {
      // What is above it stays on screen; the next look asks again.
    } finally {
      this.#running.delete(key);
      if (!this.#closed.signal.aborted) this.#next();
    }
  }
}
