/** The one file that opens SQLite databases: settings, schema steps, transactions, and SQLite's errors in the words of the house. */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations/list.js';

/** Marks a database as a Longwatch library: the letters LWCH. */
const APPLICATION_ID = 0x4c574348;
/** How long a statement waits for another process's transaction. */
const BUSY_TIMEOUT: Milliseconds = 5000;
const JOURNAL_RETRY: Milliseconds = 20;

export type SqlValue = string | number | Buffer | null;
export type SqlParameters = Readonly<Record<string, SqlValue>>;

export interface OpenOptions {
  /** Make the folder and the database when they are not there. @default false */
  readonly create?: boolean;
  /** Never write. The folder must allow it all the same: readers of a database in WAL mode share memory in a file beside it. @default false */
  readonly readonly?: boolean;
}

export class Database {
  readonly #statements: Map<string, BetterSqlite3.Statement>;
  readonly #columns = new Map<string, BetterSqlite3.Statement<[SqlParameters], SqlValue>>();
  readonly #db: BetterSqlite3.Database;
  readonly #mayWrite: (() => void) | undefined;

  private constructor(
    db: BetterSqlite3.Database,
    readonly file: string,
    readonly readonly: boolean,
    statements = new Map<string, BetterSqlite3.Statement>(),
    mayWrite?: () => void,
  ) {
    this.#db = db;
    this.#statements = statements;
    this.#mayWrite = mayWrite;
  }

