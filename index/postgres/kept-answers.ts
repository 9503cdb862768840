/** Answers under an `Idempotency-Key` in PostgreSQL: a request that is sent again may reach another host. */

import type { Milliseconds } from '../../src/time.js';
import { type AnswerRow, type AnswerStore, KEPT_FOR, type KeptAnswer, toKeptAnswer } from '../store/kept-answers.js';
import { now as clock } from './clock.js';
import type { Sql } from './sql.js';

export class KeptAnswers implements AnswerStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async get(caller: string, key: string, given?: Milliseconds): Promise<KeptAnswer | undefined> {
    const now = given ?? (await clock(this.#sql));
    const row = await this.#sql.get<AnswerRow>(
      `SELECT request, status, headers, body FROM kept_answer
       WHERE caller = @caller AND idempotency_key = @key AND created_ms > @since`,
      { caller, key, since: now - KEPT_FOR },
    );
    return row && toKeptAnswer(row);
  }

  put(caller: string, key: string, answer: KeptAnswer, given?: Milliseconds): Promise<void> {
    return this.#sql.write(async (sql) => {
      const now = given ?? (await clock(sql));
      await sql.run('DELETE FROM kept_answer WHERE created_ms <= @since', { since: now - KEPT_FOR });
      await sql.run(
        `INSERT INTO kept_answer (caller, idempotency_key, request, status, headers, body, created_ms)
         VALUES (@caller, @key, @request, @status, @headers, @body, @now)
         ON CONFLICT (caller, idempotency_key) DO UPDATE SET request = excluded.request, status = excluded.status, headers = excluded.headers,
           body = excluded.body, created_ms = excluded.created_ms`,
        { ...answer, headers: JSON.stringify(answer.headers), caller, key, now },
      );
    });
  }
}
