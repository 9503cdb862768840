/** The contract suite on a real PostgreSQL server, without extensions, over several connections at once. */

import { describe } from 'vitest';
import { connectPool } from '../../../index/postgres/pool.js';
import { libraryContract } from '../contract/library.js';
import { postgresHouse } from './houses.js';
import { keptDatabase, noServer } from './server.js';

describe.skipIf(noServer)('on PostgreSQL', () => {
  libraryContract(
    postgresHouse(async () => {
      const address = await keptDatabase();
      return { address, connect: (options) => connectPool(address, options) };
    }),
  );
});
