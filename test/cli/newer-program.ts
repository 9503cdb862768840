/** The program of tomorrow: what was built, with one more step of the schema. So what was built is the older of two versions, as a real process. */

import { cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MIGRATIONS = 'dist/index/postgres/migrations';

/** Of everything that an upgrade may do while older programs work: tables, columns that need not be given, indexes. */
const STEP = `
  CREATE TABLE of_tomorrow (id text PRIMARY KEY);
  INSERT INTO of_tomorrow VALUES ('made');
  ALTER TABLE job ADD COLUMN of_tomorrow text, ADD COLUMN counted integer NOT NULL DEFAULT 0;
  ALTER TABLE video ADD COLUMN of_tomorrow text;
  ALTER TABLE segment ADD COLUMN of_tomorrow text, ADD COLUMN counted integer NOT NULL DEFAULT 0;
  ALTER TABLE event ADD COLUMN of_tomorrow text;
  ALTER TABLE worker ADD COLUMN of_tomorrow text;
  CREATE INDEX job_of_tomorrow ON job (of_tomorrow);
`;

/** Makes it in a folder, which keeps the program's modules by a link. @returns its main file */
export function makeNewerProgram(folder: string): string {
  mkdirSync(folder);
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
  for (const name of ['package.json', 'src', 'api', 'node_modules'])
    symlinkSync(path.join(ROOT, name), path.join(folder, name));
  const [list, today] = ['list.js', 'list-of-today.js'].map((name) => path.join(folder, MIGRATIONS, name)) as [
    string,
    string,
  ];
  renameSync(list, today);
  writeFileSync(
    list,
    `import * as today from './list-of-today.js';
    export const SCHEMA_VERSION = today.SCHEMA_VERSION + 1;
    export const MIGRATIONS = [...today.MIGRATIONS, { version: SCHEMA_VERSION, name: 'of tomorrow', sql: ${JSON.stringify(STEP)} }];`,
  );
  return path.join(folder, 'dist/src/cli/main.js');
}
