import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { newVideo, randomFrom, temporaryFolder, temporaryLibrary } from '../support.js';

const writer = fileURLToPath(new URL('./window-writer.js', import.meta.url));
const EVENTS_PER_WINDOW = 20;

function startWriter(directory: string, id: string, from: number, count: number) {
  return spawn(process.execPath, [writer, directory, id, String(from), String(count), String(EVENTS_PER_WINDOW)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('a library under the hands of processes that die', () => {
  it('twenty kills at random moments leave every window whole or absent', { timeout: 120_000 }, async () => {
    const directory = temporaryFolder();
    const { id } = temporaryLibrary({ directory }).addVideo(newVideo('film'));
    const random = randomFrom(11);
    let from = 0;
    for (let kill = 0; kill < 20; kill++) {
      const child = startWriter(directory, id, from, 1_000_000);
      await once(child.stdout, 'data');
      await pause(random() * 60);
      child.kill('SIGKILL');
      await once(child, 'close');
      const library = temporaryLibrary({ directory });
      const windows = [...library.writtenWindows(id)];
      expect(windows.length).toBeGreaterThan(from);
      expect(windows).toEqual(windows.map((_, i) => i));
      from = windows.length;
      await library.close();
    }
    const library = temporaryLibrary({ directory });
    const { checks } = await library.check();
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(library.stats()).toMatchObject({
      segments: from,
      events: from * EVENTS_PER_WINDOW,
      embeddings: from * EVENTS_PER_WINDOW,
    });
    expect(library.matchText(`"window ${from - 1} event 0"`, 5).map((hit) => hit.event.id)).toEqual([
      `${id}-${from - 1}-0`,
    ]);
  });

  it('two processes write to one library at the same time and nothing is lost', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory });
    const ids = ['one', 'two'].map((name) => library.addVideo(newVideo(name)).id);
    const codes = await Promise.all(
      ids.map(async (id) => {
        const child = startWriter(directory, id, 0, 60);
        child.stdout.resume();
        const [code] = await once(child, 'close');
        return code;
      }),
    );
    expect(codes).toEqual([0, 0]);
    for (const id of ids) expect(library.writtenWindows(id).size).toBe(60);
    expect((await library.check()).ok).toBe(true);
    expect(await library.nearest('writer', Float32Array.of(0, 0, 1, 2), 1)).toHaveLength(1);
  });

  it('two processes that make one new library at the same moment both get it', async () => {
    const directory = join(temporaryFolder(), 'new');
    const id = 'a'.repeat(12);
    const codes = await Promise.all(
      [0, 30].map(async (from) => {
        const child = startWriter(directory, id, from, 30);
        child.stdout.resume();
        const [code] = await once(child, 'close');
        return code;
      }),
    );
    expect(codes).toEqual([0, 0]);
    expect(temporaryLibrary({ directory }).writtenWindows(id).size).toBe(60);
  });
});
