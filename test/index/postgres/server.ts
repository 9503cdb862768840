/** A database per test on the run's PostgreSQL server. In CI a server that is missing fails the tests; elsewhere they are skipped. */

import { afterAll, afterEach, inject } from 'vitest';
import { connectPool } from '../../../index/postgres/pool.js';
import type { SqlPool } from '../../../index/postgres/sql.js';
import { findPostgres, startCluster } from './cluster.js';

const found = findPostgres();

/** No server can be had. In CI that fails the tests that ask for one. */
export const noServer: boolean = 'missing' in found && !process.env['CI'];

/** Folder of the run's server. */
const folder = inject('postgresFolder');

let admin: SqlPool | undefined;
let made = 0;
const databases: string[] = [];

/** The address of an empty database that is dropped after the test. */
export async function temporaryDatabase(): Promise<string> {
  const name = await newDatabase();
  databases.push(name);
  return addressOf(name);
}

/** The address of an empty database that stays until the server goes. */
export async function keptDatabase(): Promise<string> {
  return addressOf(await newDatabase());
}

async function newDatabase(): Promise<string> {
  await startCluster(folder);
  admin ??= connectPool(addressOf('postgres'), { readonly: false });
  const name = `test_${process.pid}_${made++}`;
  await sqlOf(`CREATE DATABASE ${name} STRATEGY file_copy`);
  return name;
}

export function addressOf(database: string, user = 'longwatch'): string {
  return `postgres://${user}@/${database}?host=${encodeURIComponent(folder)}`;
}

/** Runs one statement as the server's master. */
export async function sqlOf(statement: string): Promise<void> {
  await admin?.use((connection) => connection.query(statement));
}

afterEach(async () => {
  for (const name of databases.splice(0)) await sqlOf(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
});

afterAll(async () => {
  await admin?.close();
});
