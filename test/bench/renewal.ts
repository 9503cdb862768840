/**
 * What a change costs where only what rests on it is done again: `npm run bench:renewal [-- MINUTES]`.
 *
 * The film is the sample film over and over, with a line of words beside it every four seconds. It is ingested with the profile `fast`; then its texts
 * are embedded anew, as if another embedder had made their points; then one line of the words is another; then nothing is. Processor time is that of
 * everything that was started, the decoder included.
 */

import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import BetterSqlite3 from 'better-sqlite3';
import { longFilm } from '../../fixtures/real/long-film.js';
import { DATABASE_FILE } from '../../index/store/sqlite-library.js';
import type { Seconds } from '../../src/time.js';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const minutes = Number(process.argv[2] ?? 60);
const FILMS_A_MINUTE = 2;
const LINE_EVERY: Seconds = 4;
const WHO = ['A bird', 'The rabbit', 'An old man', 'The blue car', 'A crowd of children', 'The train', 'A dog'];
const DOES = ['walks across', 'looks at', 'falls into', 'comes out of', 'waits before', 'runs around'];
const WHAT = ['the river', 'a wooden house', 'the market', 'the tall tower', 'an empty road'];

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-bench-renewal-'));
try {
  const film = path.join(folder, 'film.mkv');
  copyFileSync(await longFilm(minutes * FILMS_A_MINUTE), film);
  const library = path.join(folder, 'library');
  writeWords('time');
  console.log(
    `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}; ${minutes} min of film\n`,
  );
  console.log('| what | done again | took | processor time |\n| --- | --- | ---: | ---: |');
  await row('ingest', film, library);
  const db = new BetterSqlite3(path.join(library, DATABASE_FILE));
  db.exec("UPDATE making SET meaning = 'another' WHERE meaning <> ''; UPDATE embedder SET id = 'another'");
  db.close();
  await row('another embedder', film, library);
  writeWords('year');
  await row('a line of the words is another', film, library);
  await row('nothing is another', film, library);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function row(name: string, film: string, library: string): Promise<void> {
  const command = 'node "$0" ingest "$1" --profile fast --library "$2" --json --quiet && times >&2';
  const { stdout, stderr } = await run('sh', ['-c', command, main, film, library], { maxBuffer: 1 << 26 });
  const [video]: { took_ms: number; parts: { name: string }[] }[] = JSON.parse(stdout).videos;
  // POSIX: the shell's own times, then those of what it waited for.
  const times = [...stderr.matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  const cpu: Seconds = times.reduce((sum, [, min, sec]) => sum + 60 * Number(min) + Number(sec), 0);
  const parts = video?.parts.map((part) => part.name).join(', ') || 'nothing';
  console.log(`| ${name} | ${parts} | ${((video?.took_ms ?? 0) / 1000).toFixed(1)} s | ${cpu.toFixed(1)} s |`);
}

/** @param last word of the line in the middle */
function writeWords(last: string): void {
  const count = Math.floor((minutes * 60) / LINE_EVERY);
  const lines = Array.from({ length: count }, (_, i) => {
    const said = `${pick(WHO, i)} ${pick(DOES, i / WHO.length)} ${pick(WHAT, i / WHO.length / DOES.length)}`;
    const span = `${clock(i * LINE_EVERY)} --> ${clock(i * LINE_EVERY + 3)}`;
    return `${i + 1}\n${span}\n${said}, for the ${i + 1}. ${i === count >> 1 ? last : 'time'}.\n`;
  });
  writeFileSync(path.join(folder, 'film.srt'), lines.join('\n'));
}

function pick(words: readonly string[], at: number): string {
  return words[Math.floor(at) % words.length] ?? '';
}

function clock(time: Seconds): string {
  return new Date(time * 1000).toISOString().slice(11, 23).replace('.', ',');
}
