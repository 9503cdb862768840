import { delimiter } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BUNNY_TRUTH } from '../../../fixtures/film/bunny-truth.js';
import { FILM } from '../../../fixtures/real/clips.js';
import { WindowPlanner } from '../../../ingest/plan/planner.js';
import type { PlannedWindow } from '../../../ingest/plan/window.js';
import { SignalDetector } from '../../../ingest/signals/detector.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import type { Thumbnail } from '../../../ingest/video/frame.js';
import type { MediaEvent } from '../../../src/event.js';
import { temporalIoU } from '../../../src/time.js';

/** The whole way from the file: the machine's own ffmpeg when there is one, else the WebAssembly build. */
describe('Big Buck Bunny, read from its file', () => {
  const events: MediaEvent[] = [];
  const windows: PlannedWindow[] = [];
  const ptsAt = new Map<number, number>();
  const thumbnails: Thumbnail[] = [];

  beforeAll(async () => {
    const decoder = await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(delimiter) });
    const signals = new SignalDetector();
    const planner = new WindowPlanner();
    const frames = decoder.decode(FILM, await decoder.probe(FILM), {});
    for (;;) {
      const { done, value } = await frames.next();
      if (done) {
        signals.finish(value.duration);
        windows.push(...planner.finish(value.duration, signals.takeBoundaries()));
        break;
      }
      if (value.kind !== 'thumbnail') continue;
      ptsAt.set(value.time, value.pts);
      thumbnails.push(value);
      const change = signals.push(value);
      windows.push(...planner.push(value, change, signals.takeBoundaries(), signals.settled));
    }
    events.push(...signals.takeEvents());
  });

  const ofKind = (kind: MediaEvent['kind']) => events.filter((event) => event.kind === kind);

  it('has the three cuts that a person sees, each at its frame, and no other', () => {
    expect(ofKind('cut').map((event) => ptsAt.get(event.start))).toEqual(BUNNY_TRUTH.cuts.map((cut) => cut.pts));
    expect(ofKind('cut').map((event) => event.start)).toEqual(BUNNY_TRUTH.cuts.map((cut) => cut.time));
  });

  it('fades in from black at its beginning', () => {
    const [fade, ...others] = ofKind('fade');
    expect(others).toEqual([]);
    expect(fade?.text).toBe('fade from black');
    expect(temporalIoU(fade as MediaEvent, BUNNY_TRUTH.fadeFromBlack)).toBeGreaterThan(0.8);
    expect(ofKind('black').map((event) => event.start)).toEqual([0]);
  });

  it('has no dissolve where a title comes or the camera rises, no flash and no still picture', () => {
    expect([...ofKind('dissolve'), ...ofKind('flash'), ...ofKind('freeze')]).toEqual(BUNNY_TRUTH.dissolves);
  });

  it('shown twice has each of its four shots again', () => {
    const detector = new SignalDetector();
    for (const frame of thumbnails) detector.push(frame);
    for (const frame of thumbnails) detector.push({ ...frame, time: 30 + frame.time });
    detector.finish(60);
    const [first, ...others] = detector.takeEvents().filter((event) => event.kind === 'repeat');
    const [hills, brook, branch] = BUNNY_TRUTH.cuts.map((cut) => 30 + cut.time) as [number, number, number];
    expect(others).toMatchObject([
      { start: hills, end: brook, text: 'the same shot again as at 0:00:11.875' },
      { start: brook, end: branch, text: 'the same shot again as at 0:00:15.750' },
      { start: branch, end: 60, text: 'the same shot again as at 0:00:23.042' },
    ]);
    // The first is seen purely only when it has faded in, and its precision is the length of the fade.
    expect(first?.end).toBe(hills);
    expect(Math.abs((first as MediaEvent).start - 30 - BUNNY_TRUTH.fadeFromBlack.end)).toBeLessThan(0.1);
    expect(first?.precision).toBeCloseTo(1.71, 1);
  });

  it('becomes two windows that meet at a cut', () => {
    expect(windows.map(({ start, end }) => [start, end])).toEqual([
      [0, 15.75],
      [15.75, 30],
    ]);
  });
});
