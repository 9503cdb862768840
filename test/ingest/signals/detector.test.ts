import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeFilm } from '../../../fixtures/film/film.js';
import { SignalDetector } from '../../../ingest/signals/detector.js';
import { HISTORY_FRAMES } from '../../../ingest/signals/history.js';
import type { Thumbnail } from '../../../ingest/video/frame.js';
import type { MediaEvent } from '../../../src/event.js';
import { f1, precision, recall } from '../../eval/score.js';
import { HELD_OUT_SEEDS, pooled, scoreShots } from '../../eval/shots.js';
import { constantRate, kinds, noisy, pixels, plain, stillScene, watch } from './sequence.js';

const SIZE = { width: 64, height: 36 } as const;

function thumbnail(index: number, time: number, rgb = new Uint8Array(64 * 36 * 3)): Thumbnail {
  return { kind: 'thumbnail', index, pts: index, time, ...SIZE, rgb };
}

describe('the signals of a film', () => {
  it('of a single frame are none', () => {
    expect(watch([0, 0.04], () => pixels(stillScene(11)))).toMatchObject({ events: [], boundaries: [] });
  });

  it('of no frame at all are none', () => {
    expect(watch([0], () => plain(0))).toMatchObject({ events: [], boundaries: [] });
  });

  it('are ranges inside the film, in which every event says what it is and how exact', () => {
    const film = makeFilm(31, { shots: 20 });
    const end = film.time(film.truth.frameCount);
    const { events } = run([...film.thumbnails()], end);
    expect(events.length).toBeGreaterThan(15);
    for (const event of events) {
      expect(event.start).toBeGreaterThanOrEqual(0);
      expect(event.end).toBeGreaterThan(event.start);
      expect(event.end).toBeLessThanOrEqual(end);
      expect(event.text).not.toBe('');
      expect(event.source).toBe('signal');
      // Motion is measured over 0.4 s, and its edges are no sharper than that.
      expect(event.precision).toBeCloseTo(event.kind === 'motion' ? 0.4 : 1 / 25, 9);
      for (const value of Object.values(event.attributes)) expect(value).not.toBeNaN();
    }
  });

  it('that end before the settled time, and boundaries before it, have been handed out by then', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 5, max: 60 }), (seed, fps) => {
        const film = makeFilm(seed, { shots: 8, frameDuration: { num: 1, den: fps } });
        const { late } = run([...film.thumbnails()], film.time(film.truth.frameCount));
        expect(late).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });

  it('are settled within nine seconds', () => {
    const film = makeFilm(32, { shots: 20 });
    const detector = new SignalDetector();
    for (const frame of film.thumbnails()) {
      detector.push(frame);
      expect(frame.time - Math.max(0, detector.settled)).toBeLessThan(9);
    }
  });

  it('do not depend on what the caller does with a thumbnail after pushing it', () => {
    const frames = [...makeFilm(33, { shots: 6 }).thumbnails()];
    const reused = new Uint8Array(64 * 36 * 3);
    const detector = new SignalDetector();
    for (const frame of frames) {
      reused.set(frame.rgb);
      detector.push({ ...frame, rgb: reused });
      reused.fill(7);
    }
    detector.finish(1000);
    expect(detector.takeEvents()).toEqual(run(frames, 1000).events);
  });

  it('survive equal times, a burst longer than the history and a gap of an hour', () => {
    const one = pixels(stillScene(11));
    const two = pixels(stillScene(12));
    const burst = Array.from({ length: HISTORY_FRAMES + 200 }, (_, frame) => frame * 1e-5);
    const times = [0, 0, ...burst.map((time) => 1 + time), 3601, 3601.04];
    const watched = watch(times, (frame) => noisy(frame < 600 ? one : two, frame, 1));
    expect(kinds(watched)).toEqual(['cut']);
  });

  it('refuse a thumbnail of another size and a time that falls, and go on', () => {
    const detector = new SignalDetector();
    detector.push(thumbnail(0, 1));
    expect(() => detector.push(thumbnail(1, 2, new Uint8Array(12)))).toThrow(/12 bytes/);
    expect(() => detector.push(thumbnail(1, 0.5))).toThrow(/not behind/);
    expect(() => detector.push(thumbnail(1, Number.NaN))).toThrow(/not behind/);
    expect(detector.push(thumbnail(1, 2))).toEqual({ activity: 0, novelty: 0, blindness: 0 });
    detector.finish(3);
    expect(() => detector.push(thumbnail(2, 4))).toThrow(/finish/);
  });

  it('of a strobe of whole seconds hold no storm of cuts', () => {
    const room = pixels(stillScene(11));
    const watched = watch(constantRate(300, 30), (frame) => noisy(frame % 4 < 2 ? room : plain(0), frame, 1));
    expect(watched.events.filter((event) => event.kind === 'cut').length).toBeLessThanOrEqual(1);
  });
});

describe('on drawn films that no threshold was chosen on', () => {
  const scores = scoreShots(HELD_OUT_SEEDS.slice(0, 2), 80);

  it('cuts are found at their exact frame in at least 98 of 100 cases', () => {
    expect(recall(scores.kinds.cut)).toBeGreaterThanOrEqual(0.98);
    expect(precision(scores.kinds.cut)).toBeGreaterThanOrEqual(0.96);
  });

  it('transitions of all kinds reach an F1 of at least 0.94', () => {
    expect(f1(pooled(scores.kinds))).toBeGreaterThanOrEqual(0.94);
  });

  it('flashes, still pictures and black screens reach an F1 of at least 0.95 each', () => {
    for (const score of Object.values(scores.others)) expect(f1(score)).toBeGreaterThanOrEqual(0.95);
  });
});

/** Everything that came out, and what came out although it ended (or, a boundary, lay) before a settled time that was seen earlier. */
function run(frames: readonly Thumbnail[], end: number) {
  const detector = new SignalDetector();
  const events: MediaEvent[] = [];
  const late: unknown[] = [];
  let settled = Number.NEGATIVE_INFINITY;
  const drain = () => {
    for (const event of detector.takeEvents()) {
      if (event.end < settled) late.push(event);
      events.push(event);
    }
    for (const boundary of detector.takeBoundaries()) if (boundary.time < settled) late.push(boundary);
    if (detector.settled < settled) late.push(`settled fell to ${detector.settled}`);
    settled = detector.settled;
  };
  for (const frame of frames) {
    detector.push(frame);
    drain();
  }
  detector.finish(end);
  drain();
  return { events, late };
}
