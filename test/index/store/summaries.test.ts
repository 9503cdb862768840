import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { firstSchema } from '../../../index/store/migrations/first-schema.js';
import { DATABASE_FILE } from '../../../index/store/sqlite-library.js';
import { sha256, temporaryFolder, temporaryLibrary } from '../support.js';

const CONTENT = sha256('the texts of the rabbit');
const SUMMARY = { model: 'tiny', sentences: [{ start: 0, end: 12.5, precision: 0.25, text: 'A rabbit wakes up.' }] };

describe('a summary in the library', () => {
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
