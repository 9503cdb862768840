/**
 * The servers that questions go to. A question takes a place at the first server in its own order that has one free and may be asked; where none has,
 * it waits in line. Servers that are unwell are passed over while another is well.
 */

import type { Milliseconds } from '../time.js';
import type { Place, PoolMember } from './pool-member.js';
import { rendezvousOrder } from './rendezvous.js';
import type { Waiting } from './retry.js';

export interface PlaceRequest {
  /** Where its pictures may be known; see `beginningOf`. */
  readonly key: string;
  /** Servers that just failed it: asked when there is no other. */
  readonly avoid: ReadonlySet<PoolMember>;
  /** Servers that have room for it. */
  readonly fits: (member: PoolMember) => boolean;
}

/** Why there is no place and will be none in reasonable time; `until`: the earliest. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';

  constructor(readonly until: Milliseconds) {
    super('No server may be asked.');
  }
}

interface Waiter {
  readonly request: PlaceRequest;
  readonly resolve: (place: Place) => void;
  readonly reject: (error: unknown) => void;
}

export class EndpointPool {
  readonly #waiting: Waiting;
  readonly #longestWait: Milliseconds;
  #line: Waiter[] = [];
  #wake: AbortController | undefined;

  /** @param longestWait A place that is further away than this is none. */
  constructor(
    readonly members: readonly PoolMember[],
    waiting: Waiting,
    longestWait: Milliseconds,
  ) {
    this.#waiting = waiting;
    this.#longestWait = longestWait;
  }

  /** Most questions at once. */
  get concurrency(): number {
    return this.members.reduce((sum, member) => sum + member.concurrency, 0);
  }

  /**
   * Waits for a place, first come, first served. The place is given back through the pool.
   * @throws {NoPlace}; the signal's reason
   */
  async take(request: PlaceRequest, signal: AbortSignal): Promise<Place> {
    signal.throwIfAborted();
    return await new Promise<Place>((resolve, reject) => {
      const leave = () => signal.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        request,
        resolve: (place) => {
          leave();
          resolve(place);
        },
        reject: (error) => {
          leave();
          reject(error as Error);
        },
      };
      const onAbort = () => {
        this.#line = this.#line.filter((other) => other !== waiter);
        waiter.reject(signal.reason);
        this.serve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#line.push(waiter);
      this.serve();
    });
  }

  /** A place now at another server that is as good as any; undefined when there is none, or others wait for it. */
  takeOther(request: PlaceRequest, than: PoolMember): Place | undefined {
    if (this.#line.length > 0) return undefined;
    const now = this.#waiting.now();
    for (const member of this.#order(request)) {
      if (member === than || !member.healthy || member.circuit.state(now) !== 'closed') continue;
      const place = this.#placeAt(member);
      if (place) return place;
    }
    return undefined;
  }

  /** Whether a server may be asked now, busy or not, that is not among these. */
  hasOther(request: Pick<PlaceRequest, 'fits'>, than: ReadonlySet<PoolMember>): boolean {
    const now = this.#waiting.now();
    return this.members.some(
      (member) => !than.has(member) && member.healthy && request.fits(member) && member.askableAt(now) === 0,
    );
  }

  /** Gives places to who waits. Called whenever there may be one. */
  serve(): void {
    const left: Waiter[] = [];
    let soonest = Number.POSITIVE_INFINITY;
    for (const waiter of this.#line) {
      const place = this.#placeFor(waiter.request);
      if (place) {
        waiter.resolve(place);
        continue;
      }
      const blocked = this.#blockedUntil(waiter.request);
      const earliest = Math.min(...blocked);
      if (earliest - this.#waiting.now() > this.#longestWait) {
        waiter.reject(new NoPlace(earliest));
        continue;
      }
      soonest = Math.min(soonest, ...blocked.filter((at) => at > 0));
      left.push(waiter);
    }
    this.#line = left;
    this.#wakeAt(soonest);
  }

  close(): void {
    this.#wake?.abort();
  }

  #placeFor(request: PlaceRequest): Place | undefined {
    for (const member of this.#order(request)) {
      const place = this.#placeAt(member);
      if (place) return place;
    }
    return undefined;
  }

  #placeAt(member: PoolMember): Place | undefined {
    const place = member.take(this.#waiting.now);
    if (!place) return undefined;
    return {
      member,
      giveBack: (outcome) => {
        place.giveBack(outcome);
        this.serve();
      },
    };
  }

  /** Those that have room and are well, or all that have room; those to be avoided last. */
  #order({ key, avoid, fits }: PlaceRequest): PoolMember[] {
    const fitting = this.members.filter(fits);
    const well = fitting.filter(({ healthy }) => healthy);
    const ordered = rendezvousOrder(key, well.length > 0 ? well : fitting);
    return [...ordered.filter((member) => !avoid.has(member)), ...ordered.filter((member) => avoid.has(member))];
  }

  /** Until when circuits and rests keep each of its servers from being asked; 0 for one that is only full. */
  #blockedUntil(request: PlaceRequest): Milliseconds[] {
    const now = this.#waiting.now();
    return this.#order(request).map((member) => member.askableAt(now));
  }

  #wakeAt(time: Milliseconds): void {
    this.#wake?.abort();
    this.#wake = undefined;
    if (!Number.isFinite(time)) return;
    const wake = new AbortController();
    this.#wake = wake;
    const asleep = this.#waiting.sleep(Math.max(1, time - this.#waiting.now()), wake.signal);
    asleep.then(
      () => {
        if (!wake.signal.aborted) this.serve();
      },
      () => {},
    );
  }
}
