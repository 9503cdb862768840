/** Single frames on request: remembered while they are fresh, made a few at a time. */

import type { VideoRecord } from '../index/store/records.js';
import type { Decoder, VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError } from '../src/errors.js';
import type { Seconds } from '../src/time.js';

export interface Still {
  readonly jpeg: Uint8Array;
  /** Media time of the frame that it shows. */
  readonly time: Seconds;
}

const DECODES_AT_ONCE = 2;
/** A page of search hits asks for that many at most; more means that something is wrong on the other side. */
const QUEUE_MAX = 256;
const CACHE_BYTES = 64 * 1024 * 1024;
const PROBES_MAX = 64;

export class StillMaker {
  readonly #probes = new Map<string, Promise<VideoProbe>>();
  /** In order of use, the least recent first. */
  readonly #stills = new Map<string, Promise<Still>>();
  readonly #sizes = new Map<string, number>();
  readonly #queue: (() => void)[] = [];
  #bytes = 0;
  #running = 0;

  constructor(private readonly decoder: Decoder) {}

  /**
   * The frame on screen at `time`.
   * @param width In pixels. @default the display width
   * @throws {LongwatchError} `overloaded` when too many wait, and what `Decoder.still` throws
   */
  still(video: VideoRecord, time: Seconds, width?: number): Promise<Still> {
    const key = `${video.sha256} ${time} ${width ?? ''}`;
    const known = this.#stills.get(key);
    if (known) {
      this.#stills.delete(key);
      this.#stills.set(key, known);
      return known;
    }
    const made = this.#inTurn(() => this.#make(video, time, width));
    this.#stills.set(key, made);
    made.then(
      (still) => this.#remember(key, still),
      () => this.#stills.delete(key),
    );
    return made;
  }

  async #make(video: VideoRecord, time: Seconds, width: number | undefined): Promise<Still> {
    const probe = await this.#probe(video);
    return this.decoder.still(video.path, probe, { time, firstFrameTime: video.firstFrameTime }, width);
  }

  #probe(video: VideoRecord): Promise<VideoProbe> {
    const key = `${video.sha256} ${video.path}`;
    const known = this.#probes.get(key);
    if (known) return known;
    const probe = this.decoder.probe(video.path);
    this.#probes.set(key, probe);
    probe.catch(() => this.#probes.delete(key));
    const [oldest] = this.#probes.keys();
    if (this.#probes.size > PROBES_MAX && oldest !== undefined) this.#probes.delete(oldest);
    return probe;
  }

  #remember(key: string, still: Still): void {
    this.#bytes += still.jpeg.byteLength;
    this.#sizes.set(key, still.jpeg.byteLength);
    for (const oldest of this.#stills.keys()) {
      if (this.#bytes <= CACHE_BYTES) break;
      const size = this.#sizes.get(oldest);
      // One that is still being made has no size yet and stays.
      if (size === undefined) continue;
      this.#stills.delete(oldest);
      this.#sizes.delete(oldest);
      this.#bytes -= size;
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= DECODES_AT_ONCE) {
      if (this.#queue.length >= QUEUE_MAX)
        throw new LongwatchError('overloaded', 'Too many frames are being made at once.', { hint: 'Try again soon.' });
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      // The place is handed on, so `#running` falls only when nobody waits.
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
