/** Who works on the jobs of a library in PostgreSQL. All moments are of the database's clock. */

import { FORGOTTEN_AFTER, type WorkerRecord, type WorkerSign, type WorkerStore } from '../../ingest/jobs/worker.js';
import {
  FORGET,
  HELD_JOBS,
  type HeldRow,
  SIGN,
  signColumns,
  toWorkerRecord,
  WORKERS,
  type WorkerRow,
} from '../store/worker-row.js';
import { now as clock } from './clock.js';
import type { Sql } from './sql.js';

export class Workers implements WorkerStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  sign(worker: WorkerSign): Promise<void> {
    return this.#sql.write(async (sql) => {
      const now = await clock(sql);
      await sql.run(SIGN, signColumns(worker, now));
      await sql.run(FORGET, { before: now - FORGOTTEN_AFTER });
    });
  }

  async leave(owner: string): Promise<void> {
    await this.#sql.run('DELETE FROM worker WHERE owner = @owner', { owner });
  }

  list(): Promise<WorkerRecord[]> {
    return this.#sql.read(async (sql) => {
      const now = await clock(sql);
      const held = await sql.all<HeldRow>(HELD_JOBS, { now });
      return (await sql.all<WorkerRow>(WORKERS)).map((row) => toWorkerRecord(row, held, now));
    });
  }
}
