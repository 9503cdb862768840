import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory } from '../../../fixtures/clips/ffmpeg-in-memory.js';
import { CLIPS } from '../../../fixtures/clips/recipes.js';
import { renderClip } from '../../../fixtures/clips/render.js';
import type { Decoder } from '../../../ingest/video/decoder.js';
import { type ErrorCode, LongwatchError } from '../../../src/errors.js';
import { drain } from './drain.js';
import { DECODERS } from './engines.js';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-bad-input-'));
let socket: Server;
/** The plain clip as bytes: 75 frames, 25 per second. */
let clip: Buffer;
/** The same with its index in front, as files for the web are written. */
let webClip: Buffer;

beforeAll(async () => {
  clip = readFileSync(await renderClip(CLIPS.constantRate.recipe));
  webClip = Buffer.from(
    await ffmpegInMemory({ 'a.mp4': clip }, ['-i', 'a.mp4', '-c', 'copy', '-movflags', '+faststart'], 'b.mp4'),
  );
  execFileSync('mkfifo', [file('fifo.mp4')]);
  mkdirSync(file('folder.mp4'));
  symlinkSync('loop.mp4', file('loop.mp4'));
  socket = createServer().listen(file('socket.mp4'));
  put('clip.mp4', clip);
});

afterAll(() => {
  socket.close();
  rmSync(folder, { recursive: true });
});

function file(name: string): string {
  return path.join(folder, name);
}

function put(name: string, data: Uint8Array | string): string {
  writeFileSync(file(name), data);
  return file(name);
}

/** Code of the error that probing, or else decoding, ends in; undefined when the file decodes. */
async function refusal(decoder: Decoder, name: string): Promise<ErrorCode | undefined> {
  try {
    await drain(decoder, name, {}, { stallLimit: 20 });
    return undefined;
  } catch (error) {
    if (!(error instanceof LongwatchError)) throw error;
    expect(error.hint, 'every refusal says what to do next').toBeTruthy();
    expect(error.message, 'a message is one line').not.toMatch(/\p{Cc}/u);
    return error.code;
  }
}

/** The same bytes on every run, with no pattern in them. */
function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

