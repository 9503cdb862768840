/** A PostgreSQL server with pgvector for the tests of one file. In CI one that is missing fails them; elsewhere they are skipped. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { connectPool } from '../../../index/postgres/pool.js';
import { findPgvector, startCluster, stopCluster } from './cluster.js';

const found = findPgvector();

export const noPgvector: boolean = 'missing' in found && !process.env['CI'];

const folder = mkdtempSync(join(tmpdir(), 'longwatch-pgvector-'));
let made = 0;

afterAll(() => {
  stopCluster(folder);
  rmSync(folder, { recursive: true, force: true });
});

/** The address of an empty database. */
export async function pgvectorDatabase(): Promise<string> {
  await startCluster(folder, found);
  const admin = connectPool(addressOf('postgres'), { readonly: false });
  const name = `test_${made++}`;
  await admin.use((connection) => connection.query(`CREATE DATABASE ${name} STRATEGY file_copy`));
  await admin.close();
  return addressOf(name);
}

function addressOf(database: string): string {
  return `postgres://longwatch@/${database}?host=${encodeURIComponent(folder)}`;
}
