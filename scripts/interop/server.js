/** A server of somebody else's, started as a process on a free port of this machine. */

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const START_LIMIT_MS = 180_000;

/**
 * Starts it and waits until it is well.
 *
 * @param {string} command
 * @param {(port: number) => string[]} argumentsOf
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startServer(command, argumentsOf, options) {
  const port = await freePort();
  // Some servers live as long as their standard input does.
  const process_ = spawn(command, argumentsOf(port), { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = () => process_.kill();
  process.on('exit', kill);
  let log = '';
  for (const stream of [process_.stdout, process_.stderr])
    stream.on('data', (chunk) => (log = (log + chunk).slice(-4_000)));
  const ended = new Promise((resolve) => process_.once('close', resolve));
  const stop = async () => {
    kill();
    await ended;
    process.off('exit', kill);
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && process_.exitCode === null) {
    const well = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (well) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await stop();
  throw new Error(`The server did not start. Is requirements.txt installed for ${command}?\n${log}`);
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
