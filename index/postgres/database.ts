/** One PostgreSQL database as the library uses it: statements, transactions that are run again where that is safe, and coded errors. */

import { setTimeout as wait } from 'node:timers/promises';
import { LongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { postgresError, setbackOf, unknownOutcome } from './errors.js';
import {
  type NumberedStatement,
  numbered,
  type Sql,
  type SqlConnection,
  type SqlList,
  type SqlParameters,
  type SqlPool,
  type SqlValue,
} from './sql.js';

/** A database that restarts is back by then, or is not. */
const RECONNECT_WITHIN: Milliseconds = 15_000;
/** Times that a transaction is run which others get in the way of. */
const CONFLICT_TRIES = 12;
const FIRST_WAIT: Milliseconds = 10;
const LONGEST_WAIT: Milliseconds = 1000;

/** The number of the transaction is asked for at its beginning, so that its end is known also when nobody hears it. */
const BEGIN_WRITE = 'BEGIN; SELECT pg_current_xact_id()::text AS id';
const BEGIN_READ = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
const PATIENT = 'SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0';

export class Database implements Sql {
  readonly #pool: SqlPool;
  readonly #mayWrite: ((sql: Sql) => Promise<void>) | undefined;
  /** Of all that share the connections. */
  readonly #known: { reached: boolean };

  /**
   * @param address as it may be shown, without a password
   * @param mayWrite runs first in every transaction that writes: what it throws undoes it
   */
  constructor(
    pool: SqlPool,
    readonly address: string,
    readonly readonly: boolean,
    mayWrite?: (sql: Sql) => Promise<void>,
    known = { reached: false },
  ) {
    this.#pool = pool;
    this.#mayWrite = mayWrite;
    this.#known = known;
  }

  /** The same connections, in whose transactions that write `mayWrite` runs first. Closing it closes both. */
  guardedBy(mayWrite: (sql: Sql) => Promise<void>): Database {
    return new Database(this.#pool, this.address, this.readonly, mayWrite, this.#known);
  }

  all<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row[]> {
    return this.#persist(() => this.#pool.use((connection) => new Statements(connection).all<Row>(sql, parameters)));
  }

  async get<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row | undefined> {
    return (await this.all<Row>(sql, parameters))[0];
  }

  run(sql: string, parameters: SqlParameters = {}): Promise<number> {
    return this.write((transaction) => transaction.run(sql, parameters));
  }

  write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction(BEGIN_WRITE, async (sql) => {
      await this.#mayWrite?.(sql);
      return work(sql);
    });
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction(BEGIN_READ, work);
  }

  /** As `write` and `read` for what reads or writes the whole library: no statement of it is cut off. */
  atLength<T>(kind: 'read' | 'write', work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction(kind === 'read' ? BEGIN_READ : BEGIN_WRITE, work, true);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #transaction<T>(begin: string, work: (sql: Sql) => Promise<T>, patient = false): Promise<T> {
    return this.#persist(async () => {
      let ending: { readonly id: string; readonly result: T } | undefined;
      try {
        return await this.#pool.use(async (connection) => {
          const [begun] = (await connection.query<{ readonly id?: string }>(begin)).rows;
          let result: T;
          try {
            if (patient) await connection.query(PATIENT);
            result = await work(new Statements(connection, patient));
          } catch (error) {
            // On a lost connection there is nothing to undo: the database did it when it saw the end.
            if (setbackOf(error) !== 'lost') await connection.query('ROLLBACK');
            throw error;
          }
          if (begun?.id !== undefined) ending = { id: begun.id, result };
          await connection.query('COMMIT');
          return result;
        });
      } catch (error) {
        if (!ending || setbackOf(error) !== 'lost') throw error;
        // Nobody said whether it was stored, but the database knows.
        if (await this.#isStored(ending.id, error)) return ending.result;
        throw error;
      }
    });
  }

  /** How a transaction ended whose end was not heard. */
  async #isStored(id: string, lost: unknown): Promise<boolean> {
    const giveUp = Date.now() + RECONNECT_WITHIN;
    for (let pause = FIRST_WAIT; Date.now() < giveUp; pause = Math.min(LONGEST_WAIT, 2 * pause)) {
      await wait(pause);
      try {
        const [row] = await this.#pool.use((connection) =>
          new Statements(connection).all<{ status: string }>('SELECT pg_xact_status(@id::xid8) AS status', { id }),
        );
        if (row?.status === 'committed' || row?.status === 'aborted') return row.status === 'committed';
      } catch (error) {
        if (setbackOf(error) !== 'lost') throw error;
      }
    }
    throw unknownOutcome(lost, this.address);
  }

  /** Runs `attempt` until it succeeds, or until trying again makes no sense. */
  async #persist<T>(attempt: () => Promise<T>): Promise<T> {
    const giveUp = Date.now() + RECONNECT_WITHIN;
    for (let tries = 1; ; tries++) {
      try {
        const result = await attempt();
        this.#known.reached = true;
        return result;
      } catch (error) {
        if (error instanceof LongwatchError) throw error;
        const setback = setbackOf(error);
        // Who never answered is not being restarted: that is a wrong address.
        const again =
          setback === 'conflict'
            ? tries < CONFLICT_TRIES
            : setback === 'lost' && this.#known.reached && Date.now() < giveUp;
        if (!again) throw postgresError(error, this.address);
        // Full jitter: whoever got in each other's way does not meet again.
        await wait(Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries));
      }
    }
  }
}

/** Half of a pair is no letter in any encoding, and PostgreSQL keeps no NUL: both become the sign for what cannot be read. */
function storable(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, '\ufffd').replaceAll('\0', '\ufffd');
}

function toStorable(value: SqlValue): SqlValue {
  if (typeof value === 'string') return storable(value);
  return isList(value) ? value.map((part) => (typeof part === 'string' ? storable(part) : part)) : value;
}

function isList(value: SqlValue): value is SqlList {
  return Array.isArray(value);
}

const STATEMENTS_KEPT = 500;
const known = new Map<string, NumberedStatement>();

/** Statements on one connection: inside a transaction, everything joins it. */
class Statements implements Sql {
  readonly #connection: SqlConnection;
  readonly #patient: boolean;

  constructor(connection: SqlConnection, patient = false) {
    this.#connection = connection;
    this.#patient = patient;
  }

  async all<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row[]> {
    return (await this.#query<Row>(sql, parameters)).rows;
  }

  async get<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row | undefined> {
    return (await this.all<Row>(sql, parameters))[0];
  }

  async run(sql: string, parameters: SqlParameters = {}): Promise<number> {
    return (await this.#query(sql, parameters)).changes;
  }

  write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return work(this);
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return work(this);
  }

  #query<Row>(sql: string, parameters: SqlParameters) {
    const { text, names } = statement(sql);
    const values = names.map((name) => {
      const value = parameters[name];
      if (value === undefined) throw new LongwatchError('internal', `The statement has no value for @${name}: ${sql}`);
      return toStorable(value);
    });
    return this.#connection.query<Row>(text, values, this.#patient);
  }
}

function statement(sql: string): NumberedStatement {
  const found = known.get(sql);
  if (found) return found;
  if (known.size >= STATEMENTS_KEPT) known.clear();
  const made = numbered(sql);
  known.set(sql, made);
  return made;
}
