import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { patchLength, writePatches } from '../../../src/qwen/patches.js';
import { visionLayout } from '../../../src/qwen/vision-layout.js';
import { noise, readGolden, VISION } from './golden-inputs.js';

interface GoldenPatches {
  readonly size: readonly [width: number, height: number];
  readonly frames: number;
  readonly grid: readonly [pairs: number, rows: number, columns: number];
  readonly sha256: string;
}

const LENGTH = 1176;

/** Patches of one pair in layout order. */
function patchesOf(frames: readonly Uint8Array[], width: number, height: number) {
  const grid = { rows: height / 14, columns: width / 14 };
  const layout = visionLayout(grid, VISION);
  const out = new Float32Array(layout.source.length * LENGTH);
  writePatches(frames, grid, layout.source, VISION, out);
  return { grid, layout, out };
}

describe('patches', () => {
  it('have 1176 numbers', () => {
    expect(patchLength(VISION)).toBe(LENGTH);
  });

  it.each(readGolden<{ cases: GoldenPatches[] }>('patches.json').cases)(
    'of $frames frames of $size equal the reference bit for bit, once window order is undone',
    ({ size: [width, height], frames, grid: [pairs, rows, columns], sha256 }) => {
      const pictures = Array.from({ length: frames }, (_, i) => noise(width, height, i + 1).rgb);
      const inOrder = new Float32Array(pairs * rows * columns * LENGTH);
      for (let pair = 0; pair < pairs; pair++) {
        const first = pictures[pair * 2] as Uint8Array;
        const { layout, out } = patchesOf([first, pictures[pair * 2 + 1] ?? first], width, height);
        layout.source.forEach((patch, slot) => {
          if (patch < 0) return;
          const from = out.subarray(slot * LENGTH, (slot + 1) * LENGTH);
          inOrder.set(from, (pair * rows * columns + patch) * LENGTH);
        });
      }
      const digest = createHash('sha256').update(new Uint8Array(inOrder.buffer)).digest('hex');
      expect(digest).toBe(sha256);
    },
  );

  it('lie where the definition says: colour, frame, row, column', () => {
    const [width, height] = [140, 84];
    const frames = [noise(width, height, 5).rgb, noise(width, height, 6).rgb];
    const { layout, out } = patchesOf(frames, width, height);
    const mean = [0.48145466, 0.4578275, 0.40821073];
    const spread = [0.26862954, 0.26130258, 0.27577711];
    layout.source.forEach((patch, slot) => {
      for (let i = 0; i < LENGTH; i += 37) {
        const value = out[slot * LENGTH + i] as number;
        if (patch < 0) {
          expect(value).toBe(0);
          continue;
        }
        const [colour, frame, y, x] = [Math.floor(i / 392), Math.floor(i / 196) % 2, Math.floor(i / 14) % 14, i % 14];
        const [block, inside] = [Math.floor(patch / 4), patch % 4];
        const row = (Math.floor(block / 5) * 2 + Math.floor(inside / 2)) * 14 + y;
        const column = ((block % 5) * 2 + (inside % 2)) * 14 + x;
        const byte = frames[frame]?.[(row * width + column) * 3 + colour] as number;
        expect(value).toBeCloseTo((byte / 255 - (mean[colour] as number)) / (spread[colour] as number), 5);
      }
    });
  });

  it('of frames of another size are refused', () => {
    expect(() => patchesOf([new Uint8Array(10), new Uint8Array(10)], 56, 28)).toThrow(
      'A frame has 10 bytes, not 4704.',
    );
    expect(() => patchesOf([new Uint8Array(4704)], 56, 28)).toThrow('1 frames do not fill patches of 2.');
  });
});
