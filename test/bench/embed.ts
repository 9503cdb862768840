/**
 * How fast MiniLM turns text into vectors here, how long it takes to load and what it costs in memory.
 * `npx tsc && node dist/test/bench/embed.js` prints a table in Markdown.
 */

import { availableParallelism, cpus } from 'node:os';
import { openMiniLm } from '../../src/meaning/minilm.js';

/** Tokens of a text, `[CLS]` and `[SEP]` included: a name, a subtitle, a paragraph. */
const LENGTHS = [8, 32, 128] as const;
const THREADS = [1, 2] as const;
/** Long enough that the clock's and the scheduler's noise is small. */
const SECONDS_PER_CELL = 2;
const TEXTS_PER_CALL = 64;

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

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

console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}\n`);
console.log(
  `| threads | load | resident after load | ${LENGTHS.map((n) => `${n} tokens`).join(' | ')} | resident after work |`,
);
console.log(`| ---: | ---: | ---: | ${LENGTHS.map(() => '---:').join(' | ')} | ---: |`);
const before = process.memoryUsage.rss();
for (const threads of THREADS) {
  const start = performance.now();
  const model = await openMiniLm({ threads });
  const load = `${Math.round(performance.now() - start)} ms`;
  const loaded = process.memoryUsage.rss();
  const speeds: string[] = [];
  for (const length of LENGTHS) {
    const speed = await textsPerSecond((texts) => model.embed(texts), length);
    speeds.push(`${Math.round(speed)}/s`);
  }
  const row = [threads, load, megabytes(loaded), ...speeds, megabytes(process.memoryUsage.rss())];
  console.log(`| ${row.join(' | ')} |`);
  await model.close();
}
const peak = megabytes(process.resourceUsage().maxRSS * 1024);
console.log(`\nBefore the first load: ${megabytes(before)} resident. Peak of the whole: ${peak}.`);
