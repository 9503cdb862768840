/** A PostgreSQL server of our own in a folder, on a socket there: Debian's package or any other installation, as root and as anyone else. */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Is there when the server has been started. */
const STARTED = 'started';
/** Holds the folder of the programs that the server is of. */
const PROGRAMS = 'programs';
/** The server is for tests: nothing that it holds need survive a power cut, and two cores are all that there is. */
const SETTINGS = [
  ...['fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'autovacuum=off', 'jit=off'],
  ...['listen_addresses=', 'shared_buffers=32MB', 'max_connections=60', 'max_parallel_workers_per_gather=0'],
  ...['wal_level=minimal', 'max_wal_senders=0'],
];

/** Folder of PostgreSQL's programs, or why there is none. */
export type FoundPrograms = { readonly programs: string } | { readonly missing: string };

export function findPostgres(): FoundPrograms {
  const programs = [...debianPrograms(), ...(process.env['PATH'] ?? '').split(':')].find(holdsServer);
  return programs ? { programs } : { missing: 'PostgreSQL is not installed (Debian: apt-get install postgresql)' };
}

/** Programs of a server that has pgvector: those that `LONGWATCH_TEST_PGVECTOR` names, else an installed one. */
export function findPgvector(): FoundPrograms {
  const named = process.env['LONGWATCH_TEST_PGVECTOR'];
  const programs = named ? [named].find(holdsServer) : debianPrograms().filter(holdsServer).find(hasPgvector);
  if (programs) return { programs };
  return {
    missing: named
      ? `LONGWATCH_TEST_PGVECTOR names ${named}, where there is no PostgreSQL`
      : 'no PostgreSQL with pgvector is installed (set LONGWATCH_TEST_PGVECTOR to what scripts/pgvector/install.sh prints)',
  };
}

/** The newest first. */
function debianPrograms(): string[] {
  const versions = readFolder('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join('/usr/lib/postgresql', version, 'bin'));
}

function holdsServer(folder: string): boolean {
  return existsSync(join(folder, 'initdb'));
}

function hasPgvector(folder: string): boolean {
  const { stdout } = spawnSync(join(folder, 'pg_config'), ['--sharedir'], { encoding: 'utf8' });
  return typeof stdout === 'string' && existsSync(join(stdout.trim(), 'extension', 'vector.control'));
}

/**
 * Starts the server of this folder unless it runs. Test files may ask at once; one of them does it.
 * @param settings beside those of the tests, and instead of them
 */
export async function startCluster(
  folder: string,
  found: FoundPrograms = findPostgres(),
  settings: readonly string[] = [],
): Promise<void> {
  if ('missing' in found) throw new Error(found.missing);
  try {
    mkdirSync(join(folder, 'lock'));
  } catch {
    while (!existsSync(join(folder, STARTED))) await wait(50);
    return;
  }
  const user = serverUser();
  const data = join(folder, 'data');
  if (user) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, PROGRAMS), found.programs);
  runProgram(
    folder,
    'initdb',
    ['-D', data, '-U', 'longwatch', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    user,
  );
  startServer(folder, settings);
  writeFileSync(join(folder, STARTED), '');
}

export function startServer(folder: string, settings: readonly string[] = []): void {
  const options = [`-k ${folder}`, ...[...SETTINGS, ...settings].map((setting) => `-c ${setting}`)].join(' ');
  runProgram(
    folder,
    'pg_ctl',
    ['-D', join(folder, 'data'), '-l', join(folder, 'log'), '-w', '-o', options, 'start'],
    serverUser(),
  );
}

/** @param mode `immediate` is what a crash is */
export function stopServer(folder: string, mode: 'fast' | 'immediate' = 'fast'): void {
  runProgram(folder, 'pg_ctl', ['-D', join(folder, 'data'), '-m', mode, '-w', 'stop'], serverUser());
}

export function stopCluster(folder: string): void {
  if (existsSync(join(folder, 'data', 'postmaster.pid'))) stopServer(folder, 'immediate');
  rmSync(join(folder, 'data'), { recursive: true, force: true });
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The server refuses to run as root: then it is the package's user, or nobody. */
function serverUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim();
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  return uid === '' ? { uid: 65534, gid: 65534 } : { uid: Number(uid), gid: Number(gid) };
}

function runProgram(folder: string, name: string, options: readonly string[], user: User | undefined): void {
  const programs = readFileSync(join(folder, PROGRAMS), 'utf8');
  execFileSync(join(programs, name), options, { stdio: 'ignore', cwd: '/', ...user });
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
