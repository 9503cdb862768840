/** The one file that knows pg: connections to a PostgreSQL server, and what each of them is told when it is made. */

import pg from 'pg';
import type { Milliseconds } from '../../src/time.js';
import { setbackOf } from './errors.js';
import { SCHEMA } from './schema.js';
import type { SqlConnection, SqlPool, SqlResult, SqlValue } from './sql.js';

/** Connections of one process. Its work is mostly elsewhere (decoding, the model), so few do. */
const CONNECTIONS = 8;
const CONNECT_WITHIN: Milliseconds = 10_000;
/** How long a statement waits for another transaction, as SQLite's busy timeout. */
const LOCK_TIMEOUT: Milliseconds = 5000;
/** A statement that takes so long is not one of ours; see `Database.atLength` for those that may. */
const STATEMENT_TIMEOUT: Milliseconds = 60_000;
/**
 * A process that was stopped or cut off in the middle of a transaction lets go of what it held: sooner than a usual lease is over, so that whoever takes the
 * job finds it free. Work between two statements takes milliseconds.
 */
const IDLE_TIMEOUT: Milliseconds = 20_000;
/** Longer than the server takes to cut a statement off: beyond, the server is out of reach. */
const READ_TIMEOUT: Milliseconds = STATEMENT_TIMEOUT + 15_000;
const A_DAY: Milliseconds = 24 * 60 * 60 * 1000;

/** Whole numbers of 64 bits as numbers (counts, sizes and keys stay far below 2^53), and JSON as the text that was stored. */
const PARSERS = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.JSON, (text) => text],
]);

export interface PoolOptions {
  readonly readonly: boolean;
  /** What the server shows of this process. @default 'longwatch' */
  readonly applicationName?: string;
}

/** @param address `postgres://…`; a password that is not in it comes from PGPASSWORD or the password file */
export function connectPool(address: string, { readonly, applicationName = 'longwatch' }: PoolOptions): SqlPool {
  const pool = new pg.Pool({
    connectionString: address,
    fallback_application_name: applicationName,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_WITHIN,
    query_timeout: READ_TIMEOUT,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        PARSERS.get(oid) ?? pg.types.getTypeParser(oid, format),
    },
    onConnect: async (client) => {
      // Of one that is in use, the statement itself tells.
      client.on('error', () => {});
      await client.query(sessionSettings(readonly));
    },
  });
  // One that lies idle is lost when the server restarts; the pool has thrown it away by then.
  pool.on('error', () => {});
  return new PgPool(pool);
}

/** What a connection is told first, by whatever driver. What is stored is stored, whatever the server's settings would have lost in a crash. */
export function sessionSettings(readonly: boolean): string {
  return `SET search_path = ${SCHEMA}, public; SET lock_timeout = ${LOCK_TIMEOUT}; SET statement_timeout = ${STATEMENT_TIMEOUT};
    SET idle_in_transaction_session_timeout = ${IDLE_TIMEOUT}; SET extra_float_digits = 1; SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET default_transaction_read_only = ${readonly ? 'on' : 'off'}`;
}

class PgPool implements SqlPool {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async use<T>(work: (connection: SqlConnection) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = false;
    const connection: SqlConnection = {
      async query<Row>(text: string, values?: readonly SqlValue[], patient = false): Promise<SqlResult<Row>> {
        try {
          const answer: pg.QueryResult | pg.QueryResult[] = await client.query({
            text,
            ...(values && values.length > 0 ? { values: [...values] } : {}),
            ...(patient ? { query_timeout: A_DAY } : {}),
          });
          const last = Array.isArray(answer) ? answer.at(-1) : answer;
          return { rows: last?.rows ?? [], changes: last?.rowCount ?? 0 };
        } catch (error) {
          broken ||= setbackOf(error) === 'lost';
          throw error;
        }
      },
    };
    try {
      return await work(connection);
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
