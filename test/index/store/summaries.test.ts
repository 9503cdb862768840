import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { firstSchema } from '../../../index/store/migrations/first-schema.js';
import { DATABASE_FILE } from '../../../index/store/sqlite-library.js';
import { newVideo, sha256, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

const CONTENT = sha256('the texts of the rabbit');
const SUMMARY = { model: 'tiny', sentences: [{ start: 0, end: 12.5, precision: 0.25, text: 'A rabbit wakes up.' }] };

function kept() {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('rabbit'));
  for (const index of [0, 1])
    library.writeWindow(id, windowOf(index, [{ event: subtitle(index * 10, index * 10 + 5, 'x') }]));
  library.putSummary(id, CONTENT, SUMMARY);
  return { library, id };
}

describe('a summary in the library', () => {
  it('comes back for the same content and no other', () => {
    const { library, id } = kept();
    expect(library.getSummary(id, CONTENT)).toEqual(SUMMARY);
    expect(library.getSummary(id, sha256('other texts'))).toBeUndefined();
    const other = library.addVideo(newVideo('other')).id;
    expect(library.getSummary(other, CONTENT)).toBeUndefined();
  });

  it.each([
    ['a window is written', ({ library, id }: ReturnType<typeof kept>) => library.writeWindow(id, windowOf(2))],
    ['a window is replaced', ({ library, id }: ReturnType<typeof kept>) => library.writeWindow(id, windowOf(0))],
    ['the windows are dropped', ({ library, id }: ReturnType<typeof kept>) => library.clearWindows(id)],
  ])('is gone when %s', (_, change) => {
    const house = kept();
    change(house);
    expect(house.library.getSummary(house.id, CONTENT)).toBeUndefined();
  });

  it('stays when another video is written, and goes with its own', async () => {
    const { library, id } = kept();
    const other = library.addVideo(newVideo('other')).id;
    library.writeWindow(other, windowOf(0));
    expect(library.getSummary(id, CONTENT)).toEqual(SUMMARY);
    library.removeVideo(id);
    expect(() => library.getSummary(id, CONTENT)).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect((await library.check()).ok).toBe(true);
  });

  it('has a place in a library of the first format too, whose rows stay', () => {
    const directory = temporaryFolder();
    const old = new BetterSqlite3(join(directory, DATABASE_FILE));
    old.exec(firstSchema.sql);
    old.exec(
      `INSERT INTO video VALUES (1, '${sha256('rabbit').slice(0, 12)}', '${sha256('rabbit')}', '/r.mp4', 'rabbit', 1, 1, 1, 1, 'ready', 10, 2, 2, '{}', 'mp4', 'h264', 0, '[]', '[]', '{}', 'f', NULL, NULL, NULL)`,
    );
    const other = temporaryLibrary();
    const reference = new BetterSqlite3(join(other.directory, DATABASE_FILE), { readonly: true });
    const application = reference.pragma('application_id', { simple: true });
    reference.close();
    old.pragma('user_version = 1');
    old.pragma(`application_id = ${application}`);
    old.close();
    const library = temporaryLibrary({ directory });
    const [video] = library.listVideos().items;
    expect(video?.title).toBe('rabbit');
    library.putSummary(video?.id ?? '', CONTENT, SUMMARY);
    expect(library.getSummary(video?.id ?? '', CONTENT)).toEqual(SUMMARY);
  });
});