  /**
   * The same open database, in whose transactions that write `mayWrite` runs first: what it throws undoes them. Closing it closes both.
   */
  guardedBy(mayWrite: () => void): Database {
    return new Database(this.#db, this.file, this.readonly, this.#statements, mayWrite);
  }

  /**
   * Opens `file`, applies the schema steps that it lacks and refuses what it cannot keep safe.
   * @throws {LongwatchError} `library_not_found` (and not `create`), `library_newer`, `library_damaged`, `library_busy`, `disk_full`,
   * `forbidden` when the folder cannot be written, `conflict` when an old library would have to be changed and `readonly` is set
   */
  static open(file: string, { create = false, readonly = false }: OpenOptions = {}): Database {
    if (!existsSync(file) && (readonly || !create)) {
      throw new LongwatchError('library_not_found', `There is no library in ${dirname(resolve(file))}.`, {
        hint: 'Ingest a video first: `longwatch ingest PATH`.',
        path: file,
      });
    }
    return guard(file, () => {
      if (create && !readonly) mkdirSync(dirname(file), { recursive: true });
      const db = new BetterSqlite3(file, { readonly, timeout: BUSY_TIMEOUT });
      try {
        prepare(db, file, readonly);
      } catch (error) {
        db.close();
        throw error;
      }
      return new Database(db, file, readonly);
    });
  }

  all<Row>(sql: string, parameters: SqlParameters = {}): Row[] {
    return guard(this.file, () => this.#statement<Row>(sql).all(parameters));
  }

  get<Row>(sql: string, parameters: SqlParameters = {}): Row | undefined {
    return guard(this.file, () => this.#statement<Row>(sql).get(parameters));
  }

  /** The first column alone, of many rows: a tenth of the cost of `all`. */
  column<Value extends SqlValue>(sql: string, parameters: SqlParameters = {}): Value[] {
    return guard(this.file, () => {
      let statement = this.#columns.get(sql);
      if (!statement) {
        statement = this.#db.prepare<[SqlParameters], SqlValue>(sql).pluck();
        this.#columns.set(sql, statement);
      }
      return statement.all(parameters) as Value[];
    });
  }

  /** Runs a statement that writes; returns the last rowid and the number of rows changed. */
  run(sql: string, parameters: SqlParameters = {}): { readonly changes: number; readonly rowid: number } {
    const { changes, lastInsertRowid } = guard(this.file, () => this.#statement(sql).run(parameters));
    return { changes, rowid: Number(lastInsertRowid) };
  }

  /** Reads a pragma that answers with rows. */
  pragma<Row>(source: string): Row[] {
    return guard(this.file, () => this.#db.pragma(source) as Row[]);
  }

  /**
   * Runs `work` in one transaction that takes the write lock at its beginning (a lock taken half-way ignores the busy timeout).
   * Whatever it throws undoes all of it. Inside another `write` it joins that one.
   */
  write<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    const guarded = () => {
      this.#mayWrite?.();
      return work();
    };
    return guard(this.file, () => this.#db.transaction(guarded).immediate());
  }

  /** Runs `work` over one unchanging state of the database. */
  read<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    return guard(this.file, () => this.#db.transaction(work).deferred());
  }

  /** Writes a consistent copy of the database to `target` while it is in use. The loop stays free between steps. */
  async copyTo(target: string): Promise<void> {
    try {
      await this.#db.backup(target);
    } catch (error) {
      throw sqliteError(error, target);
    }
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  /** Another text after every change of the database, be it by this connection or by another one. */
  state(): string {
    const [others = 0] = this.column<number>('SELECT data_version FROM pragma_data_version()');
    const [own = 0] = this.column<number>('SELECT total_changes()');
    return `${others} ${own}`;
  }

  get open(): boolean {
    return this.#db.open;
  }

  close(): void {
    if (!this.#db.open) return;
    this.#statements.clear();
    this.#columns.clear();
    try {
      if (!this.readonly) this.#db.pragma('optimize');
    } catch {
      // Statistics for the planner are a courtesy: a damaged or locked database is closed all the same.
    } finally {
      this.#db.close();
    }
  }

  #statement<Row>(sql: string): BetterSqlite3.Statement<[SqlParameters], Row> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement as BetterSqlite3.Statement<[SqlParameters], Row>;
  }
}

function prepare(db: BetterSqlite3.Database, file: string, readonly: boolean): void {
  refuseForeign(db, file);
  db.pragma('cell_size_check = ON');
  if (readonly) {
    db.pragma('foreign_keys = ON');
    if (schemaVersion(db) < SCHEMA_VERSION) {
      throw new LongwatchError('conflict', `The library ${file} has an older format and is opened for reading only.`, {
        hint: 'Open it once for writing, e.g. with `longwatch ingest`; it is brought up to date then.',
        path: file,
      });
    }
    return;
  }
  useWriteAheadLog(db);
  // WAL's own default would lose the last commits in a power cut.
  db.pragma('synchronous = FULL');
  // A step that makes a table anew drops the old one, which with foreign keys would take along what refers to it.
  db.pragma('foreign_keys = OFF');
  if (schemaVersion(db) < SCHEMA_VERSION) db.transaction(() => migrate(db, file)).immediate();
  db.pragma('foreign_keys = ON');
}

/** Another process may have done it while this one waited for the lock, so the version is read again inside the transaction. */
function migrate(db: BetterSqlite3.Database, file: string): void {
  for (const step of MIGRATIONS) {
    if (step.version <= schemaVersion(db)) continue;
    db.exec(step.sql);
    db.pragma(`user_version = ${step.version}`);
  }
  db.pragma(`application_id = ${APPLICATION_ID}`);
  const broken = db.pragma('foreign_key_check') as readonly { readonly table: string }[];
  if (broken[0]) {
    throw new LongwatchError(
      'library_damaged',
      `${file}: rows of ${broken[0].table} refer to rows that are not there.`,
      {
        hint: 'It was left as it is. Restore a backup.',
        path: file,
      },
    );
  }
}

function refuseForeign(db: BetterSqlite3.Database, file: string): void {
  const version = schemaVersion(db);
  const application = db.pragma('application_id', { simple: true });
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  const fresh = application === 0 && version === 0 && tables === 0;
  if (application !== APPLICATION_ID && !fresh) {
    throw new LongwatchError('library_damaged', `${file} is a database of another program.`, {
      hint: 'Choose another folder with `--library DIR`.',
      path: file,
    });
  }
  if (version > SCHEMA_VERSION) {
    throw new LongwatchError(
      'library_newer',
      `The library ${file} has format ${version}; this Longwatch knows up to ${SCHEMA_VERSION}.`,
      { hint: 'Install the newer Longwatch, or choose another folder with `--library DIR`.', path: file },
    );
  }
}

function schemaVersion(db: BetterSqlite3.Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/** The switch needs the file alone for a moment and does not wait for it by itself. */
function useWriteAheadLog(db: BetterSqlite3.Database): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = Date.now() + BUSY_TIMEOUT; ; ) {
    try {
      db.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      if (!isSqliteError(error, 'SQLITE_BUSY') || Date.now() > deadline) throw error;
      Atomics.wait(pause, 0, 0, JOURNAL_RETRY);
    }
  }
}

function guard<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteError(error, file);
  }
}

function isSqliteError(error: unknown, prefix: string): boolean {
  return error instanceof BetterSqlite3.SqliteError && error.code.startsWith(prefix);
}

/** SQLite's extended codes, by their family, as the codes that tell a person what to do. */
function sqliteError(error: unknown, path: string): LongwatchError {
  if (error instanceof LongwatchError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const details = { path, cause: error };
  const damaged = () =>
    new LongwatchError('library_damaged', `${path}: ${message}.`, {
      ...details,
      hint: 'Run `longwatch check`, then restore a backup.',
    });
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return damaged();
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return new LongwatchError('library_busy', `Another process kept ${path} locked for ${BUSY_TIMEOUT} ms.`, {
      ...details,
      hint: 'Try again when it has finished.',
    });
  }
  if (/^SQLITE_(FULL|IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|SHMSIZE))/.test(code)) {
    return new LongwatchError('disk_full', `${path} could not be written: ${message}.`, {
      ...details,
      hint: 'Free some space and run the command again; finished work is kept.',
    });
  }
  if (/^(SQLITE_(READONLY|CANTOPEN|PERM|AUTH)|EACCES|EPERM|EROFS|ENOTDIR|EEXIST)/.test(code)) {
    return new LongwatchError('forbidden', `The library ${path} cannot be written: ${message}.`, {
      ...details,
      hint: 'Check that you may write in the folder. A library on a read-only medium must be copied to another place first.',
    });
  }
  if (/^SQLITE_CONSTRAINT/.test(code)) {
    return new LongwatchError('invalid_input', `The library refused a value: ${message}.`, {
      ...details,
      hint: 'Nothing was written. Ranges need start <= end, and kinds and states come from their lists.',
    });
  }
  return toLongwatchError(error, path);
}
