import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS, SCHEMA_VERSION } from '../../../index/store/migrations/list.js';
import { JOB_STATES, VIDEO_STATES } from '../../../index/store/records.js';
import { eventsInRange } from '../../../index/store/scope.js';
import { DATABASE_FILE, openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import type { JobFence } from '../../../ingest/jobs/job.js';
import { EVENT_KINDS, EVENT_SOURCES } from '../../../src/event.js';
import { newVideo, randomFrom, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

const compiled = fileURLToPath(new URL('../../../dist/index/store/sqlite-library.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

/**
 * Runs `body` (statements that see `openLibrary`) in a process of its own; what it prints is returned. With `uid` it gives up its rights
 * after everything is loaded, since that user may not be able to read this checkout.
 */
function runScript(body: string, options: { readonly uid?: number; readonly shell?: string } = {}): string {
  const { uid } = options;
  const dropRights =
    uid === undefined
      ? ''
      : `await openLibrary(${JSON.stringify(join(temporaryFolder(), 'loads the native part'))}, { create: true }).close();
         process.setgroups([]); process.setgid(${uid}); process.setuid(${uid});`;
  const script = `import { openLibrary } from ${JSON.stringify(compiled)};\n${dropRights}\n${body}`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const [command = '', ...rest] = options.shell ? ['sh', '-c', `${options.shell}; exec "$@"`, 'sh', ...node] : node;
  const done = spawnSync(command, rest, { encoding: 'utf8' });
  return done.stdout + done.stderr;
}

describe('opening a library', () => {
  it('without `create` finds nothing in an empty folder and leaves it empty', () => {
    const directory = temporaryFolder();
    for (const options of [{}, { readonly: true }, { readonly: true, create: true }]) {
      expect(() => openLibrary(directory, options)).toThrow(expect.objectContaining({ code: 'library_not_found' }));
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it('with `create` makes the folder and the newest schema, also over an empty file', () => {
    const directory = join(temporaryFolder(), 'a', 'b');
    temporaryLibrary({ directory });
    const empty = temporaryFolder();
    writeFileSync(join(empty, DATABASE_FILE), '');
    const library = temporaryLibrary({ directory: empty, create: false });
    expect(library.addVideo(newVideo('film')).state).toBe('queued');
    const db = new BetterSqlite3(join(directory, DATABASE_FILE), { readonly: true });
    expect(db.pragma('user_version', { simple: true })).toBe(SCHEMA_VERSION);
    expect(db.pragma('application_id', { simple: true })).toBe(0x4c574348);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    db.close();
  });

  it('refuses a library of a newer format and does not touch it', async () => {
    const directory = temporaryFolder();
    await temporaryLibrary({ directory }).close();
    const db = new BetterSqlite3(join(directory, DATABASE_FILE));
    db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    db.close();
    for (const options of [{}, { create: true }, { readonly: true }]) {
      expect(() => openLibrary(directory, options)).toThrow(expect.objectContaining({ code: 'library_newer' }));
    }
  });

  it.each([
    ['text', Buffer.from('this is no database, though it is long enough to be looked at '.repeat(40))],
    ['noise', Buffer.from(Array.from({ length: 8192 }, randomFrom(3)).map((value) => Math.floor(value * 256)))],
    ['a header alone', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(84, 0xff)])],
  ])('refuses %s as damaged', (_, bytes) => {
    const directory = temporaryFolder();
    writeFileSync(join(directory, DATABASE_FILE), bytes);
    expect(() => openLibrary(directory, { create: true })).toThrow(
      expect.objectContaining({ code: 'library_damaged' }),
    );
  });

  it('refuses a database of another program', () => {
    const directory = temporaryFolder();
    const db = new BetterSqlite3(join(directory, DATABASE_FILE));
    db.exec('CREATE TABLE recipe (name TEXT)');
    db.close();
    expect(() => openLibrary(directory, { create: true })).toThrow(
      expect.objectContaining({ code: 'library_damaged' }),
    );
  });

  it('a folder in the place of the database is an error that says so', () => {
    const directory = temporaryFolder();
    mkdirSync(join(directory, DATABASE_FILE));
    expect(() => openLibrary(directory, { create: true })).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  it('read-only reads while another writes, and refuses to write', () => {
    const directory = temporaryFolder();
    const writer = temporaryLibrary({ directory });
    const reader = temporaryLibrary({ directory, create: false, readonly: true });
    const { id } = writer.addVideo(newVideo('film'));
    expect(reader.getVideo(id)?.title).toBe('film');
    expect(() => reader.addVideo(newVideo('other'))).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  it.skipIf(process.platform === 'win32')('a folder that cannot be written is an error that says so', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory });
    library.addVideo(newVideo('film'));
    await library.close();
    chmodSync(directory, 0o555);
    chmodSync(join(directory, DATABASE_FILE), 0o444);
    const stranger = isRoot ? { uid: 65534 } : {};
    const attempt = (options: object) => `
      try {
        const library = openLibrary(${JSON.stringify(directory)}, ${JSON.stringify(options)});
        console.log(library.stats().videos);
      } catch (error) { console.log(error.code); }`;
    expect(runScript(attempt({ readonly: true }), stranger)).toBe('forbidden\n');
    expect(runScript(attempt({}), stranger)).toBe('forbidden\n');
    expect(runScript(attempt({ create: true }).replace(directory, join(directory, 'new')), stranger)).toBe(
      'forbidden\n',
    );
    chmodSync(directory, 0o755);
  });

  it.skipIf(process.platform === 'win32')(
    'a full disk fails the write as disk_full and keeps every window before it',
    async () => {
      const directory = temporaryFolder();
      const { id } = temporaryLibrary({ directory }).addVideo(newVideo('film'));
      // RLIMIT_FSIZE stands for the full disk: every file ends at 800 blocks of 512 bytes.
      const output = runScript(
        `const library = openLibrary(${JSON.stringify(directory)});
       const text = 'word '.repeat(2000);
       let index = 0;
       try {
         for (; index < 500; index++) {
           library.writeWindow(${JSON.stringify(id)}, {
             window: { index, start: index, end: index + 1, frames: [], activity: 0 }, precision: 1,
             events: [{ event: { kind: 'text', source: 'text', start: index, end: index + 1, precision: 0, text, attributes: {} } }],
           });
         }
       } catch (error) {
         console.log(error.code, library.writtenWindows(${JSON.stringify(id)}).size === index, index > 0);
       }`,
        { shell: 'ulimit -f 800' },
      );
      expect(output).toBe('disk_full true true\n');
      const library = temporaryLibrary({ directory });
      const { ok, checks } = await library.check();
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(ok).toBe(true);
      expect(library.events(id, { limit: 1000 }).items).toHaveLength(library.writtenWindows(id).size);
    },
  );
});

/** Brings jobs into every state that there is. */
function statesOfJobs(library: SqliteLibrary): string[] {
  const claim = { owner: 'o', lease: 60_000, isGone: () => false };
  const begin = (path: string) => library.claimJob({ ...claim, id: library.addJob({ path }).id })?.fence as JobFence;
  library.endJob(begin('done'), { kind: 'done', videoId: 'v' });
  library.endJob(begin('failed'), { kind: 'failed', error: { code: 'no_video', detail: 'There is none.' } });
  library.cancelJob(library.addJob({ path: 'cancelled' }).id);
  library.pauseJob(library.addJob({ path: 'paused' }).id);
  begin('running');
  library.addJob({ path: 'queued' });
  return library
    .listJobs()
    .items.map(({ path, state }) => (path === state ? state : `${path} is ${state}`))
    .sort();
}

describe('the schema', () => {
  it('its steps count up from 1', () => {
    expect(MIGRATIONS.map((step) => step.version)).toEqual(MIGRATIONS.map((_, i) => i + 1));
  });

  it('takes every state, kind and source of the program, and no other', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    for (const state of VIDEO_STATES) expect(library.updateVideo(id, { state }).state).toBe(state);
    expect(statesOfJobs(library)).toEqual([...JOB_STATES].sort());
    const events = EVENT_KINDS.flatMap((kind) =>
      EVENT_SOURCES.map((source) => ({ event: { ...subtitle(0, 1, 'x'), kind, source } })),
    );
    library.writeWindow(id, windowOf(0, events));
    expect(library.stats().events).toBe(EVENT_KINDS.length * EVENT_SOURCES.length);
    const invented = { ...subtitle(0, 1, 'x'), kind: 'smell' as 'cut' };
    expect(() => library.writeWindow(id, windowOf(1, [{ event: invented }]))).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
  });

  it('answers the hot questions from indexes, without a sort or a walk over a table', () => {
    const directory = temporaryFolder();
    temporaryLibrary({ directory });
    const db = new BetterSqlite3(join(directory, DATABASE_FILE), { readonly: true });
    const plan = (sql: string) =>
      db
        .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((row) => row.detail);
    const page = plan(
      `SELECT event.* FROM event WHERE event.video_key = 1 AND (event.start_s, event.layer, event.window_index, event.position) > (1, '', 1, 1)
       AND event.kind IN (SELECT value FROM json_each('[]')) ORDER BY event.start_s, event.layer, event.window_index, event.position LIMIT 10`,
    );
    expect(page[0]).toBe(
      'SEARCH event USING INDEX event_by_time (video_key=? AND (start_s,layer,window_index,position)>(?,?,?,?))',
    );
    const more = [
      'SELECT id FROM embedding WHERE embedder_key = 1 AND id > 5 ORDER BY id LIMIT 10',
      'SELECT count(*) FROM embedding WHERE embedder_key = 1',
      "SELECT * FROM video WHERE (added_ms, id) > (1, 'a') ORDER BY added_ms, id LIMIT 10",
      "SELECT * FROM video WHERE id >= 'abcd' AND id < 'abcdg' ORDER BY id",
      "SELECT * FROM job WHERE (created_ms, id) < (1, 'a') ORDER BY created_ms DESC, id DESC LIMIT 10",
      "SELECT * FROM segment WHERE video_key = 1 AND layer = 'windows' AND window_index > 3 ORDER BY window_index LIMIT 10",
      "SELECT * FROM event WHERE video_key = 1 AND layer = 'windows' AND window_index = 3",
      'SELECT * FROM embedding WHERE event_key = 1',
      "SELECT path FROM video WHERE path IN ('a', 'b')",
    ].flatMap(plan);
    const label = plan(
      `SELECT key FROM event WHERE source IN ('signal', 'picture') AND text = 'cut'
       ORDER BY video_key, start_s, layer, window_index, position LIMIT 10`,
    );
    expect(label).toEqual(['SEARCH event USING COVERING INDEX event_by_label (text=?)']);
    const range = plan(
      `${eventsInRange('event.*', 'event.video_key = 1')} ORDER BY start_s, layer, window_index, position LIMIT 10`
        .replaceAll('@range_start', '5')
        .replaceAll('@range_end', '9'),
    ).filter((step) => step.includes('event'));
    expect(range).toEqual([
      'SEARCH event USING INDEX event_by_time (video_key=? AND start_s>? AND start_s<?)',
      'SEARCH event USING INDEX event_long (video_key=? AND start_s<?)',
    ]);
    expect([...page, ...more].filter((step) => step.includes('TEMP B-TREE') || step.startsWith('SCAN event'))).toEqual(
      [],
    );
    expect(more.filter((step) => !step.startsWith('SEARCH'))).toEqual([]);
    db.close();
  });
});

describe('a library of an older format', () => {
  it('of the time before layers keeps its windows, events, full text and embeddings', async () => {
    const directory = temporaryFolder();
    const old = new BetterSqlite3(join(directory, DATABASE_FILE));
    for (const step of MIGRATIONS.slice(0, 2)) old.exec(step.sql);
    old.pragma('user_version = 2');
    old.pragma(`application_id = ${0x4c574348}`);
    old.exec(`
      INSERT INTO video VALUES (7, '0123456789ab', '${'0123456789ab'.padEnd(64, '0')}', '/film.mp4', 'film', 1, 1, 1, 1, 'ready', 20, 4, 3,
        '{}', 'mp4', 'h264', 0, '[[0,20]]', '[]', '{}', 'print', NULL, NULL, NULL);
      INSERT INTO segment VALUES (3, 7, 0, 0, 10, 0, 'a caption', 'm', 0.5), (4, 7, 1, 10, 20, 0, NULL, NULL, 0);
      INSERT INTO planned_frame VALUES (3, 0, 12, 1.5);
      INSERT INTO event VALUES (5, 7, 0, 0, 1, 2, 'subtitle', 'subtitle', 0.08, 'a hare wakes', NULL, NULL, '{}'),
        (9, 7, 1, 0, 11, 12, 'cut', 'signal', 0.04, 'cut', NULL, NULL, '{}');
      INSERT INTO embedder VALUES (1, 'e', 2);
      INSERT INTO embedding VALUES (2, 5, 1, 2, 1, x'0000803f00000000');
      UPDATE meta SET value = 1 WHERE key = 'vec_generation';`);
    old.close();
    const library = temporaryLibrary({ directory, create: false });
    const id = '0123456789ab';
    expect(library.events(id).items.map((event) => [event.id, event.text])).toEqual([
      [`${id}-0-0`, 'a hare wakes'],
      [`${id}-1-0`, 'cut'],
    ]);
    expect(library.segments(id).items[0]).toMatchObject({ caption: 'a caption', frames: [{ pts: 12, time: 1.5 }] });
    expect(library.matchText('hare', 5)).toHaveLength(1);
    expect((await library.nearest('e', Float32Array.of(1, 0), 5))[0]?.event.text).toBe('a hare wakes');
    expect(await library.check()).toMatchObject({ ok: true });
    // The triggers and references of the new tables work: what hangs on a window goes with it.
    library.clearWindows(id);
    expect(library.stats()).toMatchObject({ segments: 0, events: 0, embeddings: 0 });
    expect(library.matchText('hare', 5)).toEqual([]);
  });
});

describe('a library from before stretches said how they were made', () => {
  it('keeps its layers, whose texts stay where they were embedded, and does not know of its windows', async () => {
    const directory = temporaryFolder();
    const old = new BetterSqlite3(join(directory, DATABASE_FILE));
    old.pragma('foreign_keys = OFF');
    for (const step of MIGRATIONS.slice(0, 5)) old.exec(step.sql);
    old.pragma('user_version = 5');
    old.pragma(`application_id = ${0x4c574348}`);
    old.exec(`
      INSERT INTO video VALUES (7, '0123456789ab', '${'0123456789ab'.padEnd(64, '0')}', '/film.mp4', 'film', 1, 1, 1, 1, 'ready', 20, 4, 3,
        '{}', 'mp4', 'h264', 0, '[[0,20]]', '[]', '{}', 'print', NULL, NULL, NULL, NULL);
      INSERT INTO segment VALUES (3, 7, 'windows', 0, 0, 20, 0, NULL, NULL, 0), (4, 7, 'speech', 0, 0, 20, 0, NULL, NULL, 0),
        (5, 7, 'sound', 0, 0, 20, 0, NULL, NULL, 0);
      INSERT INTO layer_pass VALUES (7, 'speech', 'speech 1, tiny; meaning minilm', 1), (7, 'sound', 'sound 1; meaning none', 1);
      INSERT INTO job (id, kind, path, state, priority, run_at_ms, attempts, stage, progress, created_ms, updated_ms, progressed_ms)
        VALUES ('j', 'ingest', '/film.mp4', 'done', 0, 0, 1, 'done', 1, 1, 1, 1);`);
    old.close();
    const library = temporaryLibrary({ directory, create: false });
    const id = '0123456789ab';
    expect(library.beginLayer(id, 'speech', 'speech 1, tiny')).toMatchObject({ done: true });
    expect(library.beginLayer(id, 'sound', 'sound 1')).toMatchObject({ done: true });
    expect(library.stretchesToEmbed(id, 'minilm')).toEqual([{ layer: 'sound', index: 0 }]);
    expect(library.makings(id)).toEqual(new Map([[0, undefined]]));
    expect(library.findVideo(id)).toMatchObject({ tags: [] });
    expect(library.findVideo(id)).not.toHaveProperty('profile');
    expect(library.getJob('j')).toMatchObject({ state: 'done', tags: [] });
    expect(await library.check()).toMatchObject({ ok: true });
  });
});

describe('backup', () => {
  it('is a whole library, made while the first one is in use', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'hello'), embedding: Float32Array.of(3, 4) }]), 'e');
    const folder = temporaryFolder();
    const file = join(folder, 'kept', 'copy.sqlite');
    await library.backup(file);
    expect(readdirSync(join(folder, 'kept'))).toEqual(['copy.sqlite']);
    const restored = temporaryFolder();
    copyFileSync(file, join(restored, DATABASE_FILE));
    const copy = temporaryLibrary({ directory: restored });
    expect(copy.events(id)).toEqual(library.events(id));
    expect(copy.matchText('hello', 1)).toHaveLength(1);
    expect((await copy.nearest('e', Float32Array.of(3, 4), 1))[0]?.similarity).toBeCloseTo(1, 6);
    expect((await copy.check()).ok).toBe(true);
  });

  it('over the library itself is refused, and a place that cannot be written is an error without remains', async () => {
    const library = temporaryLibrary();
    const own = join(library.directory, DATABASE_FILE);
    await expect(library.backup(own)).rejects.toMatchObject({ code: 'conflict' });
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'taken.sqlite'));
    await expect(library.backup(join(folder, 'taken.sqlite'))).rejects.toBeInstanceOf(Error);
    expect(readdirSync(folder)).toEqual(['taken.sqlite']);
    expect(library.stats().videos).toBe(0);
  });
});
