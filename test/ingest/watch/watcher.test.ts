import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { identifyFile } from '../../../ingest/file.js';
import { JobQueue } from '../../../ingest/jobs/queue.js';
import { FolderWatcher, type WatchEvent, type WatchOptions } from '../../../ingest/watch/watcher.js';
import { LongwatchError } from '../../../src/errors.js';
import { temporaryLibrary } from '../../index/support.js';
import { matroska, mp4 } from './files.js';

let root: string;
let library: SqliteLibrary;
let queue: JobQueue;
let read: string[];
let hashed: string[];
let events: WatchEvent[];
/** Thrown by the next ingest. */
let failure: LongwatchError | undefined;

beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'longwatch-watch-')));
  library = temporaryLibrary();
  [read, hashed, events, failure] = [[], [], [], undefined];
  queue = new JobQueue({
    store: library,
    wait: () => 0,
    // An ingest without a decoder: the file is known by its content and ready.
    work: async (file, _report, _signal, fence, { profile, tags }) => {
      if (failure) throw failure;
      const held = library.underJob(fence);
      const identity = await identifyFile(file);
      const title = path.basename(file, path.extname(file));
      const { id } = held.addVideo({ ...identity, title, fingerprint: 'f', tags });
      held.updateVideo(id, { state: 'ready', ...(profile === undefined ? {} : { profile }) });
      read.push(path.relative(root, file));
      return { videoId: id };
    },
  });
});

afterEach(() => queue.close());

const at = (...names: string[]) => path.join(root, ...names);

function put(name: string, bytes: Uint8Array = mp4(name)): string {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), bytes);
  return at(name);
}

function watcher(options: Partial<WatchOptions> = {}): FolderWatcher {
  return new FolderWatcher({
    rules: [{ dir: root, include: [], exclude: [] }],
    store: library,
    jobs: queue,
    identify: (file, signal) => {
      hashed.push(path.relative(root, file));
      return identifyFile(file, signal);
    },
    settle: 0,
    onEvent: (event) => events.push(event),
    ...options,
  });
}

const once = (options: Partial<WatchOptions> = {}) => watcher(options).once();

/** Path, state and title of every video, by path. */
function videos(): string[] {
  return library
    .listVideos()
    .items.map(({ path: file, state, title }) => `${path.relative(root, file)} ${state} ${title}`)
    .sort();
}

