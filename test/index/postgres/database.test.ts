import { afterEach, describe, expect, it, vi } from 'vitest';
import { Database } from '../../../index/postgres/database.js';
import { Jobs, requireHeld } from '../../../index/postgres/jobs.js';
import { MIGRATIONS } from '../../../index/postgres/migrations/list.js';
import { connectPool } from '../../../index/postgres/pool.js';
import { openPostgresLibrary } from '../../../index/postgres/postgres-library.js';
import { prepareSchema } from '../../../index/postgres/schema.js';
import { publicAddress } from '../../../src/library-address.js';
import { newVideo, temporaryFolder, windowOf } from '../support.js';
import { noServer, sqlOf, temporaryDatabase } from './server.js';

const opened: Database[] = [];
afterEach(async () => {
  for (const db of opened.splice(0)) await db.close();
});

function connect(address: string, readonly = false): Database {
  const db = new Database(connectPool(address, { readonly }), publicAddress(address), readonly);
  opened.push(db);
  return db;
}

async function opening(): Promise<{ readonly db: Database; readonly address: string }> {
  const address = await temporaryDatabase();
  const db = connect(address);
  await prepareSchema(db, { create: true });
  return { db, address };
}

const NO_FENCE = { jobId: '', token: 0 };
const CLAIM = { owner: 'one', lease: 60_000, isGone: () => false };

interface Column {
  readonly table: string;
  readonly type: string;
  /** Who writes a row must give it. */
  readonly given: boolean;
}

/** By `table.column`. */
async function columnsOf(db: Database): Promise<Map<string, Column>> {
  const rows = await db.all<{ table: string; column: string; type: string; given: boolean }>(
    `SELECT table_name AS table, column_name AS column, data_type AS type,
       is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER' AS given
     FROM information_schema.columns WHERE table_schema = 'longwatch'`,
  );
  return new Map(rows.map(({ column, ...rest }) => [`${rest.table}.${column}`, rest]));
}

describe('the address of a library', () => {
  it.each([
    [
      'postgres://ann:secret@db.example:5433/films?sslmode=require&password=secret',
      'postgres://ann@db.example:5433/films',
    ],
    ['postgresql://ann:se@cr/et@db.example/films', 'postgres://ann@db.example/films'],
    ['postgres://db.example/films', 'postgres://db.example/films'],
    ['postgres:///films?host=/run/pg', 'postgres:///films?host=/run/pg'],
    ['/videos/postgres', '/videos/postgres'],
  ])('%s is shown as %s', (address, shown) => {
    expect(publicAddress(address)).toBe(shown);
  });
});

