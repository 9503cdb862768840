import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../../index/store/migrations/list.js';
import { DATABASE_FILE } from '../../../index/store/sqlite-library.js';
import { isGone, ownerName } from '../../../ingest/jobs/owner.js';
import { temporaryFolder, temporaryLibrary } from '../support.js';

describe('the job table', () => {
  it('looks for work along an index', () => {
    const library = temporaryLibrary();
    const db = new BetterSqlite3(join(library.directory, DATABASE_FILE), { readonly: true });
    const plan = (sql: string) =>
      db
        .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((row) => row.detail);
    expect(plan("SELECT id FROM job WHERE path = 'a' AND state IN ('queued', 'paused', 'running')")).toEqual([
      'SEARCH job USING INDEX job_alive_by_path (path=?)',
    ]);
    expect(plan("SELECT DISTINCT lease_owner FROM job WHERE state = 'running' AND lease_until_ms > 0")[0]).toBe(
      'SEARCH job USING INDEX job_running (lease_until_ms>?)',
    );
    db.close();
  });

  it('takes the jobs of an older library over: what waited or ran waits, once for each path', async () => {
    const directory = temporaryFolder();
    const db = new BetterSqlite3(join(directory, DATABASE_FILE));
    db.pragma('foreign_keys = OFF');
    for (const { version, sql } of MIGRATIONS.filter((step) => step.version < 4)) {
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    }
    db.pragma(`application_id = ${0x4c574348}`);
    const insert = db.prepare(
      `INSERT INTO job (id, kind, path, state, stage, progress, error_code, error_detail, created_ms, updated_ms)
       VALUES (?, 'ingest', ?, ?, 's', 0.5, ?, ?, ?, 9)`,
    );
    insert.run('ran', '/a', 'running', null, null, 1);
    insert.run('waited', '/a', 'queued', null, null, 2);
    insert.run('done', '/a', 'done', null, null, 3);
    insert.run('failed', '/b', 'failed', 'no_video', 'There is none.', 4);
    db.close();
    const old = temporaryLibrary({ directory });
    expect(old.listJobs().items.map(({ id, state, attempts }) => [id, state, attempts])).toEqual([
      ['failed', 'failed', 0],
      ['done', 'done', 0],
      ['waited', 'cancelled', 0],
      ['ran', 'queued', 0],
    ]);
    expect((await old.check()).ok).toBe(true);
  });
});

describe('the name of a process', () => {
  it('tells whether it is gone, on this machine only', () => {
    const own = ownerName('x');
    expect(isGone(own)).toBe(false);
    // Linux hands out no process id above 2^22.
    expect(isGone(own.replace(`/${process.pid}/`, '/4194999/'))).toBe(true);
    expect(isGone('another machine/4194999/x')).toBe(false);
    expect(isGone('rubbish')).toBe(false);
  });
});
