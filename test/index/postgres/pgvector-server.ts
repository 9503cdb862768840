/** A PostgreSQL server with pgvector for the tests of one file. In CI one that is missing fails them; elsewhere they are skipped. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { connectPool } from '../../../index/postgres/pool.js';
import { findPgvector, startCluster, startServer, stopCluster, stopServer } from './cluster.js';

const found = findPgvector();

export const noPgvector: boolean = 'missing' in found && !process.env['CI'];
/** Folder of the server's programs. */
export const programs: string = 'missing' in found ? '' : found.programs;

/** Empty until a test asks for the server. */
let folder = '';
let made = 0;

afterAll(() => {
  if (!folder) return;
  stopCluster(folder);
  rmSync(folder, { recursive: true, force: true });
});

/** The address of an empty database. */
export async function pgvectorDatabase(): Promise<string> {
  folder ||= mkdtempSync(join(tmpdir(), 'longwatch-pgvector-'));
  await startCluster(folder, found);
  const admin = connectPool(addressOf('postgres'), { readonly: false });
  const name = `test_${made++}`;
  await admin.use((connection) => connection.query(`CREATE DATABASE ${name} STRATEGY file_copy`));
  await admin.close();
  return addressOf(name);
}

/** Ends the server as a crash does, and starts it again. */
export function crash(): void {
  stopServer(folder, 'immediate');
  startServer(folder);
}

function addressOf(database: string): string {
  return `postgres://longwatch@/${database}?host=${encodeURIComponent(folder)}`;
}
