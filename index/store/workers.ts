/** Who works on the jobs of a library in SQLite. */

import { FORGOTTEN_AFTER, type WorkerRecord, type WorkerSign, type WorkerStore } from '../../ingest/jobs/worker.js';
import type { Database } from './database.js';
import {
  FORGET,
  HELD_JOBS,
  type HeldRow,
  SIGN,
  signColumns,
  toWorkerRecord,
  WORKERS,
  type WorkerRow,
} from './worker-row.js';

export class Workers implements WorkerStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  sign(worker: WorkerSign): void {
    const now = Date.now();
    this.#db.write(() => {
      this.#db.run(SIGN, signColumns(worker, now));
      this.#db.run(FORGET, { before: now - FORGOTTEN_AFTER });
    });
  }

  leave(owner: string): void {
    this.#db.write(() => this.#db.run('DELETE FROM worker WHERE owner = @owner', { owner }));
  }

  list(): WorkerRecord[] {
    const now = Date.now();
    const held = this.#db.all<HeldRow>(HELD_JOBS, { now });
    return this.#db.all<WorkerRow>(WORKERS).map((row) => toWorkerRecord(row, held, now));
  }
}
