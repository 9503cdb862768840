/** The tables of a library inside a database: made when they are not there, brought up to date, and refused when they are newer. */

import { LongwatchError } from '../../src/errors.js';
import type { Database } from './database.js';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations/list.js';
import type { Sql } from './sql.js';

/** All of a library lies in this schema, so that a database may hold other things beside it. */
export const SCHEMA = 'longwatch';
/** The lock of whoever changes the schema: the letters LWCH. */
const SCHEMA_LOCK = 0x4c574348;

export interface SchemaOptions {
  /** Make the tables when there are none. */
  readonly create: boolean;
}

/**
 * @throws {LongwatchError} `library_not_found` when there is no library and `create` is not set, `library_newer`; `conflict` when it is older and
 * opened for reading only; `forbidden` when it cannot be made
 */
export async function prepareSchema(db: Database, { create }: SchemaOptions): Promise<void> {
  const version = await schemaVersion(db);
  if (version > SCHEMA_VERSION) {
    throw new LongwatchError(
      'library_newer',
      `The library ${db.address} has format ${version}; this Longwatch knows up to ${SCHEMA_VERSION}.`,
      { hint: 'Install the newer Longwatch.', path: db.address },
    );
  }
  if (version === SCHEMA_VERSION) return;
  if (version === 0 && (db.readonly || !create)) {
    throw new LongwatchError('library_not_found', `There is no library in ${db.address}.`, {
      hint: 'Ingest a video first: `longwatch ingest PATH`.',
      path: db.address,
    });
  }
  if (db.readonly) {
    throw new LongwatchError(
      'conflict',
      `The library ${db.address} has an older format and is opened for reading only.`,
      {
        hint: 'Open it once for writing, e.g. with `longwatch ingest`; it is brought up to date then.',
        path: db.address,
      },
    );
  }
  await db.atLength('write', migrate);
}

/** 0: there is no library. */
async function schemaVersion(sql: Sql): Promise<number> {
  const there = await sql.get<{ there: boolean }>("SELECT to_regclass('longwatch.schema_step') IS NOT NULL AS there");
  if (!there?.there) return 0;
  const row = await sql.get<{ version: number | null }>('SELECT max(version) AS version FROM longwatch.schema_step');
  return row?.version ?? 0;
}

/** Another process may have done it while this one waited for the lock, so the version is read again behind it. */
async function migrate(sql: Sql): Promise<void> {
  await sql.run('SELECT pg_advisory_xact_lock(@lock)', { lock: SCHEMA_LOCK });
  const version = await schemaVersion(sql);
  if (version === 0) {
    await sql.run('CREATE SCHEMA IF NOT EXISTS longwatch');
    await sql.run(
      `CREATE TABLE longwatch.schema_step (version integer PRIMARY KEY, name text NOT NULL, done timestamptz NOT NULL DEFAULT now())`,
    );
  }
  for (const step of MIGRATIONS) {
    if (step.version <= version) continue;
    await sql.run(step.sql);
    await sql.run('INSERT INTO longwatch.schema_step (version, name) VALUES (@version, @name)', {
      version: step.version,
      name: step.name,
    });
  }
}
