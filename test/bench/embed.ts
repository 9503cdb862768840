/**
 * How fast MiniLM turns text into vectors here, how long it takes to load and what it costs in memory.
 * `npx tsc && node dist/test/bench/embed.js` prints a table in Markdown. Each row is measured in a process of its own.
 */

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openMiniLm } from '../../src/meaning/minilm.js';

/** Tokens of a text, `[CLS]` and `[SEP]` included: a name, a subtitle, a paragraph. */
const LENGTHS = [8, 32, 128] as const;
const THREADS = ['1', '2'] as const;
/** Long enough that the clock's and the scheduler's noise is small. */
const SECONDS_PER_CELL = 2;
const TEXTS_PER_CALL = 64;

async function textsPerSecond(embed: (texts: string[]) => Promise<unknown>, length: number): Promise<number> {
  // Each of these words is one token.
  const texts = Array.from({ length: TEXTS_PER_CALL }, () => new Array(length - 2).fill('rabbit').join(' '));
  await embed(texts);
  const start = performance.now();
  let done = 0;
  let seconds = 0;
  while (seconds < SECONDS_PER_CELL) {
    await embed(texts);
    done += texts.length;
    seconds = (performance.now() - start) / 1000;
  }
  return done / seconds;
}

async function printRow(threads: number): Promise<void> {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const model = await openMiniLm({ threads });
  const load = performance.now() - start;
  const loaded = process.memoryUsage.rss();
  const speeds: string[] = [];
  for (const length of LENGTHS)
    speeds.push(`${Math.round(await textsPerSecond((texts) => model.embed(texts), length))}/s`);
  await model.close();
  const peak = process.resourceUsage().maxRSS * 1024;
  const memory = [before, loaded, peak].map(megabytes);
  console.log(`| ${[threads, `${Math.round(load)} ms`, ...speeds, ...memory].join(' | ')} |`);
}

const [, , row] = process.argv;
if (row) {
  await printRow(Number(row));
} else {
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, load average ${loadavg()[0]?.toFixed(1)}`;
  const columns = ['threads', 'load', ...LENGTHS.map((n) => `${n} tokens`), 'RSS before', 'RSS loaded', 'RSS peak'];
  console.log(`${machine}, Node ${process.version}\n`);
  console.log(`| ${columns.join(' | ')} |`);
  console.log(`| ${columns.map(() => '---:').join(' | ')} |`);
  for (const threads of THREADS)
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), threads], { stdio: 'inherit' });
}
