/** What a watch promises of every place, be it a folder or a part of a bucket. */

import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WatchRule } from '../../../ingest/watch/rule.js';
import { Bucket } from '../objects/bucket.js';
import { mp4 } from './files.js';
import { House } from './house.js';

interface Place {
  /** As a rule names it. */
  readonly dir: string;
  put(name: string, bytes?: Uint8Array): Promise<string>;
  remove(name: string): Promise<void>;
  /** Nothing can be listed any more, until it can again. */
  away(): void;
  back(): void;
}

let bucket: Bucket;
beforeAll(async () => {
  bucket = await new Bucket().open();
});
afterAll(() => bucket.close());

let places = 0;

function aFolder(): Place {
  const dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'longwatch-place-')));
  return {
    dir,
    async put(name, bytes = mp4(name)) {
      const file = path.join(dir, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, bytes);
      return file;
    },
    remove: async (name) => rmSync(path.join(dir, name)),
    away: () => renameSync(dir, `${dir}-away`),
    back: () => renameSync(`${dir}-away`, dir),
  };
}

function aBucket(): Place {
  const prefix = `place ${++places}`;
  return {
    dir: `s3://films/${prefix}`,
    put: (name, bytes = mp4(name)) => bucket.put(`${prefix}/${name}`, bytes),
    remove: (name) => bucket.remove(`${prefix}/${name}`),
    away: () => {
      bucket.door = (_request, response) => {
        response.statusCode = 503;
        response.end('<Error><Code>SlowDown</Code></Error>');
      };
    },
    back: () => {
      bucket.door = (_request, _response, pass) => pass();
    },
  };
}

let house: House;
beforeEach(() => {
  house = new House(bucket.store());
});
afterEach(async () => {
  bucket.door = (_request, _response, pass) => pass();
  await house.close();
});

const RULE = { include: [], exclude: [] };

