import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { newVideo, temporaryFolder, temporaryLibrary } from '../../index/support.js';

const worker = fileURLToPath(new URL('./window-worker.js', import.meta.url));
const WINDOWS = 12;

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [worker, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return { child, said: () => said.trim().split('\n'), ended: once(child, 'close') };
}

async function hasSaid({ said, child }: { said: () => string[]; child: ChildProcess }, line: string): Promise<void> {
  while (!said().includes(line) && child.exitCode === null) await pause(5);
}

describe.skipIf(process.platform === 'win32')('a process that sleeps through its lease', () => {
  it('writes nothing more when it wakes: its heir has the job, and every window is written once', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory });
    const { id } = library.addVideo(newVideo('film'));
    library.addJob({ path: '/film' });
    const sleeper = start(directory, id, String(WINDOWS), 'sleeper', '3');
    await hasSaid(sleeper, '3');
    // Past the lease of two seconds. The sleeper lives, so only the lease can tell.
    await pause(2_200);
    const heir = start(directory, id, String(WINDOWS), 'heir');
    await hasSaid(heir, '5');
    sleeper.child.kill('SIGCONT');
    await Promise.all([sleeper.ended, heir.ended]);

    expect(sleeper.said().at(-1)).toBe('lease_lost');
    const segments = library.segments(id).items;
    expect(segments.map(({ index }) => index)).toEqual(Array.from({ length: WINDOWS }, (_, i) => i));
    // Each window is of whoever said that it wrote it, and nobody says so of the same one twice.
    const written = (mark: string) => segments.filter(({ model }) => model === mark).map(({ index }) => String(index));
    expect(written('sleeper')).toEqual(sleeper.said().slice(0, -1));
    expect(written('heir')).toEqual(heir.said());
    expect(library.listJobs().items.map(({ state }) => state)).toEqual(['done']);
  });
});
