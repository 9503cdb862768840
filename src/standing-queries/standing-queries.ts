/** Looks after the standing queries of a library while a server runs: what is new is looked at, and whoever asked is told. */

import { type LongwatchError, toLongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { Courier, type CourierOptions } from './courier.js';
import { type EvaluateParts, evaluateFresh } from './evaluate.js';

/**
 * How often the library is looked through: a few rows, read by key. Windows that were written meanwhile are looked at together, so that an
 * ingest that is faster than the questions does not pile them up.
 */
const EVERY: Milliseconds = 2_000;

export interface StandingQueriesOptions extends Omit<EvaluateParts, 'onFailure' | 'onOwed'> {
  readonly privateHosts: CourierOptions['privateHosts'];
  /** @default 2,000 */
  readonly every?: Milliseconds;
}

/** What goes wrong beside the way. */
export type Complaint = (error: LongwatchError, about: object) => void;
/** What goes right, for a log: with the video, so that a notice can be followed back to the job that read it. */
export type Remark = (about: object, message: string) => void;

export class StandingQueries {
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #delivery: Promise<void> | undefined;
  #courier: Courier | undefined;

  constructor(private readonly options: StandingQueriesOptions) {}

  /**
   * Begins, with what another process or an earlier one left.
   * @param complain hears what fails; it is tried again all the same
   * @param say hears of each notice that is owed, and of each that was brought
   */
  start(complain: Complaint, say: Remark = () => {}): void {
    const { library, privateHosts, every = EVERY } = this.options;
    this.#courier = new Courier(library.watches.deliveries, {
      privateHosts,
      onBrought: ({ id, attempts }, status) => say({ delivery: id, attempts, status }, 'the notice was brought'),
      onFailure: ({ id, attempts }, error) => complain(error, { delivery: id, attempts }),
    });
    const round = () => {
      // A slow search or receiver must not start a second round beside itself, nor one the other.
      this.#round ??= this.#look(complain, say).finally(() => {
        this.#round = undefined;
      });
      this.#delivery ??= this.#bring(complain).finally(() => {
        this.#delivery = undefined;
      });
    };
    this.#timer ??= setInterval(round, every).unref();
    round();
  }

  /** Ends; what is under way stays owed. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#courier?.close();
    await this.#round;
    await this.#delivery;
  }

  async #look(complain: Complaint, say: Remark): Promise<void> {
    const onFailure: EvaluateParts['onFailure'] = (watch, error) => complain(error, { watch: watch.id });
    try {
      const onOwed: EvaluateParts['onOwed'] = ({ deliveryId, watchId, videoId }) =>
        say({ delivery: deliveryId, watch: watchId, video_id: videoId }, 'a notice is owed');
      await evaluateFresh({ ...this.options, onFailure, onOwed }, this.#stop.signal);
    } catch (thrown) {
      if (!this.#stop.signal.aborted) complain(toLongwatchError(thrown), {});
    }
  }

  async #bring(complain: Complaint): Promise<void> {
    try {
      await this.#courier?.bringDue();
    } catch (thrown) {
      complain(toLongwatchError(thrown), {});
    }
  }
}
