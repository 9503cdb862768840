import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { renderClip } from '../../fixtures/clips/render.js';
import { runScript } from '../cli/run.js';
import { temporaryFolder, temporaryLibrary } from '../index/support.js';

const script = fileURLToPath(new URL('./deadly-model.js', import.meta.url));

describe('a window that ends the process of the model', () => {
  it('is asked about twice and then written without its words, which the video says', async () => {
    const directory = temporaryFolder();
    const pts = Array.from({ length: 140 }, (_, frame) => frame * 500);
    const film = await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
    for (let death = 0; death < 2; death++) expect((await runScript(script, [directory, film])).exit).toBe('SIGKILL');
    const { exit, stdout, stderr } = await runScript(script, [directory, film]);
    expect([exit, stderr]).toEqual([0, '']);
    const library = temporaryLibrary({ directory });
    const [video] = library.listVideos().items;
    const segments = library.segments(video?.id ?? '').items;
    const silent = segments.filter(({ model }) => model === undefined);
    expect(silent).toHaveLength(1);
    const [{ index, start, end }] = silent as [(typeof silent)[number]];
    expect([index, start > 0 && start < 20]).toEqual([1, true]);
    expect(segments.length).toBeGreaterThan(2);
    for (const { model, caption } of segments.filter((segment) => segment.index !== 1))
      expect([model, caption?.startsWith('seen from')]).toEqual(['deadly', true]);
    const said = JSON.parse(stdout);
    expect(said.state).toBe('ready');
    // The first window was kept from the first run; the deadly one was not asked about again.
    expect(said.asked).toBe(segments.length - 2);
    expect(said.warnings).toHaveLength(1);
    expect(said.warnings[0]).toMatch(
      new RegExp(
        `^The process ended 2 times while the model looked at 0:00:${Math.floor(start)}\\S+ – 0:00:${Math.floor(end)}`,
      ),
    );
    expect(library.beginWindow(video?.id ?? '', 2, 'deadly')).toBe(0);
  });
});
