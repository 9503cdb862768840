/** What a library promises about windows and their events. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import type { EventFilter, EventRecord } from '../../../index/store/records.js';
import { EVENT_KINDS, EVENT_SOURCES, type MediaEvent } from '../../../src/event.js';
import { contains, overlaps } from '../../../src/time.js';
import { newVideo, randomFrom, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

async function allEvents(library: Library, id: string, filter: EventFilter = {}): Promise<EventRecord[]> {
  const all: EventRecord[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await library.events(id, { ...filter, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...page.items);
    if (page.nextCursor === undefined) return all;
    cursor = page.nextCursor;
  }
}

export function windowsContract({ make, pace }: House): void {
  describe('windows', () => {
    it('a window is read back with its frames and events, ids from video, window and position', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const event: MediaEvent = {
        kind: 'caption',
        source: 'model',
        start: 20.1 + 0.2,
        end: 25.333333333333332,
        precision: 1 / 48,
        text: 'Ein Hase öffnet die Augen. 兎 🐇',
        confidence: 0.75,
        model: 'nano',
        attributes: { speaker: 'A', loud: true, box: [0.1, 0.2, 0.3, 0.4], level: -3.5 },
      };
      await library.writeWindow(id, {
        ...windowOf(2, [{ event }, { event: subtitle(21, 22, 'hi') }]),
        caption: 'A hare.',
        model: 'nano',
      });
      expect((await library.events(id)).items).toEqual([
        { ...event, id: `${id}-2-0`, videoId: id, windowIndex: 2 },
        { ...subtitle(21, 22, 'hi'), id: `${id}-2-1`, videoId: id, windowIndex: 2 },
      ]);
      expect((await library.segments(id)).items).toEqual([
        { ...windowOf(2).window, id: `${id}-2`, videoId: id, caption: 'A hare.', model: 'nano', precision: 0.5 },
      ]);
    });

    it('a window that is written again replaces the old one with all that hung on it', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const embedding = Float32Array.of(1, 0);
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'old words'), embedding }]), 'e');
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(3, 4, 'new words') }]));
      expect((await library.events(id)).items.map((event) => event.text)).toEqual(['new words']);
      expect(await library.matchText('old', 5)).toEqual([]);
      expect(await library.nearest('e', embedding, 5)).toEqual([]);
      expect(await library.stats()).toMatchObject({ segments: 1, events: 1, embeddings: 0 });
    });

    it.each([
      ['an empty text', { text: '' }],
      ['a reversed range', { start: 5, end: 4 }],
      ['a time that is no number', { start: Number.NaN }],
      ['an endless range', { end: Number.POSITIVE_INFINITY }],
      ['a negative precision', { precision: -1 }],
      ['a confidence above 1', { confidence: 1.01 }],
      ['an attribute that is no number', { attributes: { level: Number.NaN } }],
    ])('%s is refused, and the window that was there stays whole', async (_, change) => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'good') }]));
      const bad = { ...subtitle(3, 4, 'bad'), ...change };
      expect(
        await codeOf(() => library.writeWindow(id, windowOf(0, [{ event: subtitle(0, 1, 'first') }, { event: bad }]))),
      ).toBe('invalid_input');
      expect((await library.events(id)).items.map((event) => event.text)).toEqual(['good']);
    });

    it.each([
      ['NaN', Float32Array.of(Number.NaN, 1)],
      ['infinity', Float32Array.of(Number.POSITIVE_INFINITY, 1)],
      ['zero', Float32Array.of(0, 0)],
      ['another length', Float32Array.of(1, 2, 3)],
      ['no numbers', new Float32Array(0)],
    ])('an embedding of %s is refused with its whole window', async (_, embedding) => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(
        id,
        windowOf(0, [{ event: subtitle(1, 2, 'a'), embedding: Float32Array.of(1, 2) }]),
        'e',
      );
      expect(
        await codeOf(() => library.writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'b'), embedding }]), 'e')),
      ).toBe('invalid_input');
      expect([...(await library.writtenWindows(id))]).toEqual([0]);
    });

    it('embeddings without the name of their embedder are refused', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const write = windowOf(0, [{ event: subtitle(1, 2, 'a'), embedding: Float32Array.of(1, 2) }]);
      expect(await codeOf(() => library.writeWindow(id, write))).toBe('invalid_input');
    });

    it('a window of an unknown video is not found', async () => {
      const library = await make();
      const missing = 'not_found';
      expect(await codeOf(() => library.writeWindow('0123456789ab', windowOf(0)))).toBe(missing);
      expect(await codeOf(() => library.events('0123456789ab'))).toBe(missing);
      expect(await codeOf(() => library.segments('0123456789ab'))).toBe(missing);
      expect(await codeOf(() => library.writtenWindows('0123456789ab'))).toBe(missing);
      expect(await codeOf(() => library.clearWindows('0123456789ab'))).toBe(missing);
    });

    it('segments come page by page, and only those of a range when one is asked', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      for (const index of [3, 1, 0, 2]) await library.writeWindow(id, windowOf(index));
      const first = await library.segments(id, { limit: 3 });
      expect(first.items.map((segment) => segment.index)).toEqual([0, 1, 2]);
      const next = await library.segments(id, { limit: 3, cursor: first.nextCursor as string });
      expect(next).toMatchObject({ items: [{ index: 3 }] });
      expect(next).not.toHaveProperty('nextCursor');
      const part = await library.segments(id, { range: { start: 10, end: 20 } });
      expect(part.items.map((segment) => segment.index)).toEqual([1]);
    });

    it('a listing with any filter equals the slow filter over all events, page by page', async () => {
      const random = randomFrom(7);
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const texts: MediaEvent[] = Array.from({ length: 150 }, (_, i) => {
        const start = Math.floor(random() * 60) + (random() < 0.3 ? 0.5 : 0);
        return {
          ...subtitle(start, start + Math.floor(random() * 4), `line ${i}`),
          kind: EVENT_KINDS[Math.floor(random() * EVENT_KINDS.length)] as MediaEvent['kind'],
          source: EVENT_SOURCES[Math.floor(random() * EVENT_SOURCES.length)] as MediaEvent['source'],
        };
      });
      for (let w = 0; w < 6; w++) {
        await library.writeWindow(
          id,
          windowOf(
            w,
            texts.filter((_, i) => i % 6 === w).map((event) => ({ event })),
          ),
        );
      }
      const everything = await allEvents(library, id);
      expect(everything).toHaveLength(150);
      const key = (event: EventRecord) => [event.start, event.windowIndex, Number(event.id.split('-')[2])] as const;
      const sorted = [...everything].sort(
        (a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1] || key(a)[2] - key(b)[2],
      );
      expect(everything).toEqual(sorted);
      await fc.assert(
        fc.asyncProperty(
          fc.option(fc.subarray([...EVENT_KINDS]), { nil: undefined }),
          fc.option(fc.subarray([...EVENT_SOURCES]), { nil: undefined }),
          fc.option(fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 30 })), { nil: undefined }),
          fc.integer({ min: 1, max: 40 }),
          async (kinds, sources, at, limit) => {
            const range = at && { start: at[0], end: at[0] + at[1] };
            const filter: EventFilter = {
              limit,
              ...(kinds && { kinds }),
              ...(sources && { sources }),
              ...(range && { range }),
            };
            const inRange = (event: EventRecord) =>
              !range || (event.start === event.end ? contains(range, event.start) : overlaps(event, range));
            const expected = everything.filter(
              (event) =>
                (kinds?.includes(event.kind) ?? true) && (sources?.includes(event.source) ?? true) && inRange(event),
            );
            expect(await allEvents(library, id, filter)).toEqual(expected);
          },
        ),
        { numRuns: Math.ceil(150 * pace) },
      );
    });

    it('a cursor that was not given out is refused, whatever it holds', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      for (let w = 0; w < 3; w++) await library.writeWindow(id, windowOf(w));
      const foreign = (await library.segments(id, { limit: 1 })).nextCursor as string;
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const bad = [
        '',
        'x',
        foreign,
        encode(null),
        encode({}),
        encode(['events', 1, 2]),
        encode(['events', 1, 2, '3']),
        encode(['events', null, 1, 1]),
      ];
      for (const cursor of bad) {
        expect(await codeOf(() => library.events(id, { cursor })), cursor).toBe('invalid_input');
      }
      for (const limit of [0, -1, 1.5, Number.NaN, 10_001]) {
        expect(await codeOf(() => library.events(id, { limit }))).toBe('invalid_input');
      }
      expect(await codeOf(() => library.events(id, { range: { start: 5, end: 4 } }))).toBe('bad_range');
    });
  });
}