describe.each([
  ['folder', aFolder],
  ['place in a bucket', aBucket],
])('a watched %s', (_kind, make) => {
  let place: Place;
  beforeEach(() => {
    place = make();
  });

  const at = (name: string) => `${place.dir}/${name}`;
  const once = (rule: Partial<WatchRule> = {}) =>
    house.watcher({ rules: [{ ...RULE, dir: place.dir, ...rule }] }).once();

  it('is read with all that lies in it, each film once, and never again', async () => {
    const names = ['a.mp4', 'deep/er/ü + 100%#?&.mp4', "it's (1)!.mkv", '日本.webm'];
    for (const [i, name] of [...names, 'notes.txt', 'half.mp4.part', 'deep/._a.mp4'].entries())
      await place.put(name, mp4(name, 200 + 50 * i));
    const { jobs, known, waiting, unlisted } = await once();
    expect([jobs.map(({ state }) => state), known, waiting.size, unlisted.size]).toEqual([
      ['done', 'done', 'done', 'done'],
      0,
      0,
      0,
    ]);
    expect(house.read.sort()).toEqual(names.map(at).sort());
    expect(await once()).toMatchObject({ known: 4, jobs: [] });
    expect([house.read.length, house.hashed, house.told()]).toEqual([4, [], []]);
  });

  it('is read as its rules say, and rules of places in one another add up', async () => {
    for (const [i, name] of ['x/a.mp4', 'x/old/a.mp4', 'x/y/b.mp4', 'z/c.mp4'].entries())
      await place.put(name, mp4(name, 200 + i));
    const watcher = house.watcher({
      rules: [
        { include: ['x/**'], exclude: ['old'], dir: place.dir, profile: 'fast', tags: ['yard'] },
        { ...RULE, dir: at('x/y'), tags: ['deep'] },
      ],
    });
    await watcher.once();
    expect(house.read.sort()).toEqual(['x/a.mp4', 'x/y/b.mp4'].map(at));
    expect(
      house.library
        .listVideos()
        .items.map(({ path: file, profile, tags }) => [file, profile, tags])
        .sort(),
    ).toEqual([
      [at('x/a.mp4'), 'fast', ['yard']],
      [at('x/y/b.mp4'), 'fast', ['deep', 'yard']],
    ]);
    expect(watcher.places().map(({ state, videos, failures }) => [state, videos, failures])).toEqual([
      ['listed', 2, 0],
      ['listed', 1, 0],
    ]);
  });

  it('reads a film anew that was replaced, and calls the old content missing', async () => {
    await place.put('film.mp4', mp4('old'));
    await once();
    await place.put('film.mp4', mp4('new', 900));
    await once();
    expect(house.read).toEqual([at('film.mp4'), at('film.mp4')]);
    expect(house.videos()).toEqual([`${at('film.mp4')} missing`, `${at('film.mp4')} ready`]);
  });

  it('calls a film that went missing, and has it back as it was', async () => {
    await place.put('film.mp4');
    await place.put('other.mp4', mp4('other', 300));
    await once();
    await place.remove('film.mp4');
    await once();
    expect(house.videos()).toEqual([`${at('film.mp4')} missing`, `${at('other.mp4')} ready`]);
    await once();
    expect(house.told()).toEqual(['missing']);
    await place.put('film.mp4');
    await once();
    expect([house.videos()[0], house.read.length]).toEqual([`${at('film.mp4')} ready`, 2]);
  });

  it('keeps the video of a film that was moved: it is hashed, and not read again', async () => {
    await place.put('film.mp4', mp4('film'));
    await once();
    await place.put('archive/The film.mp4', mp4('film'));
    await place.remove('film.mp4');
    await once();
    expect([house.read, house.hashed]).toEqual([[at('film.mp4')], [at('archive/The film.mp4')]]);
    expect(house.videos()).toEqual([`${at('archive/The film.mp4')} ready`]);
    expect(house.told()).toEqual(['moved']);
  });

  it('has one video for twins that come together, which lives on in the one that is left', async () => {
    for (const name of ['a.mp4', 'b.mp4', 'c.mp4']) await place.put(name, mp4('twin'));
    await once();
    expect([house.read.length, house.library.stats().videos, house.told()]).toEqual([1, 1, ['copy', 'copy']]);
    expect(await once()).toMatchObject({ known: 3, jobs: [] });
    const first = house.read[0]?.slice(place.dir.length + 1) ?? '';
    await place.remove(first);
    await once();
    expect([house.library.listVideos().items[0]?.state, house.read.length]).toEqual(['ready', 1]);
    for (const name of ['a.mp4', 'b.mp4', 'c.mp4'].filter((name) => name !== first)) await place.remove(name);
    await once();
    expect(house.library.listVideos().items.map(({ state }) => state)).toEqual(['missing']);
  });

  it('leaves an empty film until it is replaced, and says why', async () => {
    const file = await place.put('film.mp4', new Uint8Array(0));
    expect([...(await once()).waiting]).toEqual([[file, 'it is empty']]);
    await place.put('film.mp4');
    await once();
    expect(house.read).toEqual([file]);
  });

  it('that cannot be listed says so, says nothing of what lies in it, and is in step again when it can', async () => {
    for (const name of ['a.mp4', 'b.mp4']) await place.put(name);
    const watcher = house.watcher({ rules: [{ ...RULE, dir: place.dir }], interval: 30, hints: false });
    house.run(watcher);
    await expect.poll(() => house.read.length).toBe(2);
    place.away();
    const [before, told] = [house.videos(), house.told().length];
    await expect.poll(() => (watcher.places()[0]?.failures ?? 0) > 1).toBe(true);
    const [status] = watcher.places();
    expect(status).toMatchObject({ place: place.dir, state: expect.stringMatching(/^(failed|listing)$/), videos: 2 });
    expect(status?.error?.hint).toMatch(/./);
    expect([house.videos(), house.told().slice(told)]).toEqual([before, ['unlisted']]);
    place.back();
    await place.remove('a.mp4');
    await place.put('c.mp4', mp4('c', 500));
    await expect
      .poll(house.videos.bind(house))
      .toEqual([`${at('a.mp4')} missing`, `${at('b.mp4')} ready`, `${at('c.mp4')} ready`]);
    await expect.poll(() => watcher.places()[0]).toMatchObject({ state: 'listed', videos: 2, failures: 0 });
  });
});
