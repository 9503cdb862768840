import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FILM } from '../../../fixtures/real/clips.js';
import { completenessOf } from '../../../ingest/watch/completeness.js';
import { avi, box, matroska, mp4 } from './files.js';

const whole = mp4('film');
const FTYP = box('ftyp', 8);
const long = Buffer.concat([box('mdat', Buffer.alloc(8), 1), Buffer.alloc(0)]);
long.writeBigUInt64BE(16n, 8);

describe('what a container says about its length', () => {
  it.each<[string, Buffer, string | undefined]>([
    ['an MP4 with its moov box at the end', whole, undefined],
    ['one with its moov box at the beginning', Buffer.concat([FTYP, box('moov', 9), box('mdat', 50)]), undefined],
    ['one whose last box reaches to the end', Buffer.concat([FTYP, box('moov', 9), box('mdat', 50, 0)]), undefined],
    ['one with a box of 64-bit length', Buffer.concat([FTYP, long, box('moov', 9)]), undefined],
    ['one with padding behind its last box', Buffer.concat([whole, Buffer.alloc(64)]), undefined],
    ['one that is still without moov', whole.subarray(0, 224), 'it has no moov box yet'],
    ['one that is cut in its media', whole.subarray(0, 100), 'the mdat box ends 124 bytes after the file'],
    ['one that is cut in its moov box', whole.subarray(0, -5), 'the moov box ends 5 bytes after the file'],
    ['one that is cut in the head of a box', whole.subarray(0, 228), 'its last box is cut off'],
    [
      'one whose space is there before its bytes',
      Buffer.concat([FTYP, Buffer.alloc(100)]),
      'at byte 16 there is no box yet',
    ],
    ['space alone', Buffer.alloc(1000), 'it begins with zeros'],
    ['the first bytes', whole.subarray(0, 11), 'it has 11 bytes'],
    ['a whole Matroska file', matroska(300), undefined],
    ['one that is cut', matroska(300, 400), 'its segment ends 100 bytes after the file'],
    ['one that is being recorded', matroska(300, 'unknown'), undefined],
    ['a whole AVI', avi(500), undefined],
    ['one that is cut', avi(500, 900), 'its RIFF list ends 400 bytes after the file'],
    ['something else', Buffer.from('not a video at all, whoever looks'), undefined],
  ])('%s', async (_what, bytes, why) => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'longwatch-complete-')), 'file');
    writeFileSync(file, bytes);
    expect(await completenessOf(file, bytes.length)).toEqual(
      why === undefined ? { complete: true } : { complete: false, why },
    );
  });

  it('is right of a real film', async () => {
    const { size } = statSync(FILM);
    expect(await completenessOf(FILM, size)).toEqual({ complete: true });
    expect((await completenessOf(FILM, size - 1)).complete).toBe(false);
  });
});
