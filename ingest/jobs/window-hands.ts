/**
 * What a worker does beside its jobs: windows that wait for its model are claimed, a few at a time, shown to it and written, while other workers do the
 * same with others of the same video. A heartbeat holds them; who hears that they are lost lets go.
 */

import type { Awaitable } from '../../src/awaitable.js';
import { type LongwatchError, toLongwatchError, toStoredError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { backOff } from './back-off.js';
import { isGone } from './owner.js';
import type { ClaimedWindows, WindowClaims } from './window-claim.js';

/** What the model is, and what it does with claimed windows. */
export interface WindowModel {
  readonly id: string;
  /** Windows that are held at once, at most. */
  readonly most: number;
  /** Describes and writes them. @param goesOn whether another one is to be begun */
  describe(claimed: ClaimedWindows, signal: AbortSignal, goesOn: () => boolean): Promise<void>;
}

export interface WindowHandsOptions {
  readonly claims: WindowClaims;
  /** The same as in the leases of its jobs. */
  readonly owner: string;
  readonly lease: Milliseconds;
  /** How often they are held on to. At most a third of the lease. */
  readonly heartbeat: Milliseconds;
  /** How often the store is looked through for windows. @default LOOK_EVERY */
  readonly sweep?: Milliseconds;
  /** Asked for when windows wait; undefined where there is none. */
  readonly model: () => Promise<WindowModel | undefined>;
  /** Called when a claim has ended: with its last window a job may be at its end. */
  readonly onEnded: () => void;
}

const LOOK_EVERY: Milliseconds = 5_000;

export class WindowHands {
  readonly #options: WindowHandsOptions;
  readonly #claims = new Map<ClaimedWindows, { readonly abort: AbortController; readonly ended: Promise<void> }>();
  #sweeper: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<(claimed: ClaimedWindows) => void>();
  readonly #troubled = new Set<(error: LongwatchError) => void>();
  #isLooking = false;
  /** Asked for while it was looking. */
  #looksAgain = false;
  #stopped = false;

  constructor(options: WindowHandsOptions) {
    this.#options = options;
  }

  /** Takes windows up, now and from time to time. */
  start(): void {
    if (this.#stopped) return;
    this.#sweeper ??= setInterval(() => this.look(), this.#options.sweep ?? LOOK_EVERY).unref();
    this.look();
  }

  /** Looks for windows now, if it was started. */
  look(): void {
    if (this.#stopped || !this.#sweeper) return;
    this.#looksAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#looking = this.#lookWhileAsked().finally(() => {
      this.#isLooking = false;
    });
  }

  /** Hears what is taken up. Returns how to stop hearing. */
  subscribe(listener: (claimed: ClaimedWindows) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears why windows were let go of, and when the store cannot be read or written. Returns how to stop hearing. */
  onTrouble(listener: (error: LongwatchError) => void): () => void {
    this.#troubled.add(listener);
    return () => this.#troubled.delete(listener);
  }

  /** Takes no more windows, and waits until those that are with the model are written, no longer than `patience`. */
  async drain(patience: Milliseconds): Promise<void> {
    this.#stop();
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#ended(), enough]);
    clearTimeout(timer);
  }

  /** Takes no more windows, stops what runs and lets go of it. */
  async close(): Promise<void> {
    this.#stop();
    for (const { abort } of this.#claims.values()) abort.abort(CLOSING);
    await this.#ended();
  }

  #stop(): void {
    this.#stopped = true;
    clearInterval(this.#sweeper);
  }

  async #ended(): Promise<void> {
    await this.#looking;
    await Promise.all([...this.#claims.values()].map(({ ended }) => ended));
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#looksAgain) {
      this.#looksAgain = false;
      await this.#take();
    }
  }

  /** Claims until as many windows are held as the model takes, or none is left. */
  async #take(): Promise<void> {
    const { claims, owner, lease } = this.#options;
    const isEmpty = await this.#attempt(() => claims.isEmpty());
    const model = isEmpty === false ? await this.#attempt(this.#options.model) : undefined;
    if (!model) return;
    for (;;) {
      const held = [...this.#claims.keys()].reduce((sum, { indexes }) => sum + indexes.length, 0);
      if (this.#stopped || held >= model.most) return;
      const most = model.most - held;
      const claimed = await this.#attempt(() => claims.claim({ owner, lease, isGone, model: model.id, most }));
      if (!claimed) return;
      if (this.#stopped) {
        await this.#attempt(() => claims.leave(claimed.fence));
        return;
      }
      for (const listener of this.#listeners) listener(claimed);
      const abort = new AbortController();
      const ended = this.#run(model, claimed, abort).finally(() => {
        this.#claims.delete(claimed);
        this.look();
      });
      this.#claims.set(claimed, { abort, ended });
    }
  }

  async #run(model: WindowModel, claimed: ClaimedWindows, abort: AbortController): Promise<void> {
    const { claims, lease, heartbeat } = this.#options;
    const { fence } = claimed;
    let isAsking = false;
    const heart = setInterval(() => {
      if (isAsking) return;
      isAsking = true;
      void this.#attempt(() => claims.renew(fence, lease)).then((held) => {
        isAsking = false;
        // One that wrote its last window a moment ago holds none either; it has nothing left to stop.
        if (held === false) abort.abort(LOST);
      });
    }, heartbeat).unref();
    try {
      await model.describe(claimed, abort.signal, () => !this.#stopped);
    } catch (thrown) {
      const error = toLongwatchError(thrown);
      if (!abort.signal.aborted && error.code !== 'lease_lost') {
        this.#tellTrouble(error);
        await this.#attempt(() => claims.fail(fence, toStoredError(error), backOff));
      }
    } finally {
      clearInterval(heart);
    }
    await this.#attempt(() => claims.leave(fence));
    this.#options.onEnded();
  }

  /** The store may not be reached for a while; leases then end by themselves. */
  async #attempt<T>(act: () => Awaitable<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.#tellTrouble(toLongwatchError(error));
      return undefined;
    }
  }

  #tellTrouble(error: LongwatchError): void {
    for (const listener of this.#troubled) listener(error);
  }
}

/** Reasons of an abort: the process ends; another worker has the windows, or their job has ended. */
const CLOSING = Symbol('closing');
const LOST = Symbol('lost');
