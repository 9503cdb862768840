/**
 * Whether a server is asked at all (a circuit breaker). Closed: it is. Open: it failed too often and is left alone for a while. Half-open: the
 * while is over and one question tries it; its answer closes the circuit, its failure opens it for twice as long.
 */

import type { Milliseconds } from '../time.js';

export interface CircuitPolicy {
  /** Last questions that are looked at. @default 20 */
  readonly remembered: number;
  /** The circuit opens when so many of them failed … @default 5 */
  readonly failures: number;
  /** … and this share of them. @default 0.5 */
  readonly share: number;
  /** How long it stays open the first time; twice as long every next time without an answer between. @default 5 s */
  readonly base: Milliseconds;
  /** Longest such time. The real one is uniform in its upper half, so that many clients do not come back at once. @default 2 min */
  readonly longest: Milliseconds;
}

export const DEFAULT_CIRCUIT_POLICY: CircuitPolicy = {
  remembered: 20,
  failures: 5,
  share: 0.5,
  base: 5_000,
  longest: 120_000,
};

export type CircuitState = 'closed' | 'open' | 'half-open';

/** A question that was let through. */
export interface Passage {
  /** Whether it is the one that tries a half-open circuit. */
  readonly trial: boolean;
}

/** What came of it. `untold`: it ended for a reason that says nothing about the server, as a cancelled one. */
export type Outcome = 'answered' | 'failed' | 'untold';

export class Circuit {
  readonly #policy: CircuitPolicy;
  readonly #random: () => number;
  #failed: boolean[] = [];
  /** Undefined: closed. */
  #openUntil: Milliseconds | undefined;
  #openings = 0;
  #trying = false;

  /** @param random uniform in [0, 1) */
  constructor(policy: CircuitPolicy, random: () => number) {
    this.#policy = policy;
    this.#random = random;
  }

  state(now: Milliseconds): CircuitState {
    if (this.#openUntil === undefined) return 'closed';
    return now < this.#openUntil ? 'open' : 'half-open';
  }

  /** When a question may pass; not later than now when one may, except that a half-open circuit lets one through at a time. */
  get passableAt(): Milliseconds {
    return this.#openUntil ?? 0;
  }

  /** Undefined when none may pass now. Whoever passes has to `leave`. */
  pass(now: Milliseconds): Passage | undefined {
    const state = this.state(now);
    if (state === 'closed') return { trial: false };
    if (state === 'open' || this.#trying) return undefined;
    this.#trying = true;
    return { trial: true };
  }

  leave({ trial }: Passage, outcome: Outcome, now: Milliseconds): void {
    if (trial) {
      this.#trying = false;
      if (outcome === 'failed') this.open(now);
      if (outcome === 'answered') this.#close();
      return;
    }
    // What was asked before the circuit opened no longer moves it.
    if (outcome === 'untold' || this.#openUntil !== undefined) return;
    const { remembered, failures, share } = this.#policy;
    this.#failed = [...this.#failed, outcome === 'failed'].slice(-remembered);
    const count = this.#failed.filter(Boolean).length;
    if (count >= failures && count >= share * this.#failed.length) this.open(now);
  }

  /** @param range upper end of how long; @default the policy's, doubled with every opening */
  open(now: Milliseconds, range?: Milliseconds): void {
    const { base, longest } = this.#policy;
    const most = range ?? Math.min(longest, base * 2 ** this.#openings);
    this.#openings++;
    this.#openUntil = now + (most * (1 + this.#random())) / 2;
  }

  #close(): void {
    this.#openUntil = undefined;
    this.#openings = 0;
    this.#failed = [];
  }
}
