import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPulses, renderSoundClip, type SoundClipRecipe } from '../../../fixtures/clips/sound.js';
import { SOUND_RATE, type SoundBlock, type VideoProbe } from '../../../ingest/video/decoder.js';
import { LongwatchError } from '../../../src/errors.js';
import { DECODERS } from './engines.js';

const LOSSLESS = ['-c:a', 'alac'];
const AAC = ['-c:a', 'aac', '-b:a', '96k'];
const PULSES = [0.5, 1.25, 2.0001, 3.7, 5.3];

/** What a clock of whole milliseconds rounds away. */
const MILLISECOND_CLOCK = 0.0006;
/** What coding at a low rate moves the middle of a tone by. */
const LOSSY = 0.0005;
/** A tenth of a sample: nothing but the resampler's own error. */
const EXACT = 0.1 / SOUND_RATE;

const base = { container: 'mp4', sampleRate: 44_100, length: 6, pulses: PULSES, codec: LOSSLESS } as const;

interface SoundClip {
  readonly recipe: SoundClipRecipe;
  /** Container time of the first frame. */
  readonly firstFrameTime: number;
  /** Media time of the tones, and how exactly they are found there. */
  readonly times: readonly number[];
  readonly tolerance: number;
}

function soundClip(recipe: SoundClipRecipe, tolerance: number, truth: Partial<SoundClip> = {}): SoundClip {
  return { recipe, firstFrameTime: 0, times: recipe.pulses, tolerance, ...truth };
}

const CLIPS_44K = soundClip(
  { ...base, name: 'sound-44k', length: 20, pulses: [0.5, 10, 19.5] },
  // Over 20 s, a rate that is off by one part in three million would show.
  EXACT,
);
const AAC_CLIP = soundClip({ ...base, name: 'sound-aac', codec: AAC }, LOSSY);
const STREAM = soundClip(
  { ...base, name: 'sound-stream', container: 'ts', codec: ['-c:a', 'mp2', '-b:a', '192k'] },
  LOSSY,
  { firstFrameTime: 126_982 / 90_000 },
);
const GAP = soundClip({ ...base, name: 'sound-gap', sampleRate: 48_000, channels: 2, gap: [2.5, 3.4] }, EXACT);

const SOUND_CLIPS: Readonly<Record<string, SoundClip>> = {
  'at 44.1 kHz, for 20 s': CLIPS_44K,
  'of two channels at 48 kHz, with a gap': GAP,
  'coded as AAC, whose first samples an edit list hides': AAC_CLIP,
  'in a cut file': soundClip({ ...base, name: 'sound-cut', codec: AAC, cutAt: 1 }, LOSSY, {
    times: [0.25, 1.0001, 2.7, 4.3],
  }),
  'that starts 0.4 s after the picture': soundClip(
    { ...base, name: 'sound-late', codec: AAC, soundDelay: 0.4 },
    // Edit lists of this muxer count whole milliseconds.
    LOSSY + MILLISECOND_CLOCK,
    { times: [0.9, 1.65, 2.4001, 4.1, 5.7] },
  ),
  'at 8 kHz in Matroska, that starts 0.8 s before the picture': soundClip(
    { ...base, name: 'sound-early', container: 'mkv', sampleRate: 8000, soundDelay: -0.8 },
    MILLISECOND_CLOCK,
    { firstFrameTime: 0.8, times: [0.45, 1.2001, 2.9, 4.5] },
  ),
  'in a transport stream': STREAM,
};

/** Blocks that go on from each other, joined. */
function stretches(blocks: readonly SoundBlock[]): SoundBlock[] {
  const joined: { start: number; parts: Float32Array[]; length: number }[] = [];
  for (const { start, samples } of blocks) {
    const last = joined.at(-1);
    if (last && Math.abs(last.start + last.length / SOUND_RATE - start) < 1e-9) {
      last.parts.push(samples);
      last.length += samples.length;
    } else joined.push({ start, parts: [samples], length: samples.length });
  }
  return joined.map(({ start, parts }) => ({ start, samples: Float32Array.from(parts.flatMap((part) => [...part])) }));
}

function pulsesOf(blocks: readonly SoundBlock[]): number[] {
  return stretches(blocks).flatMap(({ start, samples }) => findPulses(samples, SOUND_RATE, start));
}

