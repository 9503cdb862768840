/** Real footage from three more sources through the whole house, in one library. */

import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BIKES_CUTS_S, realClips } from '../fixtures/real/clips.js';
import type { VideoRecord } from '../index/store/records.js';
import { loadConfig } from '../src/config.js';
import { type Engine, openEngine } from '../src/main.js';

const found = await realClips();
if ('missing' in found && process.env.CI) throw new Error(found.missing);

describe.skipIf('missing' in found)(`real clips${'missing' in found ? ` (${found.missing})` : ''}`, () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-real-'));
  let engine: Engine;
  const videos: Record<string, VideoRecord> = {};

  beforeAll(async () => {
    engine = await openEngine(loadConfig({ library: path.join(folder, 'library') }), { create: true });
    if ('missing' in found) return;
    for (const [name, source] of Object.entries(found.clips)) {
      const file = path.join(folder, `${name}.mp4`);
      copyFileSync(source, file);
      if (name === 'bigbuckbunny') {
        writeFileSync(
          path.join(folder, 'bigbuckbunny.srt'),
          '1\n00:00:00,000 --> 00:00:01,600\nA fat animal climbs out of its burrow.\n\n2\n00:00:01,600 --> 00:00:04,000\nIt stretches its arms in the sun.\n\n3\n00:00:04,000 --> 00:00:05,280\nThe rabbit opens its eyes.\n',
        );
      }
      videos[name] = (await engine.ingest(file)).video;
    }
  });

  afterAll(() => engine.close());

  it.each([
    ['bikes', { duration: 10, width: 640, height: 272, state: 'ready' }, 25],
    // 176×144 stored, with pixels 128:117 wide.
    ['carphone_pristine', { duration: 4.004, width: 193, height: 144, state: 'ready' }, 30_000 / 1001],
    ['bigbuckbunny', { duration: 5.28, width: 1280, height: 720, state: 'ready' }, 25],
  ])('%s has its length, size and frame rate', (name, facts, fps) => {
    expect(videos[name]).toMatchObject(facts);
    expect(videos[name]?.fps.nominal).toBeCloseTo(fps, 3);
    expect(videos[name]?.coverage).toEqual([{ start: 0, end: facts.duration }]);
  });

  it('cuts of the street film are found at their frames, and none in the films of one shot', async () => {
    const cuts = async (name: string) =>
      (await engine.library.events(videos[name]?.id ?? '', { kinds: ['cut'] })).items.map((event) => event.start);
    expect(await cuts('bikes')).toEqual([...BIKES_CUTS_S]);
    expect(await cuts('carphone_pristine')).toEqual([]);
    expect(await cuts('bigbuckbunny')).toEqual([]);
  });

  it('"bunny wakes up" finds the subtitle that says that the rabbit opens its eyes', async () => {
    const answer = await engine.searcher.search({ query: 'bunny wakes up' });
    expect(answer.mode).toBe('words+meaning');
    expect(answer.results[0]).toMatchObject({
      videoId: videos.bigbuckbunny?.id,
      start: 4,
      end: 5.28,
      text: 'The rabbit opens its eyes.',
    });
  });

  it('a question about another film is answered by no match', async () => {
    const answer = await engine.searcher.search({ query: 'a goalkeeper catches the ball' });
    expect(answer).toMatchObject({ noMatch: true, results: [] });
  });

  it('stills land on the shot that the cut begins', async () => {
    const video = videos.bikes as VideoRecord;
    for (const cut of BIKES_CUTS_S) {
      expect((await engine.still(video, cut)).time).toBe(cut);
      // Half a frame earlier, the last frame of the shot before is still on screen.
      expect((await engine.still(video, cut - 0.02)).time).toBeCloseTo(cut - 0.04, 9);
    }
  });
});