describe.skipIf(noServer)('a PostgreSQL database', () => {
  it('is made once, however many open it at once', async () => {
    const address = await temporaryDatabase();
    await Promise.all([1, 2, 3].map(() => prepareSchema(connect(address), { create: true })));
    const steps = await connect(address).all<{ version: number }>('SELECT version FROM longwatch.schema_step');
    expect(steps).toEqual([{ version: 1 }, { version: 2 }, { version: 3 }, { version: 4 }]);
  });

  it('without a library, with a newer one, or not there at all is refused by name', async () => {
    const address = await temporaryDatabase();
    const refusal = async (db: Database, create: boolean) =>
      prepareSchema(db, { create }).catch((error: { readonly code?: string }) => error.code);
    expect(await refusal(connect(address), false)).toBe('library_not_found');
    expect(await refusal(connect(address, true), true)).toBe('library_not_found');
    const db = connect(address);
    await prepareSchema(db, { create: true });
    await db.run("INSERT INTO schema_step (version, name) VALUES (1000, 'of tomorrow')");
    expect(await refusal(connect(address), true)).toBe('library_newer');
    expect(await refusal(connect(address.replace(/test_\w+/, 'nowhere')), true)).toBe('library_not_found');
  });

  it('that a newer program has added to is worked on to the end by who is at it, and opened by no older one', async () => {
    const address = await temporaryDatabase();
    const older = await openPostgresLibrary(address, { create: true, state: temporaryFolder() });
    try {
      await older.addJob({ path: '/film' });
      const claim = await older.claimJob(CLAIM);
      const fence = claim?.fence ?? NO_FENCE;
      const film = older.underJob(fence);
      const { id } = await film.addVideo(newVideo('film'));
      await film.writeWindow(id, windowOf(0));
      // What an upgrade may do while others work: add tables, and columns that need not be given.
      const newer = connect(address);
      await newer.write(async (sql) => {
        for (const table of ['job', 'video', 'segment', 'event', 'worker'])
          await sql.run(
            `ALTER TABLE ${table} ADD COLUMN of_tomorrow text, ADD COLUMN counted integer NOT NULL DEFAULT 0`,
          );
        await sql.run("INSERT INTO schema_step (version, name) VALUES (1000, 'of tomorrow')");
      });
      await film.writeWindow(id, windowOf(1));
      await older.workers.sign({ owner: 'one', host: 'h', version: '0.1.0', parts: ['decode'], draining: true });
      expect(await older.endJob(fence, { kind: 'done', videoId: id })).toMatchObject({ state: 'done' });
      expect([...(await older.writtenWindows(id))]).toEqual([0, 1]);
      await expect(openPostgresLibrary(address, { create: true, state: temporaryFolder() })).rejects.toMatchObject({
        code: 'library_newer',
      });
    } finally {
      await older.close();
    }
  });

  it('is changed by no step so that an older program, which knows nothing of it, could not write as before', async () => {
    const db = connect(await temporaryDatabase());
    await db.run('CREATE SCHEMA longwatch');
    let before = new Map<string, Column>();
    for (const { name, sql } of MIGRATIONS) {
      await db.run(sql);
      const after = await columnsOf(db);
      const isOld = (table: string) => [...before.values()].some((column) => column.table === table);
      for (const [place, column] of before) expect(after.get(place), `${name}: ${place}`).toEqual(column);
      const asked = [...after].filter(([place, { table, given }]) => !before.has(place) && isOld(table) && given);
      expect(asked, name).toEqual([]);
      before = after;
    }
    expect(before.size).toBeGreaterThan(100);
  });

  it('opened for reading refuses to write', async () => {
    const { address } = await opening();
    await expect(new Jobs(connect(address, true)).add({ path: '/a' })).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('gives a hundred who ask at once a hundred different jobs', async () => {
    const { db, address } = await opening();
    const jobs = new Jobs(db);
    for (let i = 0; i < 100; i++) await jobs.add({ path: `/film ${i}` });
    const hosts = [jobs, new Jobs(connect(address)), new Jobs(connect(address))];
    const claimed = await Promise.all(Array.from({ length: 100 }, (_, i) => hosts[i % 3]?.claim(CLAIM)));
    expect(new Set(claimed.map((claim) => claim?.job.id)).size).toBe(100);
    expect(await jobs.claim(CLAIM)).toBeUndefined();
  });

  it('holds who takes a job away until the write under it has ended, and lets no write follow', async () => {
    const { db, address } = await opening();
    const jobs = new Jobs(db);
    const { id } = await jobs.add({ path: '/film' });
    const claim = await jobs.claim(CLAIM);
    const fence = claim?.fence ?? { jobId: '', token: 0 };
    const guarded = db.guardedBy((sql) => requireHeld(sql, fence));
    const order: string[] = [];
    let cancelled: Promise<unknown> | undefined;
    await guarded.write(async (sql) => {
      cancelled ??= new Jobs(connect(address)).cancel(id).then(() => order.push('cancelled'));
      await sql.run('SELECT pg_sleep(0.1)');
      order.push('written');
    });
    await cancelled;
    expect(order).toEqual(['written', 'cancelled']);
    await expect(guarded.run("UPDATE meta SET value = 7 WHERE key = 'vec_generation'")).rejects.toMatchObject({
      code: 'lease_lost',
    });
    expect(await db.get("SELECT value FROM meta WHERE key = 'vec_generation'")).toEqual({ value: 0 });
  });

  it('goes by its own clock alone: a host whose clock is an hour off neither takes a job too early nor loses its own', async () => {
    const { db, address } = await opening();
    const ours = new Jobs(db);
    const astray = new Jobs(connect(address));
    const clockOff = async <T>(by: number, act: () => Promise<T>): Promise<T> => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + by });
      try {
        return await act();
      } finally {
        vi.useRealTimers();
      }
    };
    const error = { code: 'disk_full', detail: 'It is full.' };
    for (const by of [3_600_000, -3_600_000]) {
      const { id } = await ours.add({ path: `/film ${by}` });
      const held = await ours.claim(CLAIM);
      expect(held?.job.id).toBe(id);
      // Neither before its time ...
      expect(await clockOff(by, () => astray.claim({ ...CLAIM, owner: 'astray' }))).toBeUndefined();
      await ours.end(held?.fence ?? NO_FENCE, { kind: 'later' });
      // ... nor is its own lease over for others.
      const other = await clockOff(by, () => astray.claim({ ...CLAIM, owner: 'astray' }));
      expect(other?.job.id).toBe(id);
      expect(await ours.claim(CLAIM)).toBeUndefined();
      const step = () => ({ stage: 'windows', progress: 0, progressed: Date.now() });
      expect(await clockOff(by, () => astray.renew(other?.fence ?? NO_FENCE, 60_000, step()))).toBe(true);
      // When it got on is not off either.
      expect(Math.abs(((await ours.get(id))?.progressed ?? 0) - Date.now())).toBeLessThan(60_000);
      expect(await ours.claim(CLAIM)).toBeUndefined();
      // What it puts back for a minute waits for a minute.
      const retry = () => astray.end(other?.fence ?? NO_FENCE, { kind: 'retry', error, runAt: Date.now() + 60_000 });
      const waiting = await clockOff(by, retry);
      expect(waiting?.runAt).toBeGreaterThan(Date.now() + 30_000);
      expect(waiting?.runAt).toBeLessThan(Date.now() + 90_000);
      await ours.cancel(id);
    }
  });

  it('runs a transaction again that two others got in the way of', async () => {
    const { db } = await opening();
    const both = ["'vec_generation'", "'jobs_paused'"];
    // Each holds the row that the other one wants next: the server ends one of them.
    const crossed = (keys: readonly string[]) =>
      db.write(async (sql) => {
        for (const key of keys) {
          await sql.run(`UPDATE meta SET value = value + 1 WHERE key = ${key}`);
          await sql.run('SELECT pg_sleep(0.05)');
        }
      });
    await Promise.all([crossed(both), crossed(both.toReversed())]);
    expect(await db.all('SELECT value FROM meta ORDER BY key')).toEqual([{ value: 2 }, { value: 2 }]);
  });

  it('goes on after its connections were ended, and runs again what was not stored', async () => {
    const { db } = await opening();
    const jobs = new Jobs(db);
    let runs = 0;
    await db.write(async (sql) => {
      runs++;
      await sql.run("UPDATE meta SET value = value + 1 WHERE key = 'vec_generation'");
      const self = await sql.get<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      if (runs === 1) await sqlOf(`SELECT pg_terminate_backend(${self?.pid})`);
    });
    expect(runs).toBe(2);
    expect(await db.get("SELECT value FROM meta WHERE key = 'vec_generation'")).toEqual({ value: 1 });
    await sqlOf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'");
    expect((await jobs.add({ path: '/a' })).state).toBe('queued');
  });

  it('that nobody answers for says so without the password', async () => {
    const nowhere = 'postgres://ann:secret@127.0.0.1:1/films';
    const error = await connect(nowhere, true)
      .all('SELECT 1')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'library_unreachable', path: 'postgres://ann@127.0.0.1:1/films' });
    expect(JSON.stringify([error, String(error)])).not.toContain('secret');
  });
});
