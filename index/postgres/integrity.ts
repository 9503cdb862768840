/** Looks whether a library in PostgreSQL is what it should be. Repairs nothing. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { indexWordsOf } from '../fulltext/text-query.js';
import type { IntegrityReport } from '../library.js';
import { attempt, type Check, checkRows, checkVectorFile } from '../store/integrity-questions.js';
import { HnswFiles } from '../vectors/hnsw-file.js';
import { columnsOf } from './columns.js';
import type { Database } from './database.js';
import { embeddingSource, listEmbedders } from './embeddings.js';
import { pointTable } from './points.js';
import type { Sql } from './sql.js';

/** Events whose words are compared at once. */
const BATCH_ROWS = 2000;

export interface IntegrityParts {
  readonly db: Database;
  /** Where this reader's vector index files lie. */
  readonly vectorFolder: string;
  readonly reader: string;
}

/** One state of the database is looked at, however long that takes. */
export async function checkIntegrity({ db, ...files }: IntegrityParts): Promise<IntegrityReport> {
  const checks = await db.atLength('read', async (sql) => [
    await attempt('database', () => invalidParts(sql)),
    await attempt('references', () => lostReferences(sql)),
    await attempt('full text', () => wrongWords(sql)),
    ...(await checkRows((text, parameters) => sql.all(text, parameters))),
    await attempt('counts', () => wrongCounts(sql)),
    ...(await vectorChecks(sql, files)),
  ]);
  return { ok: checks.every((check) => check.ok), checks };
}

/** What the database itself says that it cannot use. Its pages are the server's business: see `pg_amcheck`. */
async function invalidParts(sql: Sql): Promise<string[]> {
  const rows = await sql.all<{ name: string }>(
    `SELECT 'the index ' || indexrelid::regclass AS name FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
     WHERE relnamespace = 'longwatch'::regnamespace AND NOT (indisvalid AND indisready)
     UNION ALL
     SELECT 'the rule ' || conname FROM pg_constraint WHERE connamespace = 'longwatch'::regnamespace AND NOT convalidated
     UNION ALL
     SELECT 'the trigger ' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
     WHERE relnamespace = 'longwatch'::regnamespace AND tgenabled NOT IN ('O', 'A')`,
  );
  return rows.map(({ name }) => `${name} is not in force`);
}

interface Reference {
  readonly child: string;
  readonly parent: string;
  /** Columns of both, in the order of the key. */
  readonly own: readonly string[];
  readonly other: readonly string[];
}

/** Every reference of the schema, as the catalogue lists them. */
async function lostReferences(sql: Sql): Promise<string[]> {
  const columns = (table: string, keys: string) =>
    `ARRAY(SELECT attname::text FROM unnest(${keys}) WITH ORDINALITY AS k (number, place)
       JOIN pg_attribute ON attrelid = ${table} AND attnum = number ORDER BY place)`;
  const references = await sql.all<Reference>(
    `SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent, ${columns('conrelid', 'conkey')} AS own,
       ${columns('confrelid', 'confkey')} AS other
     FROM pg_constraint WHERE contype = 'f' AND connamespace = 'longwatch'::regnamespace ORDER BY 1, 2`,
  );
  const errors: string[] = [];
  for (const { child, parent, own, other } of references) {
    const joined = own.map((column, i) => `parent.${other[i]} = child.${column}`).join(' AND ');
    const given = own.map((column) => `child.${column} IS NOT NULL`).join(' AND ');
    const row = await sql.get<{ n: number }>(
      `SELECT count(*) AS n FROM ${child} AS child WHERE ${given} AND NOT EXISTS (SELECT 1 FROM ${parent} AS parent WHERE ${joined})`,
    );
    if (row && row.n > 0) errors.push(`${row.n} rows of ${child} refer to nothing in ${parent}`);
  }
  return errors;
}

/** The words of every event are made again and compared. */
async function wrongWords(sql: Sql): Promise<string[]> {
  const errors: string[] = [];
  for (let after = 0, more = true; more; await nextTurn()) {
    const rows = await sql.all<{ key: number; text: string }>(
      'SELECT key, text FROM event WHERE key > @after ORDER BY key LIMIT @limit',
      { after, limit: BATCH_ROWS },
    );
    if (rows.length === 0) break;
    const given = rows.map(({ key, text }) => ({ key, words: indexWordsOf(text).join(' ') }));
    const wrong = await sql.all<{ key: number }>(
      `SELECT event.key FROM unnest(@key::bigint[], @words::text[]) AS given (key, words) JOIN event ON event.key = given.key
       WHERE event.words <> words_of(string_to_array(given.words, ' ')) OR event.word_count <> cardinality(string_to_array(given.words, ' '))`,
      columnsOf(given),
    );
    errors.push(...wrong.map(({ key }) => `event ${key} has other words than its text`));
    after = rows.at(-1)?.key ?? after;
    more = rows.length === BATCH_ROWS;
  }
  return errors;
}

/** What is counted as it is written, counted again. */
async function wrongCounts(sql: Sql): Promise<string[]> {
  const rows = await sql.all<{ name: string; kept: number; counted: number }>(
    `SELECT 'events of ' || video.id AS name, coalesce(video_words.events, 0) AS kept, coalesce(counted.n, 0) AS counted
     FROM video LEFT JOIN video_words ON video_words.video_key = video.key
     LEFT JOIN (SELECT video_key, count(*) AS n FROM event GROUP BY video_key) AS counted ON counted.video_key = video.key
     WHERE coalesce(video_words.events, 0) <> coalesce(counted.n, 0)
     UNION ALL
     SELECT 'embeddings of ' || embedder.id, rows, coalesce(counted.n, 0) FROM embedder
     LEFT JOIN (SELECT embedder_key, count(*) AS n FROM embedding GROUP BY embedder_key) AS counted ON counted.embedder_key = embedder.key
     WHERE rows <> coalesce(counted.n, 0)`,
  );
  return rows.map(({ name, kept, counted }) => `${kept} ${name} are counted where there are ${counted}`);
}

async function vectorChecks(sql: Sql, { vectorFolder, reader }: Omit<IntegrityParts, 'db'>): Promise<Check[]> {
  const checks: Check[] = [];
  for (const embedder of await listEmbedders(sql)) {
    const source = await embeddingSource(sql, embedder.id, reader);
    if (embedder.has_points === 1) checks.push(await attempt('vector index', () => wrongPoints(sql, embedder)));
    else if (source) checks.push(await checkVectorFile(source, new HnswFiles(vectorFolder, embedder.id, embedder.dim)));
  }
  return checks;
}

async function wrongPoints(sql: Sql, { key, id }: { readonly key: number; readonly id: string }): Promise<string[]> {
  const row = await sql.get<{ missing: number; extra: number }>(
    `SELECT count(*) FILTER (WHERE embedding_id IS NULL) AS missing, count(*) FILTER (WHERE own.id IS NULL) AS extra
     FROM (SELECT id FROM embedding WHERE embedder_key = @key) AS own FULL JOIN ${pointTable(key)} ON embedding_id = own.id`,
    { key },
  );
  const { missing = 0, extra = 0 } = row ?? {};
  return [
    ...(missing > 0 ? [`${missing} embeddings of ${id} are not in the table of pgvector`] : []),
    ...(extra > 0 ? [`${extra} points of ${id} in the table of pgvector have no embedding`] : []),
  ].map((what) => `${what}; run \`longwatch rebuild-index\``);
}
