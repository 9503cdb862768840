import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText, readSteps } from '../../../../src/layers/screen-text/ctc.js';
import type { SlantedBox } from '../../../../src/layers/screen-text/geometry.js';
import { changedArea, changedTiles, TILE, touchesChange } from '../../../../src/layers/screen-text/picture-change.js';
import { cropPixels, type RgbPixels } from '../../../../src/layers/screen-text/pixels.js';
import { partToRead } from '../../../../src/layers/screen-text/screen.js';
import { cutStrip } from '../../../../src/layers/screen-text/strip.js';

const [WIDTH, HEIGHT] = [56, 40];

function blank(level = 0): RgbPixels {
  return { width: WIDTH, height: HEIGHT, rgb: new Uint8Array(3 * WIDTH * HEIGHT).fill(level) };
}

describe('tiles that changed', () => {
  it('are those whose pixels differ by 4.5 on the mean, also where the border cuts them', () => {
    const pictures = fc.uint8Array({ minLength: 3 * WIDTH * HEIGHT, maxLength: 3 * WIDTH * HEIGHT });
    fc.assert(
      fc.property(pictures, fc.integer({ min: 0, max: 12 }), (rgb, most) => {
        const before = { ...blank(), rgb };
        const after = {
          ...blank(),
          rgb: rgb.map((value, index) => Math.min(255, value + ((index * 7919) % (most + 1)))),
        };
        const flags = changedTiles(before, after);
        for (let y = 0; y < HEIGHT; y += TILE) {
          for (let x = 0; x < WIDTH; x += TILE) {
            const area = [x, y, Math.min(TILE, WIDTH - x), Math.min(TILE, HEIGHT - y)] as const;
            const [a, b] = [cropPixels(before, area).rgb, cropPixels(after, area).rgb];
            const mean = a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] ?? 0)), 0) / a.length;
            expect(flags[(y / TILE) * Math.ceil(WIDTH / TILE) + x / TILE]).toBe(mean > 4.5 ? 1 : 0);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('have a box around them, and touch what lies on them', () => {
    const after = blank();
    after.rgb.fill(255, 3 * (20 * WIDTH + 20), 3 * (20 * WIDTH + 30));
    const flags = changedTiles(blank(), after);
    expect(changedArea(flags, after)).toEqual([16, 16, 16, 16]);
    expect(changedArea(changedTiles(after, after), after)).toBeUndefined();
    expect(touchesChange(flags, [0, 0, 40, 10], WIDTH)).toBe(false);
    expect(touchesChange(flags, [0, 0, 40, 17], WIDTH)).toBe(true);
  });
});

describe('the part that is read again', () => {
  const picture = { width: 1280, height: 736 };

  it('is the change with a margin, on the grid of the detector', () => {
    expect(partToRead([320, 320, 16, 16], [], picture)).toEqual([288, 288, 96, 96]);
  });

  it('holds every line that it touches as a whole', () => {
    const lines = [
      { box: [100, 300, 200, 20] as const },
      { box: [70, 290, 40, 80] as const },
      { box: [900, 10, 50, 20] as const },
    ];
    expect(partToRead([320, 320, 16, 16], lines, picture)).toEqual([64, 256, 320, 128]);
  });

  it('is all of the picture when most of it changed', () => {
    expect(partToRead([0, 0, 1000, 700], [], picture)).toEqual([0, 0, 1280, 736]);
  });
});

describe('a strip', () => {
  it('is the line at 48 pixels, blue first, from −1 to 1', () => {
    const picture = blank();
    for (let x = 0; x < WIDTH; x++) picture.rgb[3 * (10 * WIDTH + x)] = 255;
    const strip = cutStrip(picture, { centre: { x: 28, y: 10.5 }, width: 16, height: 1, angle: 0 });
    expect([strip.width, strip.data.length]).toEqual([768, 3 * 48 * 768]);
    const at = 24 * 768 + 100;
    expect([strip.data[at], strip.data[2 * 48 * 768 + at]]).toEqual([-1, expect.closeTo(1, 1)]);
  });

  it('of a turned line is what the line is when it lies flat', () => {
    const flat = blank();
    const standing: RgbPixels = { width: HEIGHT, height: WIDTH, rgb: new Uint8Array(flat.rgb.length) };
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const colour = [(x * 5) & 255, (y * 6) & 255, ((x + y) * 3) & 255];
        flat.rgb.set(colour, 3 * (y * WIDTH + x));
        // A quarter turn clockwise: the top row becomes the right column.
        standing.rgb.set(colour, 3 * (x * HEIGHT + (HEIGHT - 1 - y)));
      }
    }
    const box: SlantedBox = { centre: { x: 28, y: 20 }, width: 40, height: 20, angle: 0 };
    const turned: SlantedBox = { centre: { x: 20, y: 28 }, width: 40, height: 20, angle: Math.PI / 2 };
    const [a, b] = [cutStrip(flat, box).data, cutStrip(standing, turned).data];
    expect(Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? 0))))).toBeLessThan(1e-5);
  });
});

describe('steps of the recogniser', () => {
  const steps = (...classes: number[]) => ({
    classes: 4,
    data: Float32Array.from(classes.flatMap((best) => [0, 1, 2, 3].map((index) => (index === best ? 0.7 : 0.1)))),
  });

  it('are characters where they are not "nothing", a repeat being the same one', () => {
    expect(readSteps(steps(0, 1, 1, 0, 1, 2, 0), ['a', 'b', 'c'])).toEqual({
      text: 'aab',
      score: expect.closeTo(0.7, 5),
    });
    expect(readSteps(steps(0, 0), ['a', 'b', 'c'])).toEqual({ text: '', score: 0 });
  });

  it('never say control characters', () => {
    expect(cleanText(' NO\u0000\u202e ENTRY\n\u200b ')).toBe('NO ENTRY');
  });
});
