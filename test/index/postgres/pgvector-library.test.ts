/** The contract suite on a real PostgreSQL server with pgvector, and what only such a server can show. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import { Database } from '../../../index/postgres/database.js';
import { findEmbedder } from '../../../index/postgres/embeddings.js';
import { freePoints } from '../../../index/postgres/migrations/free-points.js';
import { candidates } from '../../../index/postgres/point-search.js';
import { fillPoints } from '../../../index/postgres/points.js';
import { connectPool } from '../../../index/postgres/pool.js';
import { openPostgresLibrary } from '../../../index/postgres/postgres-library.js';
import type { Sql } from '../../../index/postgres/sql.js';
import { unitVector } from '../../../index/vectors/vector.js';
import { libraryContract } from '../contract/library.js';
import { vectorsContract } from '../contract/vectors.js';
import { latentVectors, newVideo, subtitle, temporaryFolder, windowOf } from '../support.js';
import { postgresHouse } from './houses.js';
import { crash, noPgvector, pgvectorDatabase, programs } from './pgvector-server.js';

const DIM = 24;
const A_WINDOW = 100;

let address: Promise<string> | undefined;
const house = postgresHouse(async () => {
  address = pgvectorDatabase();
  const known = await address;
  return {
    address: known,
    connect: (options) => connectPool(known, options),
    prepare: async (db) => {
      await db.run('CREATE EXTENSION IF NOT EXISTS vector');
    },
  };
});

let connected: Database | undefined;
afterAll(async () => {
  await connected?.close();
});

/** The library's database, past the library. */
async function database(): Promise<Database> {
  const known = (await address) ?? '';
  connected ??= new Database(connectPool(known, { readonly: false }), known, false);
  return connected;
}

/** Writes windows of 100 vectors each. */
async function write(library: Library, name: string, vectors: readonly Float32Array[]): Promise<string> {
  const { id } = await library.addVideo(newVideo(name));
  for (let from = 0; from < vectors.length; from += A_WINDOW)
    await library.writeWindow(
      id,
      windowOf(
        from / A_WINDOW,
        vectors
          .slice(from, from + A_WINDOW)
          .map((embedding, i) => ({ event: subtitle(from / 10, from / 10 + 1, `line ${i}`), embedding })),
      ),
      'e',
    );
  return id;
}

/** Does `act` once, before the first statement that begins so. */
function interrupting(sql: Sql, statement: string, act: () => Promise<void>): Sql {
  let done = false;
  return {
    all: (text, parameters) => sql.all(text, parameters),
    get: (text, parameters) => sql.get(text, parameters),
    run: async (text, parameters) => {
      if (!done && text.startsWith(statement)) {
        done = true;
        await act();
      }
      return sql.run(text, parameters);
    },
    write: (work) => sql.write(work),
    read: (work) => sql.read(work),
  };
}

async function embedderOf(db: Sql) {
  const embedder = await findEmbedder(db, 'e');
  if (!embedder) throw new Error('Nothing was embedded.');
  return embedder;
}

async function troubles(library: Library): Promise<readonly unknown[]> {
  return (await library.check()).checks.filter(({ ok }) => !ok);
}

