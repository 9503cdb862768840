/** PostgreSQL with pgvector inside the test's process, behind the interface that the driver has. One connection, taken in turns. */

import { PGlite, types } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { afterAll } from 'vitest';
import { sessionSettings } from '../../../index/postgres/pool.js';
import type { SqlConnection, SqlPool, SqlResult, SqlValue } from '../../../index/postgres/sql.js';
import type { Server } from './houses.js';

let opened: PGlite | undefined;

afterAll(async () => {
  await opened?.close();
});

export async function startPglite(): Promise<Server> {
  const pglite = await PGlite.create({
    extensions: { vector },
    parsers: { [types.INT8]: Number, [types.JSON]: (text: string) => text },
    serializers: { [types.JSON]: (text: string) => text },
  });
  opened = pglite;
  let told = '';
  let turn: Promise<unknown> = Promise.resolve();
  const connect = ({ readonly }: { readonly readonly: boolean }): SqlPool => ({
    use(work) {
      const mine = turn.then(async () => {
        const settings = sessionSettings(readonly);
        // Whoever had the connection before may have been told something else.
        if (settings !== told) await pglite.exec(settings);
        told = settings;
        return work(connectionOf(pglite));
      });
      turn = mine.catch(() => {});
      return mine;
    },
    close: async () => {},
  });
  return {
    address: 'postgres:///pglite',
    connect,
    prepare: async (db) => {
      await db.run('CREATE EXTENSION IF NOT EXISTS vector');
    },
  };
}

function connectionOf(pglite: PGlite): SqlConnection {
  return {
    async query<Row>(text: string, values: readonly SqlValue[] = []): Promise<SqlResult<Row>> {
      if (values.length === 0) {
        const last = (await pglite.exec(text)).at(-1);
        return { rows: (last?.rows ?? []) as Row[], changes: last?.affectedRows ?? 0 };
      }
      const { rows, affectedRows } = await pglite.query<Row>(text, [...values]);
      return { rows, changes: affectedRows ?? 0 };
    },
  };
}
