/** The contract suite on a real PostgreSQL server with pgvector, and what only such a server can show. */

import { describe } from 'vitest';
import { connectPool } from '../../../index/postgres/pool.js';
import { libraryContract } from '../contract/library.js';
import { postgresHouse } from './houses.js';
import { noPgvector, pgvectorDatabase } from './pgvector-server.js';

describe.skipIf(noPgvector)('on PostgreSQL with pgvector', () => {
  libraryContract(
    postgresHouse(async () => {
      const address = await pgvectorDatabase();
      return {
        address,
        connect: (options) => connectPool(address, options),
        prepare: async (db) => {
          await db.run('CREATE EXTENSION IF NOT EXISTS vector');
        },
      };
    }),
  );
});