describe.skipIf(noPgvector)('on PostgreSQL with pgvector', () => {
  libraryContract(house);

  describe('divided into partitions', () => {
    const divided = { partitionRows: 60 };
    vectorsContract({
      ...house,
      make: (options) => house.make({ ...options, ...divided }),
      again: (library, options) => house.again(library, { ...options, ...divided }),
    });
  });

  describe('the index of vectors', () => {
    const vectors = latentVectors(600, DIM, 3);
    const query = unitVector(vectors[7] ?? new Float32Array(DIM), DIM);

    it('answers, in one table and in partitions, without statistics', async () => {
      const library = await house.make({ graphFromRows: 100, partitionRows: 150 });
      await write(library, 'film', vectors);
      const db = await database();
      const scans = async () =>
        (await db.get<{ scans: number }>(
          `SELECT coalesce(sum(pg_stat_get_numscans(indexrelid)), 0)::bigint AS scans FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
           JOIN pg_am ON pg_am.oid = relam WHERE amname = 'hnsw'`,
        )) ?? { scans: 0 };
      for (const [reason, indexes] of [
        ["the database's HNSW index; within some videos or times the database compares all", 1],
        ["the database's HNSW indexes over 4 partitions; within some videos or times the database compares all", 4],
      ] as const) {
        expect(await library.vectorIndexStatus()).toEqual([{ embedderId: 'e', kind: 'pgvector', rows: 600, reason }]);
        const { scans: earlier } = await scans();
        expect(await library.nearest('e', query, 10)).toHaveLength(10);
        await expect.poll(async () => (await scans()).scans - earlier).toBe(indexes);
        await library.rebuildIndex();
      }
    });

    it('is made anew while others search, write and delete', async () => {
      const library = await house.make({ graphFromRows: 100 });
      await write(library, 'stays', vectors.slice(0, 300));
      const goes = await write(library, 'goes', vectors.slice(300, 400));
      const db = await database();
      const embedder = await embedderOf(db);
      await db.atLength('write', (sql) =>
        fillPoints(
          interrupting(sql, 'CREATE INDEX', async () => {
            expect(await library.nearest('e', query, 10)).toHaveLength(10);
            await write(library, 'comes', vectors.slice(400));
            await library.clearWindows(goes);
          }),
          embedder,
        ),
      );
      expect((await library.stats()).embeddings).toBe(500);
      expect(await troubles(library)).toEqual([]);
      const [last] = await library.nearest('e', vectors[599] ?? query, 1);
      expect(last?.event.text).toBe('line 99');
    });

    it('outlives a crash of the server while it is made anew: the old one answers, and nothing of the new one is left', async () => {
      const library = await house.make({ graphFromRows: 100 });
      await write(library, 'film', vectors.slice(0, 200));
      const db = await database();
      const embedder = await embedderOf(db);
      let crashed = false;
      const made = db.atLength('write', (sql) =>
        fillPoints(
          interrupting(sql, 'CREATE INDEX', async () => {
            // A server that is soon back is asked again.
            if (crashed) throw new Error('once is enough');
            crashed = true;
            crash();
          }),
          embedder,
        ),
      );
      await expect(made).rejects.toThrow();
      expect(await library.nearest('e', query, 10)).toHaveLength(10);
      expect(await troubles(library)).toEqual([]);
      const tables = () => db.all("SELECT relname FROM pg_class WHERE relname ~ '^embedding_point_' AND relkind = 'r'");
      expect(await tables()).toEqual([{ relname: `embedding_point_${embedder.key}` }]);
      await library.rebuildIndex();
      expect(await tables()).toEqual([{ relname: `embedding_point_${embedder.key}` }]);
      expect(await library.nearest('e', query, 10)).toHaveLength(10);
    });

    it('finds as many as are wanted when nearly all are deleted, before and after a vacuum', async () => {
      const library = await house.make({ graphFromRows: 100 });
      await write(library, 'stays', vectors.slice(0, 100));
      const goes = await write(library, 'goes', vectors.slice(100));
      await library.clearWindows(goes);
      const db = await database();
      const embedder = await embedderOf(db);
      const found = async () => (await db.read((sql) => candidates(sql, embedder, query, 50, 50))).length;
      expect(await found()).toBe(50);
      const pool = connectPool((await address) ?? '', { readonly: false });
      await pool.use((connection) => connection.query(`VACUUM embedding_point_${embedder.key}`));
      await pool.close();
      expect(await found()).toBe(50);
    });

    it.each([
      [2001, 'pgvector'],
      [4000, 'pgvector'],
      [4001, 'exact'],
    ])('takes vectors of %i numbers: %s', async (dim, kind) => {
      const library = await house.make({ graphFromRows: 3 });
      const { id } = await library.addVideo(newVideo('film'));
      const long = latentVectors(4, dim, 5);
      const events = long.map((embedding, i) => ({ event: subtitle(i, i + 1, `line ${i}`), embedding }));
      await library.writeWindow(id, windowOf(0, events), 'e');
      expect((await library.vectorIndexStatus())[0]?.kind).toBe(kind);
      expect((await library.nearest('e', long[2] ?? query, 1))[0]?.event.text).toBe('line 2');
    });

    it('that an older program made is asked as it is, and loses its foreign key with the migration', async () => {
      const library = await house.make({ graphFromRows: 100 });
      await write(library, 'film', vectors.slice(0, 200));
      const db = await database();
      const embedder = await embedderOf(db);
      const table = `embedding_point_${embedder.key}`;
      await db.write(async (sql) => {
        await sql.run(`ALTER TABLE ${table} RENAME TO once`);
        await sql.run(
          `CREATE TABLE ${table} (embedding_id bigint PRIMARY KEY REFERENCES embedding (id) ON DELETE CASCADE, point vector(${DIM}) NOT NULL)`,
        );
        await sql.run(`INSERT INTO ${table} SELECT * FROM once`);
        await sql.run(`CREATE INDEX ON ${table} USING hnsw (point vector_ip_ops)`);
        await sql.run('DROP TABLE once');
        await sql.run(freePoints.sql);
      });
      expect(await db.read((sql) => candidates(sql, embedder, query, 20, 40))).toHaveLength(20);
      expect(
        await db.all(`SELECT conname FROM pg_constraint WHERE conrelid = '${table}'::regclass AND contype = 'f'`),
      ).toEqual([]);
      expect(await troubles(library)).toEqual([]);
    });

    it('is done without where pgvector lies in a schema that is not searched', async () => {
      const aside = await pgvectorDatabase();
      const db = new Database(connectPool(aside, { readonly: false }), aside, false);
      await db.run('CREATE SCHEMA aside; CREATE EXTENSION vector SCHEMA aside');
      const library = await openPostgresLibrary(aside, { create: true, state: temporaryFolder() });
      try {
        await write(library, 'film', vectors.slice(0, 20));
        expect((await library.nearest('e', query, 1))[0]?.event.text).toBe('line 7');
        expect((await library.vectorIndexStatus())[0]?.kind).toBe('exact');
      } finally {
        await library.close();
        await db.close();
      }
    });

    it('is no part of a backup: the copy answers from the rows, and has one when it is made anew', async () => {
      const library = await house.make({ graphFromRows: 100 });
      await write(library, 'film', vectors.slice(0, 200));
      const best = (await library.nearest('e', query, 5)).map(({ event }) => event.id);
      const { hint = '' } = await library.backup('unused').then(
        () => ({ hint: '' }),
        (error: { readonly hint?: string }) => error,
      );
      const options =
        /^Run: pg_dump (--format=custom .*) --file=/.exec(hint)?.[1]?.replaceAll("'", '').split(' ') ?? [];
      const file = join(temporaryFolder(), 'copy.dump');
      const run = (program: string, ...rest: string[]) =>
        execFileSync(join(programs, program), rest, { stdio: 'pipe' });
      run('pg_dump', ...options, `--file=${file}`, (await address) ?? '');
      const other = await pgvectorDatabase();
      run('pg_restore', '--exit-on-error', `--dbname=${other}`, file);
      const copy = await openPostgresLibrary(other, { state: temporaryFolder(), graphFromRows: 100 });
      try {
        for (const kinds of [['hnsw', 'exact'], ['pgvector']]) {
          expect((await copy.nearest('e', query, 5)).map(({ event }) => event.id)).toEqual(best);
          expect(kinds).toContain((await copy.vectorIndexStatus())[0]?.kind);
          expect(await troubles(copy)).toEqual([]);
          await copy.rebuildIndex();
        }
      } finally {
        await copy.close();
      }
    });
  });
});
