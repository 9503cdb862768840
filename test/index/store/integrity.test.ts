import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { DATABASE_FILE } from '../../../index/store/sqlite-library.js';
import { newVideo, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

/** A small sound library, closed; then `damage` with foreign keys off; then the names of the checks that fail. */
async function failuresAfter(damage: (db: BetterSqlite3.Database) => void): Promise<string[]> {
  const directory = temporaryFolder();
  const library = temporaryLibrary({ directory });
  const { id } = library.addVideo(newVideo('film'));
  library.updateVideo(id, { duration: 30, state: 'ready' });
  for (let w = 0; w < 3; w++) {
    const event = subtitle(w * 10 + 1, w * 10 + 2, `line ${w}`);
    library.writeWindow(id, windowOf(w, [{ event, embedding: Float32Array.of(1, w) }]), 'e');
  }
  expect((await library.check()).ok).toBe(true);
  await library.close();
  const db = new BetterSqlite3(join(directory, DATABASE_FILE));
  db.pragma('foreign_keys = OFF');
  damage(db);
  db.close();
  const report = await temporaryLibrary({ directory }).check();
  expect(report.ok).toBe(report.checks.every((check) => check.ok));
  return report.checks.filter((check) => !check.ok).map((check) => check.name);
}

describe('the check of a library', () => {
  it('finds rows that refer to nothing', async () => {
    expect(await failuresAfter((db) => db.exec('DELETE FROM video'))).toContain('references');
  });

  it('finds an event whose words are not in the full text', async () => {
    expect(
      await failuresAfter((db) =>
        db.exec("INSERT INTO event_text (event_text, rowid, text) VALUES ('delete', 2, 'line 1')"),
      ),
    ).toContain('full text');
  });

  it('finds words in the full text whose event is gone', async () => {
    expect(
      await failuresAfter((db) => db.exec('DROP TRIGGER event_text_delete; DELETE FROM event WHERE window_index = 1')),
    ).toContain('full text');
  });

  it.each([
    ["UPDATE meta SET value = 9 WHERE key = 'windows'"],
    ["UPDATE meta SET value = 9 WHERE key = 'worded_events'"],
    ['UPDATE embedder SET rows = 9'],
    ["INSERT INTO label (text, uses) VALUES ('cut', 1)"],
  ])('finds a count that is wrong: %s', async (sql) => {
    expect(await failuresAfter((db) => db.exec(sql))).toEqual(['counts']);
  });

  it('finds windows that overlap', async () => {
    expect(await failuresAfter((db) => db.exec('UPDATE segment SET end_s = 10.5 WHERE window_index = 0'))).toEqual([
      'windows',
    ]);
  });

  it('finds a window that is missing in a video that is ready', async () => {
    expect(
      await failuresAfter((db) => {
        db.pragma('foreign_keys = ON');
        db.exec('DELETE FROM segment WHERE window_index = 1');
      }),
    ).toEqual(['windows']);
  });

  it('finds an event behind the end of its video', async () => {
    expect(await failuresAfter((db) => db.exec('UPDATE video SET duration_s = 21.5'))).toEqual(['events']);
  });

  it('finds an embedding of another length', async () => {
    expect(
      await failuresAfter((db) => db.exec('UPDATE embedding SET dim = 1, vec = zeroblob(4) WHERE id = 1')),
    ).toEqual(['embeddings']);
  });

  it('finds an embedding that is newer than the library', async () => {
    expect(await failuresAfter((db) => db.exec("UPDATE meta SET value = 1 WHERE key = 'vec_generation'"))).toEqual([
      'embeddings',
    ]);
  });

  it('reports a damaged page and does not throw', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory });
    const { id } = library.addVideo(newVideo('film'));
    for (let w = 0; w < 600; w++)
      library.writeWindow(id, windowOf(w, [{ event: subtitle(w * 10, w * 10 + 1, `line ${w}`) }]));
    await library.close();
    const file = join(directory, DATABASE_FILE);
    const page = 4096;
    const pages = readFileSync(file).length / page;
    const descriptor = openSync(file, 'r+');
    // Behind the schema, whose own pages lie in front.
    for (let n = Math.floor((3 * pages) / 4); n < pages; n += 3)
      writeSync(descriptor, Buffer.alloc(page, 0xa5), 0, page, n * page);
    closeSync(descriptor);
    const report = await temporaryLibrary({ directory }).check();
    expect(report.ok).toBe(false);
    expect(report.checks.find((check) => check.name === 'database')?.ok).toBe(false);
  });

  it('a vector index that does not fit is named, and no index is in order', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory, graphFromRows: 1 });
    const { id } = library.addVideo(newVideo('film'));
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a'), embedding: Float32Array.of(1, 2) }]), 'e');
    const vectorCheck = async () => (await library.check()).checks.find((check) => check.name === 'vector index');
    expect(await vectorCheck()).toMatchObject({ ok: true, detail: expect.stringContaining('no index file') });
    await library.rebuildIndex();
    expect(await vectorCheck()).toMatchObject({ ok: true, detail: expect.stringContaining('generation 1 of 1') });
    const [manifest = ''] = (await import('node:fs'))
      .readdirSync(join(directory, 'vectors'))
      .filter((name) => name.endsWith('.json'));
    writeFileSync(join(directory, 'vectors', manifest), '{}');
    expect(await vectorCheck()).toMatchObject({ ok: false, detail: expect.stringContaining('manifest is damaged') });
  });
});
