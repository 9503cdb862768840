/** What the modules of the PostgreSQL library speak: statements with named parameters, and transactions of them. */

export type SqlList = readonly (string | number | Uint8Array | null)[];
export type SqlValue = string | number | Uint8Array | null | SqlList;
export type SqlParameters = Readonly<Record<string, SqlValue>>;

/** The database, or one transaction of it. Every method may throw what `postgresError` says. */
export interface Sql {
  /** Parameters are written `@name`. Their types are what the statement makes of them, so a lone one may need a cast. */
  all<Row>(sql: string, parameters?: SqlParameters): Promise<Row[]>;
  get<Row>(sql: string, parameters?: SqlParameters): Promise<Row | undefined>;
  /** Runs a statement that writes; returns the number of rows changed. */
  run(sql: string, parameters?: SqlParameters): Promise<number>;
  /**
   * Runs `work` in one transaction; whatever it throws undoes all of it. Inside another one it joins that. `work` must do nothing but
   * through its argument: it is run again when the database says that two transactions were in each other's way, or was restarted.
   */
  write<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Runs `work` over one unchanging state of the database. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
}

/** One connection that nobody else uses meanwhile. */
export interface SqlConnection {
  /**
   * @param text with `$1`, `$2`, … for `values`; without values it may be several statements, of which the last one answers
   * @param patient The statement may take as long as it needs.
   */
  query<Row>(text: string, values?: readonly SqlValue[], patient?: boolean): Promise<SqlResult<Row>>;
}

export interface SqlResult<Row> {
  readonly rows: Row[];
  readonly changes: number;
}

/** Connections to one database, as a driver gives them. */
export interface SqlPool {
  /** Waits for a free connection, makes one if it may, and takes it back after `work`; a broken one is thrown away. */
  use<T>(work: (connection: SqlConnection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A statement whose parameters have numbers, with their names in that order. */
export interface NumberedStatement {
  readonly text: string;
  readonly names: readonly string[];
}

/** `@name` → `$1`. The operators `@@` and `@>` stay. */
export function numbered(sql: string): NumberedStatement {
  const names: string[] = [];
  const text = sql.replace(/(?<!@)@([a-z_]\w*)/g, (_, name: string) => {
    let index = names.indexOf(name);
    if (index < 0) index = names.push(name) - 1;
    return `$${index + 1}`;
  });
  return { text, names };
}
