/** A model that servers run: any that speaks OpenAI's chat completions and takes images (vLLM, `transformers serve`, llama.cpp), one or several. */

import type { Backend, BackendAnswer, BackendRequest } from '../backend.js';
import { LongwatchError } from '../errors.js';
import { type PictureSize, smartResize } from '../qwen/smart-resize.js';
import type { Milliseconds } from '../time.js';
import { type CircuitPolicy, DEFAULT_CIRCUIT_POLICY, type Outcome } from './circuit.js';
import { Endpoint, type EndpointOptions, type Progress, type Question } from './endpoint.js';
import { EndpointPool, NoPlace, type PlaceRequest } from './endpoint-pool.js';
import { DEFAULT_EXCHANGE_LIMITS, type ExchangeLimits, HttpClient } from './exchange.js';
import { type FrameForm, messageContent, type PictureForm } from './frames.js';
import { HealthWatch } from './health-watch.js';
import { HedgeBudget } from './hedge-budget.js';
import { type Place, PoolMember, type ServerStatus } from './pool-member.js';
import { hasRoom, tooLong } from './prompt-room.js';
import { type PromptParts, promptParts } from './prompt-size.js';
import { beginningOf } from './rendezvous.js';
import {
  DEFAULT_RETRY_POLICY,
  type FailureSubject,
  REAL_WAITING,
  type RetryPolicy,
  TransientFailure,
  type Waiting,
  withRetries,
} from './retry.js';
import { outlasts, settled } from './waits.js';

export interface RemoteBackendOptions {
  /** Servers of the same model, one or more. What one says stands for all of them. */
  readonly endpoints: readonly EndpointOptions[];
  /** What is stored beside everything the model says. @default the model's name at the first server */
  readonly id?: string;
  /** How frames travel; `video` is for vLLM. @default images */
  readonly frames?: FrameForm;
  /** As which files the pictures of a video travel. @default smallest */
  readonly pictures?: PictureForm;
  /**
   * Visual tokens of one frame, least and most; sizes are chosen within them. As an image each frame costs its tokens, as a video each
   * pair does. @default 128 and 768, as the model family's own tools
   */
  readonly tokensPerFrame?: { readonly min: number; readonly max: number };
  /**
   * Whether a question whose server is slower than 95 of 100 of its answers goes to a second one too, where one has a free place: the first
   * answer counts and the other question is given up. One question in twenty at most. @default true
   */
  readonly hedge?: boolean;
  readonly limits?: Partial<
    ExchangeLimits & { /** A question with all its repetitions. @default 30 min */ readonly total: Milliseconds }
  >;
  readonly retry?: Partial<RetryPolicy>;
  readonly circuit?: Partial<CircuitPolicy>;
  /** Between two checks of each server, give or take a fifth. @default 15 s */
  readonly healthInterval?: Milliseconds;
  /** Fields put into every request over all others, such as `{ repetition_penalty: 1 }` for vLLM. @default none */
  readonly extraFields?: Readonly<Record<string, unknown>>;
  /** Clock, chance and sleep. @default the real ones */
  readonly waiting?: Partial<Waiting>;
}

const DEFAULT_TOTAL: Milliseconds = 1_800_000;
/** Longest opening of the circuit of an only server: whoever asks has nowhere else to go, and had better hear soon that it fails. */
const LONGEST_ALONE: Milliseconds = 10_000;
const DEFAULT_HEALTH_INTERVAL: Milliseconds = 15_000;
const DEFAULT_TOKENS_PER_FRAME = { min: 128, max: 768 };
/** Side in pixels of what becomes one visual token: 2 × 2 patches of 14 pixels. */
const TOKEN_SIDE = 28;

/** A question on its way, with what its servers made of it so far. */
interface Asking extends Question {
  readonly parts: PromptParts;
  /** The first order of its servers. */
  readonly place: Pick<PlaceRequest, 'key' | 'fits'>;
  /** Servers that failed it. */
  readonly failedAt: Set<PoolMember>;
  /** Those of them that are not to be next: once each has failed, it goes round again. */
  readonly avoid: Set<PoolMember>;
  readonly progress: Map<PoolMember, Progress>;
}

