/** Opens the database that an address names, with the tables of a library in it. */

import { publicAddress } from '../../src/library-address.js';
import { Database } from './database.js';
import { connectPool } from './pool.js';
import { prepareSchema } from './schema.js';

export interface OpenOptions {
  /** Make the tables when there are none; the database itself must be there. @default false */
  readonly create?: boolean;
  /** Never write. @default false */
  readonly readonly?: boolean;
  /** What the server shows of this process. @default 'longwatch' */
  readonly applicationName?: string;
}

/**
 * @param address `postgres://…`
 * @throws {LongwatchError} `library_unreachable`, `forbidden`, and as `prepareSchema`
 */
export async function openDatabase(address: string, { create = false, readonly = false, ...rest }: OpenOptions = {}) {
  const db = new Database(connectPool(address, { readonly, ...rest }), publicAddress(address), readonly);
  try {
    await prepareSchema(db, { create });
  } catch (error) {
    await db.close();
    throw error;
  }
  return db;
}
