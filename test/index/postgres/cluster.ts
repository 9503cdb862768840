/** A PostgreSQL server of our own in a folder, on a socket there: Debian's package or any other installation, as root and as anyone else. */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const STARTED = 'started';
/** The server is for tests: nothing that it holds need survive a power cut, and two cores are all that there is. */
const SETTINGS = [
  ...['fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'autovacuum=off', 'jit=off'],
  ...['listen_addresses=', 'shared_buffers=32MB', 'max_connections=60', 'max_parallel_workers_per_gather=0'],
  ...['wal_level=minimal', 'max_wal_senders=0'],
];

/** Folder of PostgreSQL's programs, or why there is none. */
export function findPostgres(): { readonly programs: string } | { readonly missing: string } {
  const versions = readFolder('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a));
  const folders = [
    ...versions.map((version) => join('/usr/lib/postgresql', version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  const programs = folders.find((folder) => existsSync(join(folder, 'initdb')));
  return programs ? { programs } : { missing: 'PostgreSQL is not installed (Debian: apt-get install postgresql)' };
}

/** Starts the server of this folder unless it runs. Test files may ask at once; one of them does it. */
export async function startCluster(folder: string): Promise<void> {
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
  runProgram(
    'initdb',
    ['-D', data, '-U', 'longwatch', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    user,
  );
  startServer(folder);
  writeFileSync(join(folder, STARTED), '');
}

export function startServer(folder: string): void {
  const options = [`-k ${folder}`, ...SETTINGS.map((setting) => `-c ${setting}`)].join(' ');
  runProgram(
    'pg_ctl',
    ['-D', join(folder, 'data'), '-l', join(folder, 'log'), '-w', '-o', options, 'start'],
    serverUser(),
  );
}

/** @param mode `immediate` is what a crash is */
export function stopServer(folder: string, mode: 'fast' | 'immediate' = 'fast'): void {
  runProgram('pg_ctl', ['-D', join(folder, 'data'), '-m', mode, '-w', 'stop'], serverUser());
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

function runProgram(name: string, options: readonly string[], user: User | undefined): void {
  const found = findPostgres();
  if ('missing' in found) throw new Error(found.missing);
  execFileSync(join(found.programs, name), options, { stdio: 'ignore', cwd: '/', ...user });
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
