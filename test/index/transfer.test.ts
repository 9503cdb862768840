import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Library } from '../../index/library.js';
import { openPostgresLibrary } from '../../index/postgres/postgres-library.js';
import { DATABASE_FILE } from '../../index/store/sqlite-library.js';
import { libraryRows } from '../../index/transfer/library-rows.js';
import { transferLibrary } from '../../index/transfer/transfer.js';
import { codeOf } from './contract/house.js';
import { noServer, temporaryDatabase } from './postgres/server.js';
import { newVideo, sha256, subtitle, temporaryFolder, temporaryLibrary, windowOf } from './support.js';

/** Something of everything that a library keeps. */
async function fill(library: Library): Promise<string> {
  const claim = { owner: 'o', lease: 60_000, isGone: () => false };
  const { id } = await library.addVideo(newVideo('film'));
  await library.updateVideo(id, {
    duration: 30 + 1 / 3,
    state: 'partial',
    warnings: ['a "quoted" one\n'],
    error: { code: 'x', detail: 'y' },
  });
  await library.tagVideo(id, { add: ['two', 'one'] });
  await library.addVideo(newVideo('lost'));
  await library.missVideo(sha256('lost').slice(0, 12));
  await library.addCopy(id, { path: '/copy.mp4', sizeBytes: 3, modified: 0.1 + 0.2 });
  await library.beginWindow(id, 1, 'm');
  await library.giveUpWindow(id, 1);
  await library.beginWindow(id, 7, 'm');
  const frameEmbedding = { embedderId: 'pictures', vector: Float32Array.of(0, 1, 2) };
  for (let w = 0; w < 3; w++) {
    const event = {
      ...subtitle(w * 10 + 1 / 3, w * 10 + 2, `Häuser öffnen 兎 🐇 ${w}`),
      attributes: { box: [0.1, 1e-9], on: true },
    };
    await library.writeWindow(id, windowOf(w, [{ event, embedding: Float32Array.of(1, w), frameEmbedding }]), 'texts');
  }
  await library.beginLayer(id, 'speech', 'whisper');
  await library.writeLayer(id, 'speech', {
    index: 0,
    range: { start: 0, end: 30 },
    events: [{ event: subtitle(2, 3, 'said') }],
    last: true,
  });
  for (const path of ['/b', '/a']) await library.addJob({ path, file: { sizeBytes: 5, modified: 6.5 } });
  const held = await library.claimJob(claim);
  if (held) await library.endJob(held.fence, { kind: 'failed', error: { code: 'disk_full', detail: 'Full.' } });
  const running = await library.claimJob(claim);
  if (running)
    await library
      .underJob(running.fence)
      .sharedWindows.offer(id, { model: 'm', frames: '', together: true, pictures: new Map([[0, 'seen']]) });
  await library.sharedWindows.claim({ ...claim, model: 'm', most: 1 });
  await library.pauseJobs(true);
  await library.watches.add(
    { id: 'w', query: 'q', videoIds: [id], minScore: 0.5, url: 'https://x.example/', created: 1 },
    'secret',
  );
  await library.writeWindow(id, windowOf(3));
  const [fresh] = await library.watches.fresh();
  if (fresh)
    await library.watches.settle(fresh, [{ watchId: 'w', matches: [{ start: 1, end: 2 }] }], () => '{"body":1}');
  await library.writeWindow(id, windowOf(4));
  await library.putSummary(id, sha256('texts'), {
    model: 'm',
    sentences: [{ start: 0, end: 1, precision: 0.5, text: 'A film.' }],
  });
  await library.keptAnswers.put('ann', 'k', { request: 'r', status: 200, headers: { a: 'b' }, body: 'body' }, 5);
  return id;
}

async function facts(library: Library, id: string) {
  return {
    videos: await library.listVideos(),
    files: await library.videoFiles(),
    events: await library.events(id),
    segments: await library.segments(id),
    found: (await library.matchText('hauser opened', 5)).map(({ event, coverage }) => [event.id, coverage]),
    near: await library.nearest('texts', Float32Array.of(1, 1), 5),
    jobs: await library.listJobs(),
    last: await library.lastJobs(),
    paused: await library.jobsPaused(),
    givenUp: await library.givenUpWindows(id),
    waiting: await library.sharedWindows.waiting(id),
    layer: await library.beginLayer(id, 'speech', 'whisper'),
    summary: await library.getSummary(id, sha256('texts')),
    watches: await library.watches.list(),
    deliveries: await library.watches.deliveries.list('w'),
    fresh: await library.watches.fresh(),
    answer: await library.keptAnswers.get('ann', 'k', 6),
    stats: await library.stats(),
    inOrder: (await library.check()).checks.filter(({ ok }) => !ok),
  };
}

const transfer = async (from: string, to: string) =>
  transferLibrary(await libraryRows(from, 'source'), await libraryRows(to, 'target'));

describe.skipIf(noServer)('a library', () => {
  it('goes to PostgreSQL and back with every row, and works there as here', async () => {
    const [here, there, back] = [temporaryFolder(), await temporaryDatabase(), temporaryFolder()];
    const library = temporaryLibrary({ directory: here });
    const id = await fill(library);
    const before = await facts(library, id);
    const carried = await transfer(here, there);
    expect(carried.filter(({ rows }) => rows === 0).map(({ table }) => table)).toEqual([]);
    const moved = await openPostgresLibrary(there, { state: temporaryFolder() });
    expect(await facts(moved, id)).toEqual(before);
    expect(await transfer(there, back)).toEqual(carried);
    const returned = temporaryLibrary({ directory: back });
    expect(await facts(returned, id)).toEqual(before);
    // New keys follow those that came.
    for (const one of [moved, returned]) {
      await one.writeWindow(
        id,
        windowOf(9, [{ event: subtitle(91, 92, 'new'), embedding: Float32Array.of(5, -5) }]),
        'texts',
      );
      await one.addJob({ path: '/new' });
      expect((await one.nearest('texts', Float32Array.of(5, -5), 1))[0]?.event.text).toBe('new');
    }
    await moved.close();
  });

  it('goes into an empty place only', async () => {
    const [here, there] = [temporaryFolder(), temporaryFolder()];
    const library = temporaryLibrary({ directory: here });
    library.addVideo(newVideo('film'));
    temporaryLibrary({ directory: there }).addJob({ path: '/a' });
    const address = await temporaryDatabase();
    expect(await codeOf(() => transfer(here, there))).toBe('conflict');
    await transfer(here, address);
    expect(await codeOf(() => transfer(here, address))).toBe('conflict');
    expect(await codeOf(() => transfer(temporaryFolder(), address))).toBe('library_not_found');
  });

  it('leaves nothing behind when a row does not arrive as it was', async () => {
    const here = temporaryFolder();
    const library = temporaryLibrary({ directory: here });
    const { id } = library.addVideo(newVideo('film'));
    const db = new BetterSqlite3(join(here, DATABASE_FILE));
    db.exec(`UPDATE video SET title = 'a' || char(0) || 'b' WHERE id = '${id}'`);
    db.close();
    const address = await temporaryDatabase();
    expect(await codeOf(() => transfer(here, address))).toBe('library_damaged');
    const target = await openPostgresLibrary(address, { state: temporaryFolder() });
    expect(await target.stats()).toMatchObject({ videos: 0 });
    await target.close();
  });
});
