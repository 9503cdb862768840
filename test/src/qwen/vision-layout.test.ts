import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PADDING_BIAS, type PatchGrid, patchPosition, visionLayout } from '../../../src/qwen/vision-layout.js';
import { floatsOf, readGolden, VISION } from './golden-inputs.js';

interface GoldenLayout extends PatchGrid {
  readonly window_index: readonly number[];
  readonly cu_window_seqlens: readonly number[];
  readonly positions_sha256: string;
  readonly cos?: string;
  readonly sin?: string;
}
const GOLDEN = readGolden<{ head_dim: number; cases: GoldenLayout[] }>('vision-layout.json');
/** The reference multiplies position and frequency in float32; grids stay under a hundred positions. */
const ANGLE_TOLERANCE = 2e-6;

const evenSide = fc.integer({ min: 1, max: 24 }).map((half) => half * 2);

describe('the layout of a frame pair', () => {
  it.each(GOLDEN.cases)('of $rows×$columns patches has the windows of the reference', (golden) => {
    const layout = visionLayout(golden, VISION);
    expect(layout.patchesPerWindow).toBe(64);
    expect(layout.windows).toBe(golden.cu_window_seqlens.length - 1);
    // Window by window, what stands before the padding is the reference's order.
    const tokens = [...layout.source].filter((patch) => patch >= 0 && patch % 4 === 0).map((patch) => patch / 4);
    expect(tokens).toEqual(golden.window_index);
    const filled = Array.from(
      { length: layout.windows },
      (_, w) => layout.source.subarray(w * 64, (w + 1) * 64).filter((patch) => patch >= 0).length,
    );
    expect(filled).toEqual(golden.cu_window_seqlens.slice(1).map((end, w) => end - (golden.cu_window_seqlens[w] ?? 0)));
  });

  it.each(GOLDEN.cases)('of $rows×$columns patches counts patches as the reference does', (golden) => {
    const positions = Array.from({ length: golden.rows * golden.columns }, (_, patch) =>
      patchPosition(patch, golden.columns / 2, 2),
    );
    const pairs = Int32Array.from(positions.flatMap(({ row, column }) => [row, column]));
    expect(createHash('sha256').update(new Uint8Array(pairs.buffer)).digest('hex')).toBe(golden.positions_sha256);
  });

  it.each(GOLDEN.cases.filter(({ cos }) => cos !== undefined))(
    'of $rows×$columns patches turns them as the reference does',
    (golden) => {
      const layout = visionLayout(golden, VISION);
      const D = GOLDEN.head_dim;
      for (const name of ['cos', 'sin'] as const) {
        const reference = floatsOf(golden[name] ?? '');
        const worst = [...layout.source.entries()]
          .filter(([, patch]) => patch >= 0)
          .flatMap(([slot, patch]) =>
            Array.from({ length: D }, (_, d) =>
              Math.abs((layout[name][slot * D + d] as number) - (reference[patch * D + d] as number)),
            ),
          );
        expect(worst.length).toBe(reference.length);
        expect(Math.max(...worst)).toBeLessThan(ANGLE_TOLERANCE);
      }
    },
  );

  it('of one merged token is one window, nearly all of it padding', () => {
    const layout = visionLayout({ rows: 2, columns: 2 }, VISION);
    expect(layout.windows).toBe(1);
    expect([...layout.source.subarray(0, 5)]).toEqual([0, 1, 2, 3, -1]);
    expect([...layout.keyBias.subarray(3, 5)]).toEqual([0, PADDING_BIAS]);
    expect([...layout.mergedSlots]).toEqual([0]);
  });

  it('of 10×8 patches fills the second window with its last row and pads the rest', () => {
    const layout = visionLayout({ rows: 10, columns: 8 }, VISION);
    expect(layout.windows).toBe(2);
    expect([...layout.mergedSlots]).toEqual([...Array.from({ length: 16 }, (_, i) => i), 16, 17, 18, 19]);
    expect(layout.source.subarray(64).filter((patch) => patch >= 0).length).toBe(16);
  });

  it('holds every patch once and leads every merged token back, whatever the grid', () => {
    fc.assert(
      fc.property(evenSide, evenSide, (rows, columns) => {
        const layout = visionLayout({ rows, columns }, VISION);
        const present = [...layout.source].filter((patch) => patch >= 0).sort((a, b) => a - b);
        expect(present).toEqual(Array.from({ length: rows * columns }, (_, i) => i));
        layout.mergedSlots.forEach((slot, token) => {
          for (let k = 0; k < 4; k++) expect(layout.source[slot * 4 + k]).toBe(token * 4 + k);
        });
        layout.source.forEach((patch, slot) => {
          expect(layout.keyBias[slot]).toBe(patch < 0 ? PADDING_BIAS : 0);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('puts two patches into one window exactly when they lie in one square of 8×8', () => {
    fc.assert(
      fc.property(evenSide, evenSide, (rows, columns) => {
        const layout = visionLayout({ rows, columns }, VISION);
        layout.source.forEach((patch, slot) => {
          if (patch < 0) return;
          const { row, column } = patchPosition(patch, columns / 2, 2);
          const square = Math.floor(row / 8) * Math.ceil(columns / 8) + Math.floor(column / 8);
          expect(Math.floor(slot / 64)).toBe(square);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('turns patches by the definition: angle = position × 10000^(-f/F), rows first, then columns, twice', () => {
    const grid = { rows: 6, columns: 10 };
    const layout = visionLayout(grid, VISION);
    const D = 16;
    layout.source.forEach((patch, slot) => {
      const position = patch < 0 ? undefined : patchPosition(patch, 5, 2);
      for (let d = 0; d < D; d++) {
        const f = d % 8;
        const angle = position ? (f < 4 ? position.row : position.column) * 10_000 ** (-(f % 4) / 4) : 0;
        expect(layout.cos[slot * D + d]).toBe(Math.fround(Math.cos(angle)));
        expect(layout.sin[slot * D + d]).toBe(Math.fround(Math.sin(angle)));
      }
    });
  });

  it.each([
    [3, 4],
    [4, 5],
    [0, 4],
    [4, 2.5],
  ])('of %s×%s patches is refused', (rows, columns) => {
    expect(() => visionLayout({ rows, columns }, VISION)).toThrow('is not made of 2 × 2 blocks');
  });
});
