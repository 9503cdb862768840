import { delimiter } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BUNNY_TRUTH } from '../../../fixtures/film/bunny-truth.js';
import { FILM } from '../../../fixtures/real/clips.js';
import { WindowPlanner } from '../../../ingest/plan/planner.js';
import type { PlannedWindow } from '../../../ingest/plan/window.js';
import { SignalDetector } from '../../../ingest/signals/detector.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import type { MediaEvent } from '../../../src/event.js';
import { temporalIoU } from '../../../src/time.js';

/** The whole way from the file: the machine's own ffmpeg when there is one, else the WebAssembly build. */
describe('Big Buck Bunny, read from its file', () => {
  const events: MediaEvent[] = [];
  const windows: PlannedWindow[] = [];
  const ptsAt = new Map<number, number>();

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
      const activity = signals.push(value);
      windows.push(...planner.push(value, activity, signals.takeBoundaries(), signals.settled));
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

  it('becomes two windows that meet at a cut', () => {
    expect(windows.map(({ start, end }) => [start, end])).toEqual([
      [0, 15.75],
      [15.75, 30],
    ]);
  });
});