describe('a watched folder, looked through once', () => {
  it('is read with all that lies in it, each file once, and never again', async () => {
    for (const name of ['b.mp4', 'a.mkv', 'deep/er/c.mp4']) put(name, name.endsWith('mkv') ? matroska(99) : mp4(name));
    put('notes.txt');
    const { jobs, waiting } = await once();
    expect([jobs.map(({ state }) => state), waiting.size]).toEqual([['done', 'done', 'done'], 0]);
    expect(read.sort()).toEqual(['a.mkv', 'b.mp4', 'deep/er/c.mp4']);
    hashed = [];
    expect(await once()).toMatchObject({ known: 3, jobs: [] });
    expect([read.length, hashed]).toEqual([3, []]);
  });

  it('is read as its rules say', async () => {
    for (const name of ['cam1/a.mp4', 'cam1/b.mp4', 'cam2/a.mp4', 'cam1/old/a.mp4', 'a.mp4']) put(name);
    await once({ rules: [{ dir: root, include: ['cam1/**', 'cam2/*'], exclude: ['old', 'b.*'] }] });
    expect(read.sort()).toEqual(['cam1/a.mp4', 'cam2/a.mp4']);
  });

  it('gives several folders, each with rules of its own, a file that lies in both only once', async () => {
    put('x/a.mp4');
    put('x/y/b.mp4');
    const rule = { include: [], exclude: [] };
    await once({
      rules: [
        { dir: at('x'), ...rule },
        { dir: at('x/y'), ...rule },
      ],
    });
    expect(read.sort()).toEqual(['x/a.mp4', 'x/y/b.mp4']);
  });

  it('gets the tags of all rules that take it, and the profile of the innermost folder that names one', async () => {
    for (const name of ['x/a.mp4', 'x/y/b.mp4', 'x/y/z/c.mp4']) put(name);
    const none = { include: [], exclude: [] };
    const { jobs } = await once({
      rules: [
        { ...none, dir: at('x/y'), profile: 'thorough', tags: ['news'] },
        { ...none, dir: at('x'), profile: 'fast', tags: ['yard'] },
        { ...none, dir: at('x/y/z'), tags: ['deep', 'yard'] },
      ],
    });
    expect(jobs.map(({ path: file, profile, tags }) => [path.relative(root, file), profile, tags]).sort()).toEqual([
      ['x/a.mp4', 'fast', ['yard']],
      ['x/y/b.mp4', 'thorough', ['news', 'yard']],
      ['x/y/z/c.mp4', 'thorough', ['deep', 'news', 'yard']],
    ]);
    const carried = library.listVideos().items.map(({ path: file, tags }) => [path.relative(root, file), tags]);
    expect(carried.sort()).toEqual([
      ['x/a.mp4', ['yard']],
      ['x/y/b.mp4', ['news', 'yard']],
      ['x/y/z/c.mp4', ['deep', 'news', 'yard']],
    ]);
  });

  it('that is known gets the tags of a rule that is new, and is read again once where the rule reads more', async () => {
    put('a.mp4');
    const rule = { dir: root, include: [], exclude: [] };
    await once({ rules: [{ ...rule, profile: 'standard', tags: ['old'] }] });
    const id = library.listVideos().items[0]?.id ?? '';
    const tagged = { rules: [{ ...rule, profile: 'fast', tags: ['new'] }] } as const;
    expect(await once(tagged)).toMatchObject({ known: 1, jobs: [] });
    expect(events.at(-1)).toEqual({ kind: 'tagged', path: at('a.mp4'), videoId: id, tags: ['new'] });
    // What a rule no longer says stays; a person takes it away.
    expect(library.findVideo(id).tags).toEqual(['new', 'old']);
    expect(hashed).toEqual([]);
    const more = { rules: [{ ...rule, profile: 'thorough' }] } as const;
    failure = new LongwatchError('no_video', 'There is no picture.');
    expect((await once(more)).jobs.map(({ state, profile }) => [state, profile])).toEqual([['failed', 'thorough']]);
    // The same again would fail again.
    failure = undefined;
    expect((await once(more)).jobs).toEqual([]);
    const past = new Date(1_600_000_000_000);
    utimesSync(at('a.mp4'), past, past);
    await once(more);
    expect(library.findVideo(id).profile).toBe('thorough');
    expect((await once(more)).jobs).toEqual([]);
  });

  it('keeps the video of a file that was moved or renamed: nothing is read again, path and title follow', async () => {
    put('film.mp4');
    await once();
    mkdirSync(at('archive'));
    renameSync(at('film.mp4'), at('archive', 'The film.mp4'));
    const { jobs } = await once();
    expect([jobs, read, hashed]).toEqual([[], ['film.mp4'], ['archive/The film.mp4']]);
    expect(videos()).toEqual(['archive/The film.mp4 ready The film']);
    expect(events.filter(({ kind }) => kind !== 'queued')).toMatchObject([{ kind: 'moved', from: at('film.mp4') }]);
  });

  it('calls a file that went missing, keeps what was learnt, and has it back as it was', async () => {
    put('film.mp4');
    await once();
    const { id } = library.findVideo(at('film.mp4'));
    library.writeWindow(id, {
      window: { index: 0, start: 0, end: 1, frames: [], activity: 0 },
      precision: 0,
      events: [],
    });
    library.updateVideo(id, { state: 'partial' });
    const elsewhere = mkdtempSync(path.join(os.tmpdir(), 'longwatch-elsewhere-'));
    renameSync(at('film.mp4'), path.join(elsewhere, 'film.mp4'));
    await once();
    expect([videos(), library.stats().segments]).toEqual([['film.mp4 missing film'], 1]);
    await once();
    renameSync(path.join(elsewhere, 'film.mp4'), at('film.mp4'));
    await once();
    expect([videos(), read, library.stats().segments]).toEqual([['film.mp4 partial film'], ['film.mp4'], 1]);
    expect(events.map(({ kind }) => kind)).toEqual(['queued', 'missing', 'back']);
  });

  it('has one video for copies and hard links, which lives on in the one that is left', async () => {
    put('a.mp4');
    copyFileSync(at('a.mp4'), put('b.mp4'));
    linkSync(at('a.mp4'), at('c.mp4'));
    await once();
    expect([read.length, library.stats().videos]).toEqual([1, 1]);
    hashed = [];
    expect(await once()).toMatchObject({ known: 3, jobs: [] });
    expect(hashed).toEqual([]);
    const first = library.listVideos().items[0]?.path ?? '';
    rmSync(first);
    await once();
    const [moved] = library.listVideos().items;
    expect([moved?.state, moved?.path === first, read.length]).toEqual(['ready', false, 1]);
    for (const name of ['a.mp4', 'b.mp4', 'c.mp4']) rmSync(at(name), { force: true });
    await once();
    expect(library.listVideos().items.map(({ state }) => state)).toEqual(['missing']);
  });

  it('reads a file anew that was replaced, and calls the old content missing', async () => {
    put('film.mp4', mp4('old'));
    await once();
    put('film.mp4', mp4('new', 900));
    await once();
    expect(read).toEqual(['film.mp4', 'film.mp4']);
    expect(videos()).toEqual(['film.mp4 missing film', 'film.mp4 ready film']);
    // The same size says nothing: what is in it counts.
    put('film.mp4', mp4('own', 900));
    utimesSync(at('film.mp4'), 1, 2);
    await once();
    expect(videos()).toEqual(['film.mp4 missing film', 'film.mp4 missing film', 'film.mp4 ready film']);
  });

  it('reads nothing again of a file that was only touched', async () => {
    put('film.mp4');
    await once();
    utimesSync(at('film.mp4'), 1000, 2000);
    await once();
    expect([read, hashed, videos()]).toEqual([['film.mp4'], ['film.mp4'], ['film.mp4 ready film']]);
    expect(library.listVideos().items[0]?.modified).toBe(2_000_000);
  });

  it('leaves files that are not complete for the next time', async () => {
    put('cut.mp4', mp4('cut').subarray(0, 100));
    put('empty.mp4', Buffer.alloc(0));
    put('film.mp4.part');
    const { waiting, jobs } = await once();
    expect([...waiting].map(([file, why]) => [path.relative(root, file), why])).toEqual([
      ['cut.mp4', 'the mdat box ends 124 bytes after the file'],
      ['empty.mp4', 'it is empty'],
    ]);
    expect(jobs).toEqual([]);
    put('cut.mp4', mp4('cut'));
    renameSync(at('film.mp4.part'), at('film.mp4'));
    await once();
    expect(read.sort()).toEqual(['cut.mp4', 'film.mp4']);
  });

  it('takes a file that is not complete when nobody has written it for long, and it may fail', async () => {
    put('cut.mp4', mp4('cut').subarray(0, 100));
    await once({ patience: 0 });
    expect(read).toEqual(['cut.mp4']);
  });

  it('refuses links that lead out, says so once, and opens no pipe and no socket', async () => {
    const outside = mkdtempSync(path.join(os.tmpdir(), 'longwatch-outside-'));
    writeFileSync(path.join(outside, 'secret.mp4'), mp4('secret'));
    put('film.mp4');
    symlinkSync(path.join(outside, 'secret.mp4'), at('link.mp4'));
    symlinkSync(outside, at('folder'));
    symlinkSync(at('film.mp4'), at('inside.mp4'));
    symlinkSync(root, at('round'));
    symlinkSync(at('nowhere'), at('broken.mp4'));
    execFileSync('mkfifo', [at('pipe.mp4')]);
    const server = createServer().listen(at('socket.mp4'));
    const twice = watcher();
    await twice.once();
    await twice.once();
    server.close();
    expect(read).toEqual(['film.mp4']);
    const remarks = events.flatMap((event) => (event.kind === 'remark' ? [event.text] : []));
    expect(remarks.sort()).toEqual([
      `The link ${at('folder')} leads out of ${root} and is not followed.`,
      `The link ${at('link.mp4')} leads out of ${root} and is not followed.`,
    ]);
  });

  it('does not try a broken file again until it changes or a person asks, and a full disk after a while', async () => {
    put('broken.mp4');
    failure = new LongwatchError('invalid_media', 'It is no video.');
    expect((await once()).jobs).toMatchObject([{ state: 'failed', attempts: 1 }]);
    failure = undefined;
    expect(await once()).toMatchObject({ jobs: [], failedBefore: [at('broken.mp4')] });
    put('broken.mp4', mp4('whole now', 300));
    await once();
    expect(read).toEqual(['broken.mp4']);

    put('second.mp4', mp4('second', 400));
    failure = new LongwatchError('disk_full', 'No space is left.');
    expect((await once()).jobs).toMatchObject([{ state: 'failed', attempts: 5 }]);
    failure = undefined;
    queue.retry(library.listJobs().items[0]?.id ?? '');
    await once();
    expect(read).toEqual(['broken.mp4', 'second.mp4']);
  });

  it('does not bring back what a person removed or cancelled', async () => {
    put('film.mp4');
    await once();
    library.removeVideo(library.findVideo(at('film.mp4')).id);
    expect(await once()).toMatchObject({ jobs: [], known: 0 });
    put('other.mp4', mp4('other', 500));
    const job = library.addJob({ path: at('other.mp4'), file: stateOf('other.mp4') });
    library.cancelJob(job.id);
    expect(await once()).toMatchObject({ jobs: [], known: 0 });
    expect([read, videos()]).toEqual([['film.mp4'], []]);
  });

  it('goes on with what an ingest left half-way', async () => {
    put('film.mp4');
    const identity = await identifyFile(at('film.mp4'));
    const { id } = library.addVideo({ ...identity, title: 'film', fingerprint: 'f' });
    library.updateVideo(id, { state: 'ingesting' });
    await once();
    expect([read, videos()]).toEqual([['film.mp4'], ['film.mp4 ready film']]);
  });

  it('says nothing about files of folders that cannot be read or are not there', async () => {
    put('locked/a.mp4');
    put('film.mp4');
    await once();
    renameSync(root, `${root}-away`);
    const [before] = [videos()];
    await expect(once()).rejects.toMatchObject({ code: 'file_not_found' });
    expect(videos()).toEqual(before);
    renameSync(`${root}-away`, root);
    if (process.getuid?.() === 0) return;
    chmodSync(at('locked'), 0);
    await once();
    chmodSync(at('locked'), 0o755);
    expect(videos()).toEqual(before);
    expect(events.filter(({ kind }) => kind === 'remark')).toHaveLength(1);
  });

  it('never looks into the library itself, nor into what a NAS keeps beside its videos', async () => {
    put('library/models/x.mp4');
    put('@eaDir/film.mp4/thumb.mp4');
    put('film.mp4');
    await once({ leaveOut: at('library') });
    expect(read).toEqual(['film.mp4']);
  });

  it('lets a paused queue be', async () => {
    put('film.mp4');
    library.pauseJobs(true);
    expect((await once()).jobs.map(({ state }) => state)).toEqual(['queued']);
    library.pauseJobs(false);
    await once();
    expect(read).toEqual(['film.mp4']);
  });
});

