import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../../index/store/migrations/list.js';
import { DATABASE_FILE, openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { ATTEMPTS_MAX, type JobClaim, type JobEnd } from '../../../ingest/jobs/job.js';
import { isGone, ownerName } from '../../../ingest/jobs/owner.js';
import { newVideo, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

const CLAIM: JobClaim = { owner: 'one', lease: 60_000, isGone: () => false };
/** A lease that is over when it begins. */
const EXPIRED: JobClaim = { ...CLAIM, lease: -1 };
const FAILURE = { code: 'model_failed', detail: 'The model died.', hint: 'Run it again.' } as const;

let library: SqliteLibrary;
beforeEach(() => {
  library = temporaryLibrary();
});

function claimed(claim: JobClaim = CLAIM) {
  const found = library.claimJob(claim);
  if (!found) throw new Error('There is nothing to claim.');
  return found;
}

describe('the job table', () => {
  it('keeps a job with all its fields and lists the newest first', () => {
    const file = { sizeBytes: 12, modified: 1000.5 };
    const first = library.addJob({ path: '/a', priority: -10, file });
    expect(first).toMatchObject({
      kind: 'ingest',
      state: 'queued',
      stage: 'waiting',
      progress: 0,
      priority: -10,
      file,
    });
    const { fence } = claimed();
    const step = { stage: 'windows', progress: 0.5, speed: 3.25, eta: 9000, progressed: 2000 };
    expect(library.renewJob(fence, 60_000, step)).toBe(true);
    expect(library.getJob(first.id)).toMatchObject({ ...step, state: 'running', attempts: 1 });
    expect(library.endJob(fence, { kind: 'done', videoId: 'v' })).toMatchObject({
      state: 'done',
      videoId: 'v',
      progress: 1,
    });
    const second = library.addJob({ path: '/b' });
    const page = library.listJobs({ limit: 1 });
    expect(page.items.map(({ id }) => id)).toEqual([second.id]);
    expect(library.listJobs({ limit: 1, cursor: page.nextCursor as string }).items.map(({ id }) => id)).toEqual([
      first.id,
    ]);
    expect(library.getJob('nope')).toBeUndefined();
  });

  it('has one living job for a path, with the higher of the priorities that were asked for', () => {
    const { id } = library.addJob({ path: '/a', priority: -10 });
    expect(library.addJob({ path: '/a', priority: 5 })).toMatchObject({ id, priority: 5 });
    expect(library.addJob({ path: '/a', priority: 1 })).toMatchObject({ id, priority: 5 });
    library.endJob(claimed().fence, { kind: 'done', videoId: 'v' });
    expect(library.addJob({ path: '/a' }).id).not.toBe(id);
  });

  it('gives jobs out by priority, then in order, each once, and none before its time', () => {
    for (const [path, priority] of [
      ['/low', -10],
      ['/first', 0],
      ['/second', 0],
      ['/high', 7],
    ] as const)
      library.addJob({ path, priority });
    const order = ['/high', '/first', '/second', '/low'];
    expect(order.map(() => claimed().job.path)).toEqual(order);
    expect(library.claimJob(CLAIM)).toBeUndefined();
    const { fence } = claimed({ ...CLAIM, id: library.addJob({ path: '/later' }).id });
    library.endJob(fence, { kind: 'retry', error: FAILURE, runAt: Date.now() + 60_000 });
    expect(library.claimJob(CLAIM)).toBeUndefined();
    library.resumeJob(fence.jobId);
    expect(claimed().job.path).toBe('/later');
  });

  it('gives a job away when its lease has run out or its process is gone, and to nobody before', () => {
    const { id } = library.addJob({ path: '/a' });
    claimed();
    expect(library.claimJob({ ...CLAIM, owner: 'two' })).toBeUndefined();
    expect(claimed({ ...EXPIRED, owner: 'two', isGone: (owner) => owner === 'one' }).job.id).toBe(id);
    expect(claimed({ ...CLAIM, owner: 'three' }).job).toMatchObject({ id, attempts: 3 });
  });

  it('waits for no moment that was written before the clock was set back', () => {
    library.addJob({ path: '/failed' });
    const { fence } = claimed();
    // An hour is longer than any wait, and than any lease.
    library.endJob(fence, { kind: 'retry', error: FAILURE, runAt: Date.now() + 3_600_000 });
    expect(claimed({ ...CLAIM, lease: 3_600_000 }).job.path).toBe('/failed');
    expect(claimed({ ...CLAIM, owner: 'two' }).job.path).toBe('/failed');
  });

  it('refuses every write of a holder that lost its job, in the transaction that would have written', () => {
    const { id } = library.addVideo(newVideo('film'));
    library.addJob({ path: '/a' });
    const zombie = claimed(EXPIRED);
    const mine = library.underJob(zombie.fence);
    mine.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'in time') }]));
    const heir = claimed({ ...CLAIM, owner: 'two' });
    const refused = expect.objectContaining({ code: 'lease_lost' });
    expect(() => mine.writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'too late') }]))).toThrow(refused);
    expect(() => mine.updateVideo(id, { state: 'failed' })).toThrow(refused);
    expect(() => mine.addVideo(newVideo('other'))).toThrow(refused);
    expect(() => mine.clearWindows(id)).toThrow(refused);
    expect(library.renewJob(zombie.fence, 60_000, { stage: 's', progress: 0, progressed: 0 })).toBe(false);
    expect(library.endJob(zombie.fence, { kind: 'done', videoId: id })).toBeUndefined();
    library.underJob(heir.fence).writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'of the heir') }]));
    expect(library.events(id).items.map(({ text }) => text)).toEqual(['in time', 'of the heir']);
    expect(library.listVideos().items.map(({ state }) => state)).toEqual(['queued']);
  });

  it.each([
    ['cancelled', (id: string) => library.cancelJob(id)],
    ['paused', (id: string) => library.pauseJob(id)],
    ['put back with the whole queue', () => library.pauseJobs(true)],
  ])('refuses the writes of a job that was %s, whoever holds it', (_how, act) => {
    const { id } = library.addVideo(newVideo('film'));
    library.addJob({ path: '/a' });
    const { job, fence } = claimed();
    act(job.id);
    expect(() => library.underJob(fence).writeWindow(id, windowOf(0))).toThrow(
      expect.objectContaining({ code: 'lease_lost' }),
    );
  });

  it('counts attempts, forgets them when a window is written, and fails a job that ends its process again and again', () => {
    const { id } = library.addVideo(newVideo('film'));
    library.addJob({ path: '/a' });
    for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) expect(claimed(EXPIRED).job.attempts).toBe(attempt);
    const fifth = claimed(EXPIRED);
    library.underJob(fifth.fence).writeWindow(id, windowOf(0));
    for (let attempt = 2; attempt <= ATTEMPTS_MAX; attempt++) expect(claimed(EXPIRED).job.attempts).toBe(attempt);
    expect(library.claimJob(CLAIM)).toBeUndefined();
    expect(library.getJob(fifth.job.id)).toMatchObject({ state: 'failed', error: { code: 'internal' } });
    expect(library.retryJob(fifth.job.id)).toMatchObject({ state: 'queued', attempts: 0 });
    expect(library.getJob(fifth.job.id)?.error).toBeUndefined();
  });

  it('stops as a whole and goes on, also for a process that asks later', () => {
    library.addJob({ path: '/a' });
    const { job } = claimed();
    library.pauseJobs(true);
    expect(library.getJob(job.id)).toMatchObject({ state: 'queued', attempts: 0 });
    const other = openLibrary(library.directory);
    expect([other.jobsPaused(), other.claimJob(CLAIM)]).toEqual([true, undefined]);
    other.pauseJobs(false);
    expect(other.claimJob(CLAIM)?.job.id).toBe(job.id);
    void other.close();
  });

  it.each<[JobEnd, object]>([
    [
      { kind: 'failed', error: FAILURE },
      { state: 'failed', error: FAILURE },
    ],
    [
      { kind: 'retry', error: FAILURE, runAt: 5 },
      { state: 'queued', error: FAILURE, runAt: 5, attempts: 1 },
    ],
    [{ kind: 'cancelled' }, { state: 'cancelled' }],
    [{ kind: 'later' }, { state: 'queued', attempts: 0 }],
  ])('an attempt can end as $kind', (end, expected) => {
    library.addJob({ path: '/a' });
    expect(library.endJob(claimed().fence, end)).toMatchObject(expected);
  });

  it('says what cannot be done with a job, and why', () => {
    const { id } = library.addJob({ path: '/a' });
    expect(() => library.retryJob(id)).toThrow(expect.objectContaining({ code: 'conflict' }));
    library.cancelJob(id);
    for (const act of [library.pauseJob, library.resumeJob])
      expect(() => act.call(library, id)).toThrow(expect.objectContaining({ code: 'conflict' }));
    expect(library.cancelJob(id).state).toBe('cancelled');
    library.addJob({ path: '/a' });
    expect(() => library.retryJob(id)).toThrow(expect.objectContaining({ code: 'conflict' }));
    for (const act of [library.cancelJob, library.pauseJob, library.resumeJob, library.retryJob])
      expect(() => act.call(library, 'nope')).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  it('knows the newest job of each path, and whether its failure may pass', () => {
    const fail = (code: string) =>
      library.endJob(claimed().fence, { kind: 'failed', error: { code, detail: 'It failed.' } });
    library.addJob({ path: '/a', file: { sizeBytes: 3, modified: 4 } });
    fail('no_video');
    library.addJob({ path: '/b' });
    fail('disk_full');
    expect(library.lastJobs().map(({ id, updated, ...job }) => job)).toEqual([
      { path: '/a', state: 'failed', transient: false, file: { sizeBytes: 3, modified: 4 } },
      { path: '/b', state: 'failed', transient: true },
    ]);
  });

  it('looks for work along an index', () => {
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

describe('a window that is with a model', () => {
  it('is remembered until it is written or left, and counts the processes that died of it', () => {
    const { id } = library.addVideo(newVideo('film'));
    expect([library.beginWindow(id, 3, 'm'), library.beginWindow(id, 3, 'm')]).toEqual([0, 1]);
    library.leaveWindow(id, 3);
    expect(library.beginWindow(id, 3, 'm')).toBe(1);
    library.writeWindow(id, windowOf(3));
    expect(library.beginWindow(id, 3, 'm')).toBe(0);
    library.leaveWindow(id, 3);
    expect(library.beginWindow(id, 3, 'm')).toBe(0);
  });

  it('stays given up when it is written, and gets its chance again with the windows that are dropped', () => {
    const { id } = library.addVideo(newVideo('film'));
    library.beginWindow(id, 1, 'm');
    library.giveUpWindow(id, 1);
    expect(library.givenUpWindows(id)).toEqual([]);
    library.writeWindow(id, windowOf(1));
    expect(library.givenUpWindows(id)).toEqual([{ start: 10, end: 20 }]);
    library.clearWindows(id);
    expect([library.givenUpWindows(id), library.beginWindow(id, 1, 'm')]).toEqual([[], 0]);
  });
});
