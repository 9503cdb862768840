/** A real server for benches, and what it says of itself. */

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = path.resolve('dist/src/cli/main.js');

/** A `longwatch serve` of its own over a library, on any free port. Whoever starts it ends it. @throws {Error} when it ends before it listens */
export async function serve(library: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--quiet', '--library', library], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return { child, url };
  }
  throw new Error('The server did not start.');
}

/** Reads `/metrics`; reading the event loop's delay starts it anew. @returns the value of a series, labels included; NaN where there is none */
export async function gauges(url: string): Promise<(series: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const series = new Map(
    text.split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
  return (name) => series.get(name) ?? Number.NaN;
}