describe('a folder that is watched', () => {
  const stop = new Set<AbortController>();
  afterEach(() => {
    for (const abort of stop) abort.abort();
    stop.clear();
  });

  /** Starts a watch and returns how to end it. */
  function run(options: Partial<WatchOptions>): () => Promise<void> {
    const abort = new AbortController();
    stop.add(abort);
    const ended = watcher({ settle: 60, ...options }).run(abort.signal);
    return async () => {
      abort.abort();
      await ended;
    };
  }

  it.each([
    ['told of changes', { interval: 3_600_000 }],
    ['only looked at, as a network share', { interval: 100, hints: false }],
  ])('%s: takes what arrives, moves and comes in a new folder', async (_how, options) => {
    put('there.mp4');
    const end = run(options);
    await expect.poll(() => read).toEqual(['there.mp4']);
    put('late.mp4', mp4('late', 300));
    await expect.poll(() => read).toContain('late.mp4');
    renameSync(at('late.mp4'), at('later.mp4'));
    await expect.poll(videos).toContain('later.mp4 ready later');
    mkdirSync(at('new'));
    put('new/deep/a.mp4', mp4('deep', 500));
    await expect.poll(() => read).toContain('new/deep/a.mp4');
    rmSync(at('there.mp4'));
    await expect.poll(videos).toContain('there.mp4 missing there');
    expect(read).toEqual(['there.mp4', 'late.mp4', 'new/deep/a.mp4']);
    await end();
  });

  it('takes a file that is copied slowly, with stalls longer than its rest, when it is whole and not before', async () => {
    const bytes = mp4('slow', 2_000);
    const end = run({ interval: 40, hints: false });
    put('slow.mp4', bytes.subarray(0, 500));
    await expect.poll(() => events.map(({ kind }) => kind)).toContain('waiting');
    appendFileSync(at('slow.mp4'), bytes.subarray(500, 1_500));
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(read).toEqual([]);
    appendFileSync(at('slow.mp4'), bytes.subarray(1_500));
    await expect.poll(() => read).toEqual(['slow.mp4']);
    expect(library.listVideos().items.map(({ sizeBytes }) => sizeBytes)).toEqual([bytes.length]);
    await end();
  });

  it('waits for a file that grows without a stated length, as a recording does', async () => {
    const end = run({ interval: 30, hints: false, settle: 200 });
    put('live.ts', Buffer.alloc(100, 0x47));
    for (let i = 0; i < 12; i++) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      appendFileSync(at('live.ts'), Buffer.alloc(100, 0x47));
      expect(read).toEqual([]);
    }
    await expect.poll(() => read).toEqual(['live.ts']);
    await end();
  });

  it('goes on when its library cannot be written for a while, and says so once', async () => {
    let broken = true;
    const store = new Proxy(library, {
      get(target, name) {
        if (name === 'videoFiles' && broken)
          return () => {
            throw new LongwatchError('disk_full', 'No space is left.');
          };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    put('film.mp4');
    const end = run({ interval: 30, hints: false, store });
    await expect.poll(() => events).toEqual([{ kind: 'remark', text: 'No space is left. It is tried again.' }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(events).toHaveLength(1);
    broken = false;
    await expect.poll(() => read).toEqual(['film.mp4']);
    await end();
  });
});

function stateOf(name: string) {
  const { size: sizeBytes, mtimeMs: modified } = statSync(at(name));
  return { sizeBytes, modified };
}
