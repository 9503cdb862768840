/** One server of a pool: its places, and everything that speaks for or against asking it now. */

import { setMaxListeners } from 'node:events';
import type { BackendAnswer } from '../backend.js';
import type { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { Circuit, type CircuitPolicy, type CircuitState, type Outcome } from './circuit.js';
import type { Endpoint } from './endpoint.js';
import type { HealthReport } from './health.js';
import { Latencies, type LatencyHistogram } from './latencies.js';
import { PromptSize } from './prompt-size.js';

/** Health checks in a row that a server which was well may fail. A busy one answers late now and then. */
const MISSES = 2;

/** A place at a server. Whoever has it gives it back, once. */
export interface Place {
  readonly member: PoolMember;
  giveBack(outcome: Outcome): void;
}

/** What a monitor and a person want to know of a server. Counts are since the process began. */
export interface ServerStatus {
  /** The address, without anything secret. */
  readonly url: string;
  readonly model: string;
  readonly circuit: CircuitState;
  /** Undefined before the first check. */
  readonly healthy: boolean | undefined;
  /** Why it is not asked, or was not lately. */
  readonly problem?: string;
  /** Whether it asked to be left alone for now. */
  readonly resting: boolean;
  readonly concurrency: number;
  readonly inFlight: number;
  /** Tokens that a question and its answer have room for, where the server says so. */
  readonly maxTokens?: number;
  /** Names of the models that it lists, where it does. */
  readonly models?: readonly string[];
  readonly answers: number;
  readonly failures: number;
  /** Questions that it got because another server was slow, and how many of them it answered first. */
  readonly hedges: number;
  readonly hedgesWon: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly latency: LatencyHistogram;
}

/** As many questions listen to it as the server has places; Node would warn of the eleventh. */
function manyListeners(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

export class PoolMember {
  readonly latencies = new Latencies();
  readonly size = new PromptSize();
  readonly circuit: Circuit;
  #health: HealthReport | undefined;
  #misses = 0;
  #unwell = manyListeners();
  #inFlight = 0;
  #restUntil: Milliseconds = 0;
  #problem: string | undefined;
  readonly #counts = { answers: 0, failures: 0, hedges: 0, hedgesWon: 0, promptTokens: 0, answerTokens: 0 };

  constructor(
    readonly endpoint: Endpoint,
    policy: CircuitPolicy,
    random: () => number,
  ) {
    this.circuit = new Circuit(policy, random);
  }

  get name(): string {
    return this.endpoint.name;
  }

  get concurrency(): number {
    return this.endpoint.concurrency;
  }

  /** Tokens that a question and its answer have room for together; undefined when the server does not say. */
  get maxTokens(): number | undefined {
    return this.#health?.maxTokens;
  }

  /** True before the first check. */
  get healthy(): boolean {
    return this.#misses < MISSES;
  }

  /** Aborted while it is not healthy. */
  get unwell(): AbortSignal {
    return this.#unwell.signal;
  }

  /** When it may be asked as far as circuit and rest go; 0 for now. */
  askableAt(now: Milliseconds): Milliseconds {
    const at = Math.max(this.circuit.passableAt, this.#restUntil);
    return at <= now ? 0 : at;
  }

  checked(report: HealthReport): void {
    // A server that was never seen to be well has no credit, and a wrong key does not mend itself.
    const worst = report.keyRefused || !this.#health;
    this.#misses = report.healthy ? 0 : worst ? MISSES : Math.min(MISSES, this.#misses + 1);
    if (this.healthy && this.#unwell.signal.aborted) this.#unwell = manyListeners();
    if (!this.healthy) this.#unwell.abort();
    // How much room there is, is not forgotten over a missed check.
    this.#health = { ...this.#health, ...report };
    if (!report.healthy) this.#problem = report.problem;
  }

  /** Undefined when it is full, rests, or its circuit lets none pass. */
  take(now: () => Milliseconds): Place | undefined {
    if (this.#inFlight >= this.concurrency || this.askableAt(now()) > 0) return undefined;
    const passage = this.circuit.pass(now());
    if (!passage) return undefined;
    this.#inFlight++;
    let held = true;
    return {
      member: this,
      giveBack: (outcome) => {
        if (!held) return;
        held = false;
        this.#inFlight--;
        this.circuit.leave(passage, outcome, now());
      },
    };
  }

  /** The server asked to be left alone. */
  rest(until: Milliseconds): void {
    this.#restUntil = Math.max(this.#restUntil, until);
  }

  answered({ promptTokens, answerTokens }: BackendAnswer): void {
    this.#counts.answers++;
    this.#counts.promptTokens += promptTokens;
    this.#counts.answerTokens += answerTokens;
    this.#problem = undefined;
  }

  failed({ message }: LongwatchError): void {
    this.#counts.failures++;
    this.#problem = message;
  }

  /** It got a question because another server was slow. */
  hedged(): void {
    this.#counts.hedges++;
  }

  /** And answered it first. */
  wonHedge(): void {
    this.#counts.hedgesWon++;
  }

  status(now: Milliseconds): ServerStatus {
    const { maxTokens } = this;
    return {
      url: this.name,
      model: this.endpoint.model,
      circuit: this.circuit.state(now),
      healthy: this.#health === undefined ? undefined : this.healthy,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      resting: this.#restUntil > now,
      concurrency: this.concurrency,
      inFlight: this.#inFlight,
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...(this.#health?.models === undefined ? {} : { models: this.#health.models }),
      ...this.#counts,
      latency: this.latencies.histogram,
    };
  }
}