describe.each(DECODERS)('the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('refuses', () => {
    const decoder = open();

    it.each([
      ['a missing file', 'missing.mp4', 'file_not_found'],
      ['a folder', 'folder.mp4', 'not_a_file'],
      ['a named pipe, without waiting for a writer', 'fifo.mp4', 'not_a_file'],
      ['a socket', 'socket.mp4', 'not_a_file'],
      ['a device', '/dev/zero', 'not_a_file'],
      ['a link to itself', 'loop.mp4', 'unreadable_file'],
      ['a path with a NUL', 'a\0b.mp4', 'file_not_found'],
    ] as const)('%s', async (_what, name, code) => {
      expect(await refusal(decoder, path.resolve(folder, name))).toBe(code);
    });

    const rubbish: [what: string, name: string, data: () => Uint8Array | string, code: ErrorCode][] = [
      ['an empty file', 'empty.mp4', () => '', 'invalid_media'],
      ['one byte', 'byte.mp4', () => 'x', 'invalid_media'],
      ['text', 'text.mp4', () => 'The quick brown fox.\n'.repeat(500), 'invalid_media'],
      ['noise', 'noise.mp4', () => noise(200_000), 'invalid_media'],
      ['noise without an extension', 'noise', () => noise(200_000), 'invalid_media'],
      ['noise that calls itself a bare stream', 'noise.h264', () => noise(200_000), 'invalid_media'],
      ['noise that calls itself MPEG video', 'noise.m2v', () => noise(200_000, 7), 'invalid_media'],
      [
        'a file without its index',
        'no-index.mp4',
        () => clip.subarray(0, clip.indexOf('moov') - 4),
        'incomplete_media',
      ],
      ['an index cut in two', 'half-index.mp4', () => webClip.subarray(0, 500), 'invalid_media'],
    ];
    it.each(rubbish)('%s', async (_what, name, data, code) => {
      expect(await refusal(decoder, put(name, data()))).toBe(code);
    });

    it('sound without a picture', async () => {
      const sound = await ffmpegInMemory(
        { 'a.pcm': noise(80_000) },
        ['-f', 's16le', '-ar', '16000', '-ac', '1', '-i', 'a.pcm', '-c:a', 'aac'],
        'sound.mp4',
      );
      expect(await refusal(decoder, put('sound.mp4', sound))).toBe('no_video');
    });

    it('sound whose only picture is its cover', async () => {
      const cover = await ffmpegInMemory({ 'a.mp4': clip }, ['-i', 'a.mp4', '-frames:v', '1'], 'cover.png');
      const album = await ffmpegInMemory(
        { 'a.pcm': noise(80_000), 'cover.png': cover },
        [
          ...['-f', 's16le', '-ar', '16000', '-ac', '1', '-i', 'a.pcm', '-i', 'cover.png', '-map', '0', '-map', '1'],
          ...['-c:a', 'aac', '-c:v', 'copy', '-disposition:v:0', 'attached_pic'],
        ],
        'album.m4a',
      );
      expect(await refusal(decoder, put('album.m4a', album))).toBe('no_video');
    });

    it('a picture of more than 40 million pixels', async () => {
      const png = await ffmpegInMemory({ 'a.mp4': clip }, ['-i', 'a.mp4', '-frames:v', '1'], 'a.png');
      const huge = Buffer.from(await ffmpegInMemory({ 'a.png': png }, ['-i', 'a.png', '-c', 'copy'], 'huge.mkv'));
      const header = huge.indexOf('IHDR');
      huge.writeUInt32BE(30_000, header + 4);
      huge.writeUInt32BE(30_000, header + 8);
      expect(await refusal(decoder, put('huge.mkv', huge))).toBe('too_large');
    });

    it.each([
      [
        'an HLS playlist',
        (neighbour: string) => `#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n${neighbour}\n#EXT-X-ENDLIST\n`,
      ],
      ['a concat script', (neighbour: string) => `ffconcat version 1.0\nfile ${neighbour}\n`],
      [
        'a DASH manifest',
        (neighbour: string) =>
          `<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet><Representation><BaseURL>${neighbour}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
      ],
    ])('%s that is named like a video, so that no neighbour is read through it', async (_what, script) => {
      expect(await refusal(decoder, put('playlist.mp4', script('clip.mp4')))).toBe('invalid_media');
      expect(await refusal(decoder, put('playlist', script('clip.mp4')))).toBe('invalid_media');
    });

    it('a still image', async () => {
      const png = await ffmpegInMemory({ 'a.mp4': clip }, ['-i', 'a.mp4', '-frames:v', '1'], 'a.png');
      expect(await refusal(decoder, put('image.mp4', png))).toBe('invalid_media');
    });
  });

  describe.skipIf(skipped)('decodes', () => {
    const decoder = open();

    it.each([
      'with a space and $HOME.mp4',
      'line\nbreak.mp4',
      '🐇 rabbit.mp4',
      'img_%03d.mp4',
      '-i.mp4',
      'concat:clip.mp4',
      'subfile,,start,0,end,9,,:clip.mp4',
      'pipe:0.mp4',
      'quote\'"`;[x],y|z.mp4',
      `${'n'.repeat(251)}.mp4`,
    ])('a file called %j', async (name) => {
      const { summary } = await drain(decoder, put(name, clip));
      expect(summary.frameCount).toBe(75);
    });

    it('what a link leads to', async () => {
      symlinkSync('clip.mp4', file('link.mp4'));
      expect((await drain(decoder, file('link.mp4'))).summary.frameCount).toBe(75);
      rmSync(file('link.mp4'));
    });

    it('the beginning of a file that was cut, and says where it ends', async () => {
      const { summary } = await drain(decoder, put('cut.mp4', webClip.subarray(0, Math.floor(webClip.length * 0.6))));
      expect(summary.frameCount).toBeGreaterThan(20);
      expect(summary.frameCount).toBeLessThan(60);
      expect(summary.duration).toBeCloseTo(summary.frameCount / 25, 6);
      expect(summary.warnings[0]).toMatch(
        /^The video ends early: 0:00:0[12]\.\d{3} could be decoded, the container claims 0:00:03\.000\.$/,
      );
    });

    it('the rest of a damaged transport stream, and names the gap', async () => {
      const stream = Buffer.from(readFileSync(await renderClip(CLIPS.transportStream.recipe)));
      const packets = Math.floor(stream.length / 188);
      stream.fill(0, Math.floor(packets * 0.45) * 188, Math.floor(packets * 0.55) * 188);
      const { summary, thumbnails } = await drain(decoder, put('damaged.ts', stream));
      expect(summary.frameCount).toBeLessThan(125);
      expect(summary.coverage.length).toBeGreaterThan(1);
      expect(summary.warnings.some((warning) => warning.startsWith('No frames from 0:00:0'))).toBe(true);
      // Every frame that was decoded lies in the covered part.
      expect(
        thumbnails.filter(({ time }) => !summary.coverage.some(({ start, end }) => time >= start && time < end)),
      ).toEqual([]);
    });

    it('joined recordings whose clock starts anew, without a step back', async () => {
      const one = readFileSync(await renderClip(CLIPS.transportStream.recipe));
      const { thumbnails, summary } = await drain(decoder, put('joined.ts', Buffer.concat([one, one])));
      const times = thumbnails.map(({ time }) => time);
      expect(times.length).toBe(250);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(summary.duration).toBeCloseTo(10, 6);
      expect(summary.warnings).toContain('The timestamps start anew 1 time; time goes on there without a jump.');
    });

    it('a sparse file of several gigabytes without loading it', async () => {
      const big = put('big.mp4', webClip);
      truncateSync(big, 5 * 1024 ** 3);
      const before = process.memoryUsage().rss;
      const { summary } = await drain(decoder, big);
      expect(summary.frameCount).toBe(75);
      // The WebAssembly core alone takes about 150 MB; a loaded file would take 5,000.
      expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
      rmSync(big);
    });
  });
});
