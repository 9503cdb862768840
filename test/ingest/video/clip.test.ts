import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readFrameNumber } from '../../../fixtures/clips/numbered-frame.js';
import { CLIPS, KEYED } from '../../../fixtures/clips/recipes.js';
import { type ClipRecipe, renderClip } from '../../../fixtures/clips/render.js';
import type { ClipRequest } from '../../../ingest/video/clip.js';
import { type ClipPacket, clipTicks, planClip, readClipPackets } from '../../../ingest/video/clip-plan.js';
import type { Decoder } from '../../../ingest/video/decoder.js';
import { drain } from './drain.js';
import { DECODERS } from './engines.js';

const STEP = 1001 / 24_000;
const DURATION = 120 * STEP;

/** What a coder of sound may put before its first sample, and the grain of its packets. */
const AAC_FRAME = 1024 / 44_100;

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-clip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the clip says of itself, and the numbers and times of the frames that a decoder finds in it. */
async function cut(decoder: Decoder, recipe: ClipRecipe, request: Omit<ClipRequest, 'firstFrameTime'>, first = 0) {
  const file = await renderClip(recipe);
  const clip = await decoder.clip(file, await decoder.probe(file), { ...request, firstFrameTime: first });
  const target = path.join(folder, 'clip.mp4');
  const parts: Uint8Array[] = [];
  for await (const bytes of clip.bytes()) parts.push(bytes);
  writeFileSync(target, Buffer.concat(parts));
  const { thumbnails, summary } = await drain(decoder, target);
  const numbers = thumbnails.map(({ rgb, width, height }) => readFrameNumber(rgb, width, height));
  return { ...clip, numbers, times: thumbnails.map(({ time }) => time), summary };
}

const from = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => first + index);

describe.each(DECODERS)('a clip by the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('of numbered frames', () => {
    const decoder = open();

    it('is coded again where it begins between key frames, and has exactly the frames of the range', async () => {
      // Printed times are rounded up: 30 × 1001 / 24000 = 1.25125, 41 × 1001 / 24000 = 1.71004…
      const clip = await cut(decoder, KEYED, { range: { start: 1.252, end: 1.711 }, duration: DURATION });
      expect(clip).toMatchObject({ cut: 'encode', numbers: from(30, 41) });
      expect(clip.start).toBeCloseTo(30 * STEP, 9);
      expect(clip.end).toBeCloseTo(41 * STEP, 9);
      expect(clip.times).toEqual(from(0, 11).map((index) => (index * 1001) / 24_000));
      expect(clip.summary.complete).toBe(true);
    });

    it('is copied where it begins at a key frame, and says how far it really goes', async () => {
      const clip = await cut(decoder, KEYED, { range: { start: 48 * STEP, end: 58 * STEP }, duration: DURATION });
      // Two B-frames between the others: 58 and 59 are stored around 57, which the clip needs, so the stored order parts cleanly at 58.
      expect(clip).toMatchObject({ cut: 'copy', numbers: from(48, 58) });
      expect(clip.start).toBeCloseTo(48 * STEP, 9);
      expect(clip.end).toBeCloseTo(58 * STEP, 9);
      const late = await cut(decoder, KEYED, { range: { start: 48 * STEP, end: 57 * STEP }, duration: DURATION });
      expect(late).toMatchObject({ cut: 'copy', numbers: from(48, 58) });
      expect(late.end).toBeCloseTo(58 * STEP, 9);
    });
  });
});

