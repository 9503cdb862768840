import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { identifyFile } from '../../ingest/file.js';
import { findVideoFiles } from '../../ingest/folder.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-file-'));
const at = (name: string) => path.join(folder, name);

describe('the identity of a file', () => {
  it('is its content, its size and its place with links resolved', async () => {
    writeFileSync(at('a.mp4'), 'abc');
    symlinkSync(at('a.mp4'), at('link.mp4'));
    expect(await identifyFile(at('link.mp4'))).toMatchObject({
      path: await identifyFile(at('a.mp4')).then((file) => file.path),
      sizeBytes: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
  });

  it.each([
    ['a folder', () => mkdirSync(at('folder')), 'folder', 'not_a_file'],
    ['a pipe', () => execFileSync('mkfifo', [at('pipe.mp4')]), 'pipe.mp4', 'not_a_file'],
    ['an empty file', () => writeFileSync(at('empty.mp4'), ''), 'empty.mp4', 'invalid_media'],
    ['a link to itself', () => symlinkSync(at('loop.mp4'), at('loop.mp4')), 'loop.mp4', 'unreadable_file'],
    ['nothing', () => {}, 'missing.mp4', 'file_not_found'],
  ])('is refused for %s', async (_what, make, name, code) => {
    make();
    await expect(identifyFile(at(name))).rejects.toMatchObject({ code });
  });

  it('is refused in one line, whatever the name', async () => {
    await expect(identifyFile(at('a\nb\u001b.mp4'))).rejects.toMatchObject({
      message: expect.stringMatching(/^ENOENT: .*a\\nb\\u001b\.mp4'$/),
    });
  });

  it('is refused while the file grows', async () => {
    writeFileSync(at('growing.mp4'), '');
    truncateSync(at('growing.mp4'), 300 * 1024 * 1024);
    const identity = identifyFile(at('growing.mp4'));
    await appendFile(at('growing.mp4'), 'more');
    await expect(identity).rejects.toMatchObject({ code: 'file_changed' });
  });

  it('can be cancelled', async () => {
    truncateSync(at('growing.mp4'), 300 * 1024 * 1024);
    const abort = new AbortController();
    const identity = identifyFile(at('growing.mp4'), abort.signal);
    abort.abort();
    await expect(identity).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('the videos of a folder', () => {
  const library = at('videos');
  mkdirSync(path.join(library, 'sub'), { recursive: true });
  for (const name of ['b.MP4', 'a.mkv', 'sub/c.webm', 'notes.txt', '._a.mkv', 'd.mp4.part', '.nfs01.mp4', 'film.srt']) {
    writeFileSync(path.join(library, name), 'x');
  }
  symlinkSync('/etc', path.join(library, 'elsewhere'));
  symlinkSync(path.join(library, 'a.mkv'), path.join(library, 'linked.mkv'));

  it('are found by extension, by name, in sub-folders, without links and unfinished copies', async () => {
    expect((await findVideoFiles([library])).map((file) => path.relative(library, file))).toEqual([
      'a.mkv',
      'b.MP4',
      'sub/c.webm',
    ]);
  });

  it('are named also where their name is no UTF-8, so that it is said which could not be read', async () => {
    const place = at('bytes');
    mkdirSync(place);
    writeFileSync(Buffer.concat([Buffer.from(`${place}/caf`), Buffer.of(0xe9), Buffer.from('.mp4')]), 'x');
    writeFileSync(path.join(place, 'a.mp4'), 'x');
    const [first, second = ''] = await findVideoFiles([place]);
    expect(first).toBe(path.join(place, 'a.mp4'));
    await expect(identifyFile(second)).rejects.toMatchObject({
      code: 'file_not_found',
      hint: 'Check the path; a file whose name is not UTF-8 can be read once it is renamed.',
    });
  });

  it('come once, and a file that is named comes whatever its extension', async () => {
    const named = path.join(library, 'notes.txt');
    expect(await findVideoFiles([named, path.join(library, 'sub'), named])).toEqual([
      named,
      path.join(library, 'sub/c.webm'),
    ]);
  });

  it('that are not there are an error that says so', async () => {
    mkdirSync(at('nothing'));
    await expect(findVideoFiles([at('nothing')])).rejects.toMatchObject({ code: 'not_found' });
    await expect(findVideoFiles([at('missing')])).rejects.toMatchObject({ code: 'file_not_found' });
  });
});
