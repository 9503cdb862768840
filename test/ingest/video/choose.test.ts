import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chooseDecoder, findNativeFfmpeg } from '../../../ingest/video/choose.js';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-choose-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with programs that only tell a version. */
function programs(name: string, version: string, libavutil: string, names = ['ffmpeg', 'ffprobe']): string {
  const place = path.join(folder, name);
  mkdirSync(place);
  for (const program of names) {
    writeFileSync(
      path.join(place, program),
      `#!/bin/sh\necho "ffmpeg version ${version} Copyright"\necho "libavutil      ${libavutil}.100 / ${libavutil}.100"\n`,
    );
    chmodSync(path.join(place, program), 0o755);
  }
  return place;
}

describe('the choice of a decoder', () => {
  const old = programs('old', '4.4.2', '56. 70');
  const recent = programs('recent', '7.1', '59. 39');
  const nightly = programs('nightly', 'N-118000-gabcdef', '60.  3');
  const half = programs('half', '7.1', '59. 39', ['ffmpeg']);

  it('takes a native ffmpeg of 5.1 or newer, also one without a release number', async () => {
    expect((await chooseDecoder({ searchPath: [recent] })).id).toBe('native');
    expect(await (await chooseDecoder({ searchPath: [nightly] })).version()).toBe('ffmpeg N-118000-gabcdef (native)');
  });

  it('passes by an old one, one without ffprobe and relative folders', async () => {
    expect(await findNativeFfmpeg([old, half, '.', path.join(folder, 'missing')])).toBeUndefined();
    expect((await findNativeFfmpeg([old, half, recent]))?.ffmpeg).toBe(path.join(recent, 'ffmpeg'));
  });

  it('falls back to WebAssembly', async () => {
    expect((await chooseDecoder({ searchPath: [old] })).id).toBe('wasm');
    expect((await chooseDecoder()).id).toBe('wasm');
  });

  it('gives a native ffmpeg one engine, which has threads, and WebAssembly up to four, unless told', async () => {
    expect(await chooseDecoder({ searchPath: [recent] })).toMatchObject({ workers: 1 });
    expect(await chooseDecoder({ searchPath: [recent], workers: 3 })).toMatchObject({ workers: 3 });
    const ofHalfTheCores = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
    expect(await chooseDecoder()).toMatchObject({ workers: ofHalfTheCores });
    expect(await chooseDecoder({ workers: 1 })).toMatchObject({ workers: 1 });
  });

  it('takes the one that was asked for, or says what is missing', async () => {
    expect((await chooseDecoder({ kind: 'wasm', searchPath: [recent] })).id).toBe('wasm');
    await expect(chooseDecoder({ kind: 'native', searchPath: [old] })).rejects.toMatchObject({ code: 'part_missing' });
  });
});