describe.skipIf(DECODERS[1]?.skipped)('a clip', () => {
  const decoder = DECODERS[1]?.open() as Decoder;

  it('is copied from where it says in a Matroska too, where ffmpeg seeks early', async () => {
    const request = { range: { start: 2.002, end: 58 * STEP }, duration: DURATION };
    const clip = await cut(decoder, { ...KEYED, name: 'keyed-matroska', container: 'mkv' }, request);
    expect(clip).toMatchObject({ cut: 'copy', start: 2.002, numbers: from(48, 58) });
  });

  it('begins at the key frame before, when a copy is asked for', async () => {
    const clip = await cut(decoder, KEYED, { range: { start: 1.252, end: 1.5 }, duration: DURATION, cut: 'copy' });
    expect(clip).toMatchObject({ cut: 'copy', start: 24 * STEP });
    expect(clip.numbers[0]).toBe(24);
  });

  it('goes to the end of the video', async () => {
    const clip = await cut(decoder, KEYED, { range: { start: 115 * STEP, end: 99 }, duration: DURATION });
    expect(clip.numbers).toEqual(from(115, 120));
    expect(clip.end).toBeCloseTo(DURATION, 9);
  });

  it.each(['transportStream', 'mpeg4Avi', 'editList', 'lateStart', 'turned90', 'oddSize'] as const)(
    'keeps the frames of %s',
    async (name) => {
      const { recipe, firstNumber, firstFrameTime } = CLIPS[name];
      const request = { range: { start: 0.4, end: 0.8 }, duration: 2, cut: 'encode' } as const;
      const clip = await cut(decoder, recipe, request, firstFrameTime);
      expect(clip.numbers).toEqual(from(firstNumber + 10, firstNumber + 20));
      expect([clip.start, clip.end].map((time) => time.toFixed(6))).toEqual(['0.400000', '0.800000']);
    },
  );

  it.each([
    ['mkv', 4, 'copy'],
    ['mp4', 3.3, 'encode'],
  ] as const)('of a %s from %d s on keeps the sound beside the picture', async (extension, start, how) => {
    // White and a tone from 5.0 to 5.2 s.
    const [file, target] = [path.join(folder, `flash.${extension}`), path.join(folder, 'flash-clip.mp4')];
    const white = "color=black:s=64x36:r=25:d=8,drawbox=c=white:t=fill:enable='between(t,5,5.19)'";
    const tone = "aevalsrc='if(between(t,5,5.2),sin(5000*t),0)':s=48000:d=8";
    const coding = ['-c:v', 'libx264', '-bf', '2', '-g', '50', '-c:a', 'aac'];
    execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', white, '-f', 'lavfi', '-i', tone, ...coding, file]);
    const probe = await decoder.probe(file);
    const firstFrameTime = extension === 'mkv' ? 0.021 : 0;
    const clip = await decoder.clip(file, probe, { range: { start, end: 7 }, duration: 8, firstFrameTime });
    const parts: Uint8Array[] = [];
    for await (const bytes of clip.bytes()) parts.push(bytes);
    writeFileSync(target, Buffer.concat(parts));
    const find = ['-vf', 'blackdetect=d=0.1:pix_th=0.3', '-af', 'silencedetect=n=-40dB:d=0.1', '-f', 'null', '-'];
    const { stderr } = spawnSync('ffmpeg', ['-hide_banner', '-i', target, ...find], { encoding: 'utf8' });
    const seen = Number(/black_end:([\d.]+)/.exec(stderr)?.[1]);
    const heard = Number(/silence_end: ([\d.]+)/.exec(stderr)?.[1]);
    expect(clip.cut).toBe(how);
    expect(Math.abs(seen - (5 - clip.start))).toBeLessThan(AAC_FRAME);
    expect(Math.abs(heard - seen)).toBeLessThan(AAC_FRAME);
  });

  it('refuses what is no stretch of the video', async () => {
    const code = (request: Omit<ClipRequest, 'firstFrameTime'>) =>
      cut(decoder, KEYED, request).catch((error: { code: string }) => error.code);
    expect(await code({ range: { start: 6, end: 7 }, duration: DURATION })).toBe('bad_range');
    expect(await code({ range: { start: 2, end: 2 }, duration: DURATION })).toBe('bad_range');
    expect(await code({ range: { start: 0, end: 9000 }, duration: 9000 })).toBe('invalid_input');
    const webm = CLIPS.vp8Webm.recipe;
    expect(
      await cut(decoder, webm, { range: { start: 0, end: 1 }, duration: 2, cut: 'copy' }).catch((error) => error.code),
    ).toBe('unsupported_codec');
  });
});

describe('the plan of a clip', () => {
  const timeBase = { num: 1, den: 100 };
  const auto = { cut: 'auto', copyable: true, timeBase, endOfVideo: 100 } as const;
  /** `K` before a key frame, `h` before a hidden one; in stored order. */
  const packets = (text: string): ClipPacket[] =>
    text.split(' ').map((word) => ({
      pts: 4 * Number(word.replace(/\D/g, '')),
      key: word.includes('K'),
      hidden: word.includes('h'),
    }));
  const frames = (start: number, end: number) => ({ start: 4 * start, end: 4 * end });

  it.each([
    ['K0 1 2 K3 4 5', frames(3, 5), { cut: 'copy', ...frames(3, 5) }],
    ['K0 1 2 K3 4 5', frames(2, 5), { cut: 'encode', ...frames(2, 5) }],
    ['K0 3 1 2 6 4 5', frames(0, 2), { cut: 'copy', ...frames(0, 4) }],
    ['K0 1 K4 2 3 5 6', frames(4, 6), { cut: 'encode', ...frames(4, 6) }],
    ['hK0 h1 2 3 4', frames(2, 4), { cut: 'encode', ...frames(2, 4) }],
    ['K0 1 2 3', { start: 8, end: undefined }, { cut: 'encode', start: 8, end: 100 }],
  ])('of %s', (text, ticks, plan) => {
    expect(planClip(packets(text), ticks, auto)).toEqual(plan);
  });

  it('is none when the packets begin behind the start', () => {
    expect(planClip(packets('K3 4 5'), frames(1, 5), auto)).toBeUndefined();
  });

  it('counts from printed times to the frames that were meant', () => {
    const film = { num: 1, den: 24_000 };
    // 4.17083… and 5.17083… are printed as 4.171 and 5.171.
    expect(clipTicks({ start: 4.171, end: 5.171 }, 0, film, 60)).toEqual({ start: 100_104, end: 124_081 });
    expect(clipTicks({ start: 0, end: 60 }, 500, film, 60)).toEqual({ start: 500, end: undefined });
  });

  it('reads the list of any ffprobe', () => {
    expect(readClipPackets('0,K_\n-5,_D\nN/A,K_\n7,K__,\n\n')).toEqual([
      { pts: 0, key: true, hidden: false },
      { pts: -5, key: false, hidden: true },
      { pts: 7, key: true, hidden: false },
    ]);
  });
});
