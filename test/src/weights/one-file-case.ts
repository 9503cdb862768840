/** A checkpoint with one file of weights: quick to pull, and to interrupt where a test wants. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeEach, expect } from 'vitest';
import type { Fault, HubFile } from './fake-hub.js';
import { bytesOf, large, type PullCase, QUICK, REPO, small, usePullCase } from './pull-case.js';

export const WEIGHTS = 'model.safetensors';
export const SIZE = 100_000;
/** Gives up at the first failure. */
export const ONCE = { ...QUICK, attempts: 1 };

export function oneFile(): Record<string, HubFile> {
  return { 'config.json': small('{}'), 'README.md': small('a card\n'), [WEIGHTS]: large('weights', SIZE) };
}

export interface OneFileCase {
  readonly pulls: PullCase;
  /** Faults for the requests of one file's bytes, one after the other; undefined for none. */
  faultsOf(file: string, faults: readonly (Fault | undefined)[]): void;
  /** Path of the partial file of `file`. */
  partialOf(file: string): string;
  /** Everything is there, and nothing else. */
  expectWhole(): void;
  untilPartialHas(bytes: number): Promise<void>;
  /** A pull in a process of its own, from what the compiler made. */
  startPull(): { kill(): Promise<void> };
}

export function useOneFileCase(): OneFileCase {
  const the = usePullCase();
  beforeEach(() => {
    the.hub.repos.clear();
    the.hub.put(REPO, oneFile(), { license: 'apache-2.0' });
  });
  return {
    pulls: the,
    faultsOf(file, faults) {
      const left = [...faults];
      const server = file.endsWith('.safetensors') ? 'cdn' : 'hub';
      the.hub.fault = (request) =>
        request.server === server && request.path.endsWith(`/${file}`) ? left.shift() : undefined;
    },
    partialOf(file) {
      const name = readdirSync(the.directory).find((entry) => entry.startsWith(file) && entry.endsWith('.partial'));
      return path.join(the.directory, name ?? 'no partial file');
    },
    expectWhole() {
      expect(the.names()).toEqual(['README.md', 'config.json', WEIGHTS, 'pulled.json']);
      expect(the.read(WEIGHTS).equals(bytesOf('weights', SIZE))).toBe(true);
    },
    async untilPartialHas(bytes) {
      const size = () => statSync(this.partialOf(WEIGHTS), { throwIfNoEntry: false })?.size ?? 0;
      while (!existsSync(the.directory) || size() < bytes) await sleep(10);
    },
    startPull() {
      const module = pathToFileURL(path.resolve('dist/src/weights/pull.js')).href;
      const options = { directory: the.directory, endpoint: the.hub.endpoint };
      const script = `import { pullCheckpoint } from ${JSON.stringify(module)};
        await pullCheckpoint(${JSON.stringify(REPO)}, ${JSON.stringify(options)});`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
      const ended = new Promise<void>((done) => child.once('exit', () => done()));
      return {
        kill() {
          child.kill('SIGKILL');
          return ended;
        },
      };
    },
  };
}