describe.each(DECODERS)('sound read by the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('of a clip with tones at stated times', () => {
    const decoder = open();
    const listened = new Map<string, Promise<SoundBlock[]>>();
    const probed = new Map<string, Promise<VideoProbe>>();
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'longwatch-sound-'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    async function listen(file: string, firstFrameTime: number, from = 0): Promise<SoundBlock[]> {
      const asked = probed.get(file) ?? decoder.probe(file);
      probed.set(file, asked);
      const probe = await asked;
      const stream = probe.audio[0]?.index ?? -1;
      const blocks: SoundBlock[] = [];
      for await (const block of decoder.sound(file, probe, { stream, firstFrameTime, from })) blocks.push(block);
      return blocks;
    }

    async function whole({ recipe, firstFrameTime }: SoundClip): Promise<SoundBlock[]> {
      const blocks = listened.get(recipe.name) ?? listen(await renderSoundClip(recipe), firstFrameTime);
      listened.set(recipe.name, blocks);
      return blocks;
    }

    it.each(Object.entries(SOUND_CLIPS))('has each tone %s where it belongs', async (_name, clip) => {
      const blocks = await whole(clip);
      const found = pulsesOf(blocks);
      expect(found).toHaveLength(clip.times.length);
      for (const [index, time] of clip.times.entries())
        expect(Math.abs((found[index] ?? 0) - time)).toBeLessThan(clip.tolerance);
      for (const [index, { start, samples }] of blocks.entries()) {
        const before = blocks[index - 1];
        expect(samples.length).toBeLessThanOrEqual(SOUND_RATE);
        expect(start).toBeGreaterThanOrEqual(before ? before.start + before.samples.length / SOUND_RATE - 1e-9 : 0);
      }
      expect(stretches(blocks)).toHaveLength(clip.recipe.gap ? 2 : 1);
    });

    it('does not fill a gap', async () => {
      const [before, behind] = stretches(await whole(GAP));
      // Sound is left out by pieces of 4096 samples.
      const piece = 4096 / GAP.recipe.sampleRate;
      expect(Math.abs((before?.samples.length ?? 0) / SOUND_RATE - 2.5)).toBeLessThan(piece);
      expect(Math.abs((behind?.start ?? 0) - 3.4)).toBeLessThan(piece);
    });

    it('keeps the loudness of two equal channels', async () => {
      const [{ samples } = { samples: new Float32Array() }] = stretches(await whole(GAP));
      expect(Math.max(...samples)).toBeCloseTo(0.8, 2);
    });

    it.each([
      ['the middle of an indexed file', CLIPS_44K, 12.3, 1e-6],
      ['a file without such an index', STREAM, 3.21, 1e-6],
      // AAC makes some of its noise anew after a seek.
      ['a coded file', AAC_CLIP, 4.7, 1e-3],
      ['inside a gap', GAP, 3, 1e-6],
      ['behind its end', AAC_CLIP, 100, 1e-6],
    ] as const)('from %s is the same as from the start', async (_name, clip, from, tolerance) => {
      const late = await listen(await renderSoundClip(clip.recipe), clip.firstFrameTime, from);
      const expected = (await whole(clip)).flatMap(({ start, samples }) => {
        const skipped = Math.max(0, Math.ceil((from - start) * SOUND_RATE - 1e-6));
        return skipped >= samples.length
          ? []
          : [{ start: start + skipped / SOUND_RATE, samples: samples.slice(skipped) }];
      });
      expect(late.map(({ start, samples }) => [start, samples.length])).toEqual(
        expected.map(({ start, samples }) => [start, samples.length]),
      );
      expect(largestDifference(late, expected)).toBeLessThan(tolerance);
    });

    it('leaves out what is damaged, and keeps its times', async () => {
      const bytes = await readFile(await renderSoundClip(STREAM.recipe));
      // About a second, between the third tone and the fourth.
      const [from, to] = [Math.floor(bytes.length * 0.42), Math.floor(bytes.length * 0.55)];
      for (let index = from; index < to; index++) bytes[index] = (index * 7919) % 251;
      const found = pulsesOf(await listen(put('damaged.ts', bytes), STREAM.firstFrameTime));
      expect(found.length).toBeGreaterThanOrEqual(4);
      for (const time of found) expect(Math.min(...PULSES.map((pulse) => Math.abs(pulse - time)))).toBeLessThan(LOSSY);
    });

    it('goes on without a jump where a joined recording starts anew', async () => {
      const bytes = await readFile(await renderSoundClip(STREAM.recipe));
      const joined = stretches(await listen(put('joined.ts', Buffer.concat([bytes, bytes])), STREAM.firstFrameTime));
      expect(joined).toHaveLength(1);
      const length = (joined[0]?.samples.length ?? 0) / SOUND_RATE / 2;
      const twice = [...PULSES, ...PULSES.map((time) => time + length)];
      const found = pulsesOf(joined);
      expect(found).toHaveLength(twice.length);
      // Both halves have the same length up to one coded frame, which is lost at the join.
      for (const [index, time] of twice.entries()) expect(Math.abs((found[index] ?? 0) - time)).toBeLessThan(0.027);
    });

    it('is refused where there is none, or none that can be decoded', async () => {
      const file = await renderSoundClip(AAC_CLIP.recipe);
      const probe = await decoder.probe(file);
      const refusal = async (path: string, stream: number) => {
        try {
          for await (const block of decoder.sound(path, probe, { stream, firstFrameTime: 0 })) return block;
          return undefined;
        } catch (error) {
          if (!(error instanceof LongwatchError)) throw error;
          expect(error.hint).toBeTruthy();
          return error.code;
        }
      };
      expect(await refusal(file, 0)).toBe('invalid_input');
      expect(await refusal(file, 2)).toBe('invalid_input');
      const bytes = await readFile(file);
      const data = bytes.indexOf('mdat');
      bytes.fill(0xff, data + 4, data + bytes.readUInt32BE(data - 4) - 4);
      expect(await refusal(put('destroyed.mp4', bytes), 1)).toBe('invalid_media');
    });

    function put(name: string, bytes: Uint8Array): string {
      const file = path.join(folder, name);
      writeFileSync(file, bytes);
      return file;
    }
  });
});

function largestDifference(blocks: readonly SoundBlock[], others: readonly SoundBlock[]): number {
  let largest = 0;
  for (const [index, { samples }] of blocks.entries())
    for (const [at, value] of samples.entries())
      largest = Math.max(largest, Math.abs(value - (others[index]?.samples[at] ?? Infinity)));
  return largest;
}
