/** Jobs: what was asked to be done and how far it is. They outlive the process and the video. */

import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { JobRecord, JobState, Page } from './records.js';
import { type ErrorColumns, errorColumns, errorField, finite, optional } from './values.js';

const LIST = 'jobs';

interface JobRow extends ErrorColumns {
  readonly id: string;
  readonly kind: 'ingest';
  readonly path: string;
  readonly video_id: string | null;
  readonly state: JobState;
  readonly stage: string;
  readonly progress: number;
  readonly speed: number | null;
  readonly eta_ms: number | null;
  readonly created_ms: number;
  readonly updated_ms: number;
}

export interface JobCounts {
  /** Of each state that occurs. */
  readonly byState: Readonly<Partial<Record<JobState, number>>>;
  /** When the oldest job that waits was made. */
  readonly oldestQueued?: Milliseconds;
}

export class Jobs {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  put(job: JobRecord): void {
    this.#db.write(() =>
      this.#db.run(
        `INSERT OR REPLACE INTO job (id, kind, path, video_id, state, stage, progress, speed, eta_ms,
           error_code, error_detail, error_hint, created_ms, updated_ms)
         VALUES (@id, @kind, @path, @video_id, @state, @stage, @progress, @speed, @eta_ms,
           @error_code, @error_detail, @error_hint, @created_ms, @updated_ms)`,
        {
          id: job.id,
          kind: job.kind,
          path: job.path,
          video_id: job.videoId ?? null,
          state: job.state,
          stage: job.stage,
          progress: finite(job.progress, 'progress'),
          speed: job.speed === undefined ? null : finite(job.speed, 'speed'),
          eta_ms: job.eta === undefined ? null : finite(job.eta, 'eta'),
          ...errorColumns(job.error),
          created_ms: finite(job.created, 'created'),
          updated_ms: finite(job.updated, 'updated'),
        },
      ),
    );
  }

  get(id: string): JobRecord | undefined {
    const row = this.#db.get<JobRow>('SELECT * FROM job WHERE id = @id', { id });
    return row && toRecord(row);
  }

  list({ cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {}): Page<JobRecord> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor);
    const rows = this.#db.all<JobRow>(
      `SELECT * FROM job ${before ? 'WHERE (created_ms, id) < (@created, @id)' : ''} ORDER BY created_ms DESC, id DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { created: before[0], id: before[1] }) },
    );
    return toPage(LIST, rows.map(toRecord), size, (job) => [job.created, job.id]);
  }

  counts(): JobCounts {
    const rows = this.#db.all<{ readonly state: JobState; readonly count: number; readonly oldest: number }>(
      'SELECT state, count(*) AS count, min(created_ms) AS oldest FROM job GROUP BY state',
    );
    const queued = rows.find(({ state }) => state === 'queued');
    return {
      byState: Object.fromEntries(rows.map(({ state, count }) => [state, count])),
      ...(queued ? { oldestQueued: queued.oldest } : {}),
    };
  }
}

function toRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    path: row.path,
    ...optional('videoId', row.video_id),
    state: row.state,
    stage: row.stage,
    progress: row.progress,
    ...optional('speed', row.speed),
    ...optional('eta', row.eta_ms),
    ...errorField(row),
    created: row.created_ms,
    updated: row.updated_ms,
  };
}