export class RemoteBackend implements Backend {
  readonly id: string;
  readonly #options: RemoteBackendOptions;
  readonly #client = new HttpClient();
  readonly #waiting: Waiting;
  readonly #retry: RetryPolicy;
  readonly #circuit: CircuitPolicy;
  readonly #pool: EndpointPool;
  readonly #health: HealthWatch;
  readonly #hedges = new HedgeBudget();
  /** How to cancel each question that is being asked. */
  readonly #open = new Set<() => void>();
  #closed = false;

  /** Opens no connection. @throws {LongwatchError} `bad_config` */
  constructor(options: RemoteBackendOptions) {
    this.#options = options;
    this.#waiting = { ...REAL_WAITING, ...options.waiting };
    this.#retry = { ...DEFAULT_RETRY_POLICY, ...options.retry };
    const circuit = { ...DEFAULT_CIRCUIT_POLICY, ...options.circuit };
    const alone = options.endpoints.length === 1;
    this.#circuit = alone ? { ...circuit, longest: Math.min(circuit.longest, LONGEST_ALONE) } : circuit;
    const conversation = {
      limits: { ...DEFAULT_EXCHANGE_LIMITS, ...options.limits },
      extraFields: options.extraFields ?? {},
      now: this.#waiting.now,
    };
    const members = options.endpoints.map(
      (one) => new PoolMember(new Endpoint(one, this.#client, conversation), this.#circuit, this.#waiting.random),
    );
    refuseDoubles(members);
    this.id = options.id ?? options.endpoints[0]?.model ?? '';
    this.#pool = new EndpointPool(members, this.#waiting, this.#retry.longestAsked);
    this.#health = new HealthWatch(members, options.healthInterval ?? DEFAULT_HEALTH_INTERVAL, () =>
      this.#pool.serve(),
    );
  }

  /** Questions that all servers together are asked at once. */
  get concurrency(): number {
    return this.#pool.concurrency;
  }

  pictureSize(display: PictureSize): PictureSize {
    const { min, max } = this.#options.tokensPerFrame ?? DEFAULT_TOKENS_PER_FRAME;
    const area = TOKEN_SIDE ** 2;
    return smartResize(display, { factor: TOKEN_SIDE, minPixels: min * area, maxPixels: max * area });
  }

  tokensPerPair(size: PictureSize): number {
    return this.#options.frames === 'video' ? tokensOf(size) : 2 * tokensOf(size);
  }

  /**
   * Beside what `Backend` says: `bad_config` for a wrong address, key or model name, which no repetition mends; of several servers, when that
   * is so at each.
   *
   * With a schema the answer is JSON of its shape; bounds of numbers and lengths are as the server kept them. One that was cut off is
   * closed where that gives the shape, else it is asked for once more with twice the room. From a server that binds answers to no schema,
   * it is whatever JSON the model wrote.
   *
   * A question that is known not to fit, with its answer, into what a server said that it has room for is not sent: `overloaded`, `smaller`.
   */
  async ask(request: BackendRequest, signal?: AbortSignal): Promise<BackendAnswer> {
    const halt = new AbortController();
    const cancel = () => halt.abort(new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason }));
    this.#open.add(cancel);
    signal?.addEventListener('abort', cancel, { once: true });
    if (this.#closed || signal?.aborted) cancel();
    try {
      halt.signal.throwIfAborted();
      return await this.#ask(request, halt);
    } catch (thrown) {
      throw halt.signal.aborted ? halt.signal.reason : thrown;
    } finally {
      this.#open.delete(cancel);
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** How each server is, in the order of the settings. */
  servers(): ServerStatus[] {
    return this.#pool.members.map((member) => member.status(this.#waiting.now()));
  }

  /** Asks each server now how it is; see `health.ts`. */
  async checkServers(): Promise<ServerStatus[]> {
    await this.#health.check();
    return this.servers();
  }

  /** Questions that are being asked, or are asked from now on, are cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#health.close();
    for (const cancel of this.#open) cancel();
    this.#pool.close();
    this.#client.close();
  }

  /** @param halt aborted with the error to report, here when the total time is over */
  async #ask(request: BackendRequest, halt: AbortController): Promise<BackendAnswer> {
    const total = this.#options.limits?.total ?? DEFAULT_TOTAL;
    const last: { failure?: TransientFailure } = {};
    let timer: NodeJS.Timeout | undefined;
    try {
      await settled(this.#health.first(), halt.signal);
      const key = beginningOf(request);
      const asking = {
        request,
        failedAt: new Set<PoolMember>(),
        avoid: new Set<PoolMember>(),
        progress: new Map<PoolMember, Progress>(),
      };
      const pictureTokens = this.#pictureTokens(request);
      // A place comes before the pictures are encoded, so that no more of them are in memory than are asked about.
      let first: Place | undefined = await this.#takePlace({ key, fits: () => true, avoid: new Set() }, halt.signal);
      timer = setTimeout(() => halt.abort(this.#overdue(total, last.failure)), total);
      try {
        const { frames = 'images', pictures = 'smallest' } = this.#options;
        const content = await messageContent(request.parts, frames, pictures);
        const parts = promptParts(request.system, content, pictureTokens);
        const whole: Asking = {
          ...asking,
          content,
          parts,
          place: { key, fits: (member) => hasRoom(member, parts, request.maxTokens) },
        };
        const attempt = async () => {
          const place = first;
          first = undefined;
          return this.#attempt(whole, place, halt.signal, last);
        };
        return await withRetries(attempt, this.#retry, this.#waiting, halt.signal);
      } finally {
        first?.giveBack('untold');
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** One attempt, at one server or at two. */
  async #attempt(
    asking: Asking,
    held: Place | undefined,
    signal: AbortSignal,
    last: { failure?: TransientFailure },
  ): Promise<BackendAnswer> {
    if (!this.#pool.members.some(asking.place.fits)) {
      held?.giveBack('untold');
      throw tooLong(this.#pool.members, asking.parts, asking.request.maxTokens);
    }
    let place = held;
    if (place && !asking.place.fits(place.member)) {
      place.giveBack('untold');
      place = undefined;
    }
    place ??= await this.#takePlace({ ...asking.place, avoid: asking.avoid }, signal);
    const { member } = place;
    this.#hedges.earn();
    try {
      return await this.#hedged(asking, place, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      asking.failedAt.add(member);
      asking.avoid.add(member);
      if (asking.avoid.size === this.#pool.members.length) {
        asking.avoid.clear();
        asking.avoid.add(member);
      }
      const elsewhere = this.#pool.hasOther(asking.place, asking.failedAt);
      if (thrown instanceof TransientFailure) {
        last.failure = thrown;
        const { error, retryAfter, about } = thrown;
        throw new TransientFailure(error, { retryAfter, about, elsewhere });
      }
      // What is wrong with one server's address, key or model is no reason not to ask another.
      if (thrown instanceof LongwatchError && thrown.code === 'bad_config' && elsewhere)
        throw new TransientFailure(thrown, { elsewhere });
      throw thrown;
    }
  }

  /** Asks; and when the answer takes longer than this server's usually do, or it falls ill meanwhile, a second server too. */
  async #hedged(asking: Asking, place: Place, signal: AbortSignal): Promise<BackendAnswer> {
    const first = this.#run(asking, place, signal);
    if (this.#pool.members.length < 2) return first.answer;
    const second = await this.#secondPlace(asking, place.member, first, signal);
    if (!second) return first.answer;
    second.member.hedged();
    const runs = [first, this.#run(asking, second, signal)];
    try {
      const { answer, member } = await Promise.any(
        runs.map(async (run) => ({ answer: await run.answer, member: run.member })),
      );
      if (member === second.member) member.wonHedge();
      return answer;
    } catch (thrown) {
      // Both failed: the first is what the question was about.
      throw thrown instanceof AggregateError ? thrown.errors[0] : thrown;
    } finally {
      for (const run of runs) run.giveUp();
    }
  }

  /** A place at a second server once there is a reason to ask one; undefined when the first has answered before, or there is no such place. */
  async #secondPlace(asking: Asking, member: PoolMember, { answer }: Run, signal: AbortSignal) {
    const usual = this.#options.hedge === false ? undefined : member.latencies.p95(asking.request.maxTokens);
    const { unwell } = member;
    const request = { ...asking.place, avoid: new Set<PoolMember>() };
    if (usual !== undefined && !unwell.aborted && (await outlasts(answer, unwell, usual))) {
      if (signal.aborted) return undefined;
      const other = this.#hedges.canSpend ? this.#pool.takeOther(request, member) : undefined;
      if (other) {
        this.#hedges.spend();
        return other;
      }
    }
    const lost = await outlasts(answer, unwell);
    return lost && !signal.aborted ? this.#pool.takeOther(request, member) : undefined;
  }

  /** Asks at a place and gives it back, whatever comes of it. */
  #run(asking: Asking, place: Place, signal: AbortSignal): Run {
    const { member } = place;
    const { endpoint } = member;
    const leave = new AbortController();
    const progress = asking.progress.get(member) ?? endpoint.begin(asking.request);
    asking.progress.set(member, progress);
    const begun = performance.now();
    const ask = async () => {
      let outcome: Outcome = 'untold';
      try {
        const answer = await endpoint.ask(asking, progress, AbortSignal.any([signal, leave.signal]));
        outcome = 'answered';
        member.latencies.record(asking.request.maxTokens, performance.now() - begun);
        member.size.learn(asking.parts, answer.promptTokens);
        member.answered(answer);
        return answer;
      } catch (thrown) {
        if (leave.signal.aborted) member.latencies.atLeast(asking.request.maxTokens, performance.now() - begun);
        else if (!signal.aborted) outcome = this.#blame(member, thrown);
        throw thrown;
      } finally {
        place.giveBack(outcome);
      }
    };
    const answer = ask();
    // Of two, only one is waited for.
    answer.catch(() => {});
    return { member, answer, giveUp: () => leave.abort() };
  }

  /** What a failure says about the server. */
  #blame(member: PoolMember, thrown: unknown): Outcome {
    if (thrown instanceof TransientFailure) {
      member.failed(thrown.error);
      if (thrown.retryAfter !== undefined) member.rest(this.#waiting.now() + thrown.retryAfter);
      return BLAME[thrown.about];
    }
    if (thrown instanceof LongwatchError && thrown.code === 'bad_config') {
      member.failed(thrown);
      // Alone, it says so to every question; beside others, it is tried again now and then.
      if (this.#pool.members.length > 1) member.circuit.open(this.#waiting.now(), this.#circuit.longest);
      return 'untold';
    }
    return 'answered';
  }

  async #takePlace(request: PlaceRequest, signal: AbortSignal): Promise<Place> {
    try {
      return await this.#pool.take(request, signal);
    } catch (thrown) {
      if (!(thrown instanceof NoPlace)) throw thrown;
      const seconds = Math.ceil((thrown.until - this.#waiting.now()) / 1000);
      throw new LongwatchError('overloaded', `Every model server asks to be left alone, for ${seconds} s or longer.`, {
        hint: 'Wait, or ask less at once.',
      });
    }
  }

  #pictureTokens({ parts }: BackendRequest): number {
    return parts.reduce((sum, part) => {
      if (part.kind === 'text') return sum;
      if (part.kind === 'image') return sum + tokensOf(part.picture);
      const [first] = part.pictures;
      return sum + (first ? (this.tokensPerPair(first) * part.pictures.length) / 2 : 0);
    }, 0);
  }

  #overdue(total: Milliseconds, last: TransientFailure | undefined): LongwatchError {
    const before = last === undefined ? '' : ` Before that: ${last.error.message}`;
    const [only, ...others] = this.#pool.members;
    const who = only && others.length === 0 ? `The model server ${only.name}` : 'The model servers';
    return new LongwatchError(
      'model_failed',
      `${who} had no answer within ${total / 1000} s, all repetitions together.${before}`,
      { hint: 'Ask less at once, or raise the time limits.', ...(last ? { cause: last.error } : {}) },
    );
  }
}

/** What a failure says about the server, by what it is about. */
const BLAME: Readonly<Record<FailureSubject, Outcome>> = { server: 'failed', load: 'untold', answer: 'answered' };

/** A question at one server. */
interface Run {
  readonly member: PoolMember;
  readonly answer: Promise<BackendAnswer>;
  /** Hangs up, if it still runs. */
  giveUp(): void;
}

function tokensOf({ width, height }: PictureSize): number {
  return Math.ceil(width / TOKEN_SIDE) * Math.ceil(height / TOKEN_SIDE);
}

function refuseDoubles(members: readonly PoolMember[]): void {
  const names = members.map(({ name }) => name);
  const twice = names.find((name, position) => names.indexOf(name) !== position);
  if (members.length > 0 && twice === undefined) return;
  throw new LongwatchError(
    'bad_config',
    twice === undefined ? 'No model server is named.' : `The model server ${twice} is named twice.`,
    { hint: 'Name each server once; `concurrency` says how much it is asked at once.' },
  );
}
