/** Runs the command line as a user does: the built program in a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openLibrary } from '../../index/store/sqlite-library.js';

export const PROGRAM = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Finished {
  /** Exit code, or the signal that ended it. */
  readonly exit: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the process once it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

export function longwatch(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return runScript(PROGRAM, args, options);
}

/** Runs a JavaScript file in a process of its own. */
export function runScript(
  script: string,
  args: readonly string[],
  { env = {}, cwd, onStart }: RunOptions = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  onStart?.(child);
  return finished(child);
}

/** What a process says until it has ended. */
export function finished(child: ChildProcess): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ exit: code ?? signal, stdout, stderr }));
  });
}

/**
 * Ends an ingest in its middle, however fast the machine is: as soon as it has written windows beyond those that were there.
 * @param before windows that the library holds already
 */
export function signalAfterWindows(signal: NodeJS.Signals, library: string, before = 0) {
  return async (child: ChildProcess): Promise<void> => {
    while (windowsIn(library) <= before) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      await pause(20);
    }
    child.kill(signal);
  };
}

/** Windows that are written; none before there is a library. */
export function windowsIn(directory: string): number {
  try {
    const library = openLibrary(directory, { create: false, readonly: true });
    const { segments } = library.stats();
    void library.close();
    return segments;
  } catch {
    return 0;
  }
}
