/** Answers that were given under an `Idempotency-Key`, so that a request that is sent twice is done once. */

import type { Awaitable } from '../../src/awaitable.js';
import type { Milliseconds } from '../../src/time.js';
import type { Database } from './database.js';
import { fromJson } from './values.js';

/** Keys are forgotten after so long; a client that has not heard by then has given up. */
export const KEPT_FOR: Milliseconds = 24 * 60 * 60 * 1000;

export interface KeptAnswer {
  /** Hash of what was asked. */
  readonly request: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AnswerRow {
  readonly request: string;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Keys of different callers are different keys. */
export interface AnswerStore {
  get(caller: string, key: string, now?: Milliseconds): Awaitable<KeptAnswer | undefined>;
  put(caller: string, key: string, answer: KeptAnswer, now?: Milliseconds): Awaitable<void>;
}

export function toKeptAnswer(row: AnswerRow): KeptAnswer {
  return { ...row, headers: fromJson<KeptAnswer['headers']>(row.headers) };
}

export class KeptAnswers implements AnswerStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(caller: string, key: string, now: Milliseconds = Date.now()): KeptAnswer | undefined {
    const row = this.#db.get<AnswerRow>(
      `SELECT request, status, headers, body FROM kept_answer
       WHERE caller = @caller AND idempotency_key = @key AND created_ms > @since`,
      { caller, key, since: now - KEPT_FOR },
    );
    return row && toKeptAnswer(row);
  }

  put(caller: string, key: string, answer: KeptAnswer, now: Milliseconds = Date.now()): void {
    this.#db.write(() => {
      this.#db.run('DELETE FROM kept_answer WHERE created_ms <= @since', { since: now - KEPT_FOR });
      this.#db.run(
        `INSERT OR REPLACE INTO kept_answer (caller, idempotency_key, request, status, headers, body, created_ms)
         VALUES (@caller, @key, @request, @status, @headers, @body, @now)`,
        { ...answer, headers: JSON.stringify(answer.headers), caller, key, now },
      );
    });
  }
}
