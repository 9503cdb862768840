/** Libraries in PostgreSQL for the contract suite: the tables stay from test to test, their rows go. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { Database } from '../../../index/postgres/database.js';
import { PostgresLibrary } from '../../../index/postgres/postgres-library.js';
import { prepareSchema } from '../../../index/postgres/schema.js';
import type { SqlPool } from '../../../index/postgres/sql.js';
import { publicAddress } from '../../../src/library-address.js';
import type { House, HouseOptions } from '../contract/house.js';

/** Tables whose rows belong to the schema. */
const KEPT = ['schema_step', 'event_kind', 'event_source', 'meta'];

export interface Server {
  readonly address: string;
  connect(options: { readonly readonly: boolean }): SqlPool;
  /** Once, before the first library. */
  prepare?(db: Database): Promise<void>;
}

/** @param start makes the one database that all tests of the file use, one after the other */
export function postgresHouse(start: () => Promise<Server>): House {
  const state = mkdtempSync(join(tmpdir(), 'longwatch-state-'));
  const opened: PostgresLibrary[] = [];
  let server: Promise<Server> | undefined;
  let cleaner: Database | undefined;

  const connected = async ({ readonly = false }: HouseOptions = {}) => {
    server ??= start();
    const { address, connect } = await server;
    return { address, db: new Database(connect({ readonly }), publicAddress(address), readonly) };
  };
  const open = async (options: HouseOptions = {}) => {
    const { address, db } = await connected(options);
    const library = new PostgresLibrary(db, address, { state, ...options });
    opened.push(library);
    return library;
  };
  const clean = async () => {
    if (!cleaner) {
      cleaner = (await connected()).db;
      await prepareSchema(cleaner, { create: true });
      await (await server)?.prepare?.(cleaner);
    }
    const tables = await cleaner.all<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'longwatch'",
    );
    const points = tables.filter(({ name }) => name.startsWith('embedding_point_')).map(({ name }) => name);
    const rows = tables.map(({ name }) => name).filter((name) => !KEPT.includes(name) && !points.includes(name));
    for (const name of points) await cleaner.run(`DROP TABLE IF EXISTS ${name}`);
    await cleaner.run(`TRUNCATE ${rows.join(', ')} RESTART IDENTITY`);
    await cleaner.run('UPDATE meta SET value = 0');
  };

  afterEach(async () => {
    for (const library of opened.splice(0)) await library.close();
  });
  afterAll(async () => {
    await cleaner?.close();
    rmSync(state, { recursive: true, force: true });
  });

  return {
    pace: 0.05,
    async make(options) {
      await clean();
      return open(options);
    },
    again: (_, options) => open(options),
  };
}
