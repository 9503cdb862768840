import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../fixtures/film/random.js';
import { drawVisitors, stillFilm } from '../../../fixtures/film/visitors.js';
import {
  CANDIDATE_INTERVAL,
  LONGEST_WINDOW,
  type PlannerOptions,
  SHORTEST_WINDOW,
  WindowPlanner,
} from '../../../ingest/plan/planner.js';
import type { PlannedWindow } from '../../../ingest/plan/window.js';
import { type FrameChange, NO_CHANGE, type ShotBoundary } from '../../../ingest/signals/detection.js';
import { planOf, seen } from '../../eval/plan.js';

interface Film {
  readonly times: readonly number[];
  readonly end: number;
  readonly activity: (index: number) => number;
  /** @default none */
  readonly novelty?: (index: number) => number;
  /** @default none */
  readonly blindness?: (index: number) => number;
  /** Times of frames at which a shot begins. */
  readonly cuts?: readonly number[];
}

/** How far behind the newest frame the signals of these tests are settled. */
const SIGNAL_LAG = 5;
const ROUNDING = 1e-9;

function cut(time: number): ShotBoundary {
  return { time, stableFrom: time, kind: 'cut' };
}

function changeOf({ activity, novelty, blindness }: Film, index: number): FrameChange {
  return { activity: activity(index), novelty: novelty?.(index) ?? 0, blindness: blindness?.(index) ?? 0 };
}

/** Plays a film to the planner as the pipeline does; boundaries come as late as they may. */
function plan(film: Film, options: PlannerOptions = {}, lag = SIGNAL_LAG) {
  const planner = new WindowPlanner(options);
  const windows: PlannedWindow[] = [];
  let waiting = (film.cuts ?? []).map(cut);
  let remembered = 0;
  film.times.forEach((time, index) => {
    const settled = time - lag;
    const due = waiting.filter((boundary) => boundary.time <= settled);
    waiting = waiting.filter((boundary) => boundary.time > settled);
    windows.push(...planner.push({ index, pts: index, time }, changeOf(film, index), due, settled));
    remembered = Math.max(remembered, planner.remembered);
  });
  windows.push(...planner.finish(film.end, waiting));
  return { windows, remembered };
}

function steady(fps: number, seconds: number, activity: (time: number) => number = () => 1): Film {
  const times = Array.from({ length: Math.round(fps * seconds) }, (_, index) => index / fps);
  return { times, end: seconds, activity: (index) => (activity(index / fps) * 25) / fps };
}

function timesOf(windows: readonly PlannedWindow[]): number[] {
  return windows.flatMap(({ frames }) => frames.map(({ time }) => time));
}

/** The decoder's rule: which frames come as pictures. */
function pictures(times: readonly number[]): Set<number> {
  const chosen = new Set<number>();
  let last = Number.NEGATIVE_INFINITY;
  for (const time of times) {
    if (time - last < CANDIDATE_INTERVAL - ROUNDING) continue;
    chosen.add(time);
    last = time;
  }
  return chosen;
}

/** Films with any frame distances, from bursts of equal times to gaps of a minute, any activity and any cuts. */
const anyFilm = fc
  .record({
    steps: fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(1 / 60, 1 / 25, 1001 / 24_000, 0.1, 0.5) },
        { weight: 2, arbitrary: fc.constantFrom(0, 1, 3) },
        { weight: 1, arbitrary: fc.constantFrom(7, 10, 31, 60) },
      ),
      { maxLength: 60 },
    ),
    repeat: fc.integer({ min: 1, max: 12 }),
    loudness: fc.array(fc.constantFrom(0, 0.1, 2, 30, 255), { minLength: 1, maxLength: 9 }),
    cutEvery: fc.integer({ min: 2, max: 200 }),
    last: fc.constantFrom(0, 0.04, 10),
  })
  .map(({ steps, repeat, loudness, cutEvery, last }): Film => {
    const times = [0];
    for (let round = 0; round < repeat; round++) for (const step of steps) times.push((times.at(-1) ?? 0) + step);
    return {
      times,
      end: (times.at(-1) ?? 0) + last,
      activity: (index) => loudness[index % loudness.length] ?? 0,
      cuts: [...new Set(times.filter((_, index) => index > 0 && index % cutEvery === 0))].filter((time) => time > 0),
    };
  });

describe('windows of any film', () => {
  it('tile the time from 0 to the end of the last frame, in order', () => {
    fc.assert(
      fc.property(anyFilm, (film) => {
        const { windows } = plan(film);
        expect(windows[0]?.start).toBe(0);
        windows.forEach((window, index) => {
          expect(window.index).toBe(index);
          expect(window.end).toBeGreaterThan(window.start);
          if (index > 0) expect(window.start).toBe(windows[index - 1]?.end);
        });
        const last = film.times.at(-1) ?? 0;
        expect(windows.at(-1)?.end).toBe(film.end > last ? film.end : last + 0.001);
      }),
      { numRuns: 300 },
    );
  });

  it('hold an even number of frames in presentation order, all real pictures inside the window and inside the budget', () => {
    fc.assert(
      fc.property(anyFilm, fc.integer({ min: 1, max: 20 }), (film, pairs) => {
        const available = pictures(film.times);
        for (const window of plan(film, { tokenBudget: pairs * 100 + 50, tokensPerPair: 100 }).windows) {
          const { frames } = window;
          expect(frames.length).toBeGreaterThanOrEqual(2);
          expect(frames.length % 2).toBe(0);
          expect(frames.length).toBeLessThanOrEqual(2 * pairs);
          frames.forEach((frame, index) => {
            expect(frame.time).toBeGreaterThanOrEqual(window.start);
            expect(frame.time).toBeLessThan(window.end);
            expect(available.has(frame.time)).toBe(true);
            expect(film.times[frame.pts]).toBe(frame.time);
            const previous = frames[index - 1];
            if (previous && frames.length > 2) {
              expect(frame.time - previous.time).toBeGreaterThanOrEqual(CANDIDATE_INTERVAL - ROUNDING);
            }
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are at most 30 s long unless no picture lies where they could be split', () => {
    fc.assert(
      fc.property(anyFilm, (film) => {
        const available = [...pictures(film.times)];
        for (const { start, end } of plan(film).windows) {
          if (end - start <= LONGEST_WINDOW) continue;
          const inside = available.filter((time) => time >= start && time < end);
          expect(inside.slice(1).filter((time) => time <= start + LONGEST_WINDOW)).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are the same however late the signals settle', () => {
    fc.assert(
      fc.property(anyFilm, fc.constantFrom(0, 2, 20), (film, lag) => {
        expect(plan(film, {}, lag).windows).toEqual(plan(film).windows);
      }),
      { numRuns: 150 },
    );
  });
});

describe('windows of an ordinary film', () => {
  it('are 8 to 30 s long', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(10, 24_000 / 1001, 25, 60),
        fc.integer({ min: 8, max: 200 }),
        fc.array(fc.integer({ min: 1, max: 199 })),
        (fps, seconds, cuts) => {
          const film = steady(fps, seconds);
          const wanted = cuts.map((time) => film.times[Math.round(time * fps)]).filter((time) => time !== undefined);
          for (const { start, end } of plan({ ...film, cuts: [...new Set(wanted)].sort((a, b) => a - b) }).windows) {
            expect(end - start).toBeGreaterThanOrEqual(SHORTEST_WINDOW - ROUNDING);
            expect(end - start).toBeLessThanOrEqual(LONGEST_WINDOW + ROUNDING);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('end at cuts where there are some in reach, the one nearest to 16 s', () => {
    const { windows } = plan({ ...steady(25, 60), cuts: [3, 9, 14, 19, 28, 47] });
    expect(windows.map(({ start, end }) => [start, end])).toEqual([
      [0, 14],
      [14, 28],
      [28, 47],
      [47, 60],
    ]);
  });

  it('split a long shot where it is calm', () => {
    const calmAt = 19;
    const { windows } = plan(steady(25, 34, (time) => (Math.abs(time - calmAt) < 1 ? 0 : 8)));
    expect(windows).toHaveLength(2);
    expect(Math.abs((windows[0]?.end ?? 0) - calmAt)).toBeLessThanOrEqual(0.5);
  });

  it('leave no scrap before a cut that comes shortly after 30 s', () => {
    const { windows } = plan({ ...steady(25, 80, (time) => (time < 29 ? 8 : 0)), cuts: [32] });
    expect(windows.map((window) => window.end)).toContain(32);
    for (const { start, end } of windows) expect(end - start).toBeGreaterThanOrEqual(SHORTEST_WINDOW);
  });

  it('say how much changes per second', () => {
    const { windows } = plan(steady(25, 20, () => 2));
    expect(windows.length).toBeGreaterThan(0);
    for (const window of windows) expect(window.activity).toBeCloseTo(50, 6);
  });
});

describe('frames', () => {
  it('are two where nothing changes', () => {
    for (const window of plan(steady(25, 60, () => 0)).windows) expect(window.frames).toHaveLength(2);
  });

  it('are more where more happens', () => {
    const { windows } = plan({ ...steady(25, 48, (time) => (time < 16 ? 0.2 : time < 32 ? 1 : 6)), cuts: [16, 32] });
    const counts = windows.map((window) => window.frames.length);
    expect(counts).toHaveLength(3);
    expect(counts[0]).toBeLessThan(counts[1] as number);
    expect(counts[1]).toBeLessThan(counts[2] as number);
  });

  it('gather where the change is', () => {
    const [window] = plan(steady(25, 16, (time) => (time >= 10 && time < 12 ? 10 : 0.1))).windows;
    const inside = window?.frames.filter(({ time }) => time >= 10 && time < 12) ?? [];
    expect(inside.length / (window?.frames.length ?? 1)).toBeGreaterThan(0.25);
  });

  it('show every shot of a window: its first picture and one from its middle', () => {
    const [window] = plan({ ...steady(25, 16, () => 1), cuts: [5, 11.2] }).windows;
    const times = window?.frames.map((frame) => frame.time) ?? [];
    // Pictures lie on 0.28 s steps: at 25 frames per second the seventh frame is the first that is 0.25 s later.
    for (const [from, to] of [
      [0, 0.01],
      [5, 5.28],
      [11.2, 11.48],
      [2.36, 2.64],
      [7.96, 8.24],
      [13.46, 13.74],
    ] as const) {
      expect(times.some((time) => time >= from && time < to)).toBe(true);
    }
  });

  it('behind a dissolve begin where the new shot is pure', () => {
    const planner = new WindowPlanner();
    const boundary: ShotBoundary = { time: 5, stableFrom: 6, kind: 'dissolve' };
    steady(4, 16).times.forEach((time, index) => {
      planner.push(
        { index, pts: index, time },
        { ...NO_CHANGE, activity: 1 },
        index === 0 ? [boundary] : [],
        time - SIGNAL_LAG,
      );
    });
    const times = planner.finish(16).flatMap((window) => window.frames.map((frame) => frame.time));
    expect(times).toContain(6);
  });

  it('leave no gap above 3 s where something changes and the budget lasts', () => {
    for (const { start, end, frames } of plan(steady(25, 120, () => 0.5)).windows) {
      const edges = [start, ...frames.map((frame) => frame.time), end];
      edges.slice(1).forEach((time, index) => {
        expect(time - (edges[index] ?? 0)).toBeLessThanOrEqual(3);
      });
    }
  });

  it('keep to the smallest budget: two, whatever happens', () => {
    const film = { ...steady(25, 60, () => 9), cuts: [2, 4, 6, 9, 13] };
    for (const window of plan(film, { tokenBudget: 1, tokensPerPair: 4000 }).windows)
      expect(window.frames).toHaveLength(2);
  });

  it('are the only one twice where a window has just one', () => {
    expect(plan({ times: [0], end: 0.04, activity: () => 0 }).windows).toEqual([
      {
        index: 0,
        start: 0,
        end: 0.04,
        activity: 0,
        frames: [
          { pts: 0, time: 0 },
          { pts: 0, time: 0 },
        ],
      },
    ]);
  });
});

describe('the planner', () => {
  it('has no windows for a film without frames', () => {
    expect(new WindowPlanner().finish(10)).toEqual([]);
  });

  it('remembers at most 0.9 thousand pieces and boundaries, whatever the frame rate and the length', () => {
    for (const [fps, seconds] of [
      [25, 1200],
      [240, 200],
      [1000, 60],
    ] as const) {
      expect(plan({ ...steady(fps, seconds), cuts: [] }).remembered).toBeLessThan(900);
    }
  });

  it('gives a window as soon as 38 s behind its start are settled', () => {
    const planner = new WindowPlanner();
    let first: number | undefined;
    steady(25, 60).times.forEach((time, index) => {
      if (planner.push({ index, pts: index, time }, { ...NO_CHANGE, activity: 1 }, [], time - 2).length > 0)
        first ??= time;
    });
    expect(first).toBeCloseTo(40, 6);
  });

  it('refuses a budget that is no positive number', () => {
    for (const options of [{ tokenBudget: 0 }, { tokensPerPair: -1 }, { tokenBudget: Number.NaN }]) {
      expect(() => new WindowPlanner(options)).toThrow(/No window can be planned/);
    }
  });
});

describe('a model that knows at which rate it sees movement', () => {
  // Something small moves from 4 s to 8 s: 5 units a second, a twelfth of what counts as full activity.
  const film = steady(25, 16, (time) => (time >= 4 && time < 8 ? 0.2 : 0));
  const inside = (window: PlannedWindow | undefined) =>
    window?.frames.filter(({ time }) => time >= 4 && time < 8).length ?? 0;

  it('gets it where something moves, however small, and rests elsewhere', () => {
    const [plain] = plan(film, { tokensPerPair: 12 }).windows;
    const [dense] = plan(film, { tokensPerPair: 12, movingRate: 4 }).windows;
    // A window at rest: most of its frames for the quarter in which something moves, and no gap above 8 s.
    expect(plain?.frames).toHaveLength(6);
    expect(inside(plain)).toBe(4);
    expect(dense?.frames).toHaveLength(16);
    expect(inside(dense)).toBeGreaterThanOrEqual(9);
  });

  it('never costs more than the budget, nor anything in a still film', () => {
    const [narrow] = plan(film, { tokenBudget: 48, tokensPerPair: 12, movingRate: 4 }).windows;
    expect(narrow?.frames).toHaveLength(8);
    const [still] = plan(
      steady(25, 16, () => 0),
      { movingRate: 4 },
    ).windows;
    expect(still?.frames).toHaveLength(2);
  });
});

describe('what comes into a picture in which much moves', () => {
  const busy = steady(25, 60, () => 4);
  const arrival = (at: number) => ({ ...busy, novelty: (index: number) => (index === at ? 0.5 : 0) });

  it('has a frame at once, wherever it falls among the windows and the pictures, at two frames more at most', () => {
    const usual = timesOf(plan(busy).windows).length;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1490 }), (at) => {
        const times = timesOf(plan(arrival(at)).windows);
        // Pictures lie on 0.28 s steps.
        expect(times.filter((time) => time >= at / 25 && time < at / 25 + 0.28)).not.toEqual([]);
        expect(times.length).toBeLessThanOrEqual(usual + 2);
      }),
      { numRuns: 100 },
    );
  });

  it('has none at a cut, where everything is new and the first picture of the shot is shown anyway', () => {
    expect(plan({ ...arrival(500), cuts: [20] }).windows).toEqual(plan({ ...busy, cuts: [20] }).windows);
  });

  it('is looked for every half second where it would not stand out', () => {
    const calm = steady(25, 60, () => 0.3);
    const { windows } = plan({ ...calm, blindness: (index) => (index >= 250 && index < 350 ? 1 : 0) });
    const inside = timesOf(windows).filter((time) => time >= 10 && time < 14);
    // Every second picture, 0.56 s apart.
    expect(Math.max(...inside.slice(1).map((time, at) => time - (inside[at] as number)))).toBeLessThan(0.57);
  });

  it('stays inside the budget, blind or not', () => {
    const { windows } = plan(
      { ...busy, novelty: () => 1, blindness: () => 1 },
      { tokenBudget: 800, tokensPerPair: 100 },
    );
    for (const { frames } of windows) expect(frames).toHaveLength(16);
  });
});

describe('what comes into a still picture', () => {
  it('for half a second has a frame, wherever it falls among the windows and the pictures', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(5, 10, 12.5, 24_000 / 1001, 25, 30, 60),
        fc.double({ min: 0.1, max: 89, noNaN: true }),
        fc.constantFrom(0, 8),
        (fps, start, movingRate) => {
          const [first, gone] = [Math.ceil(start * fps), Math.ceil((start + 0.5) * fps)];
          const film = {
            ...steady(fps, 90),
            activity: (index: number) => (index === first || index === gone ? 0.5 : 0.005),
          };
          const times = timesOf(plan(film, { movingRate }).windows);
          expect(times.filter((time) => time >= first / fps && time < gone / fps)).not.toEqual([]);
          // Three or four windows of two frames, and at most two frames each for its coming and going.
          expect(times.length).toBeLessThanOrEqual(12);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('for half a second has a frame in the drawn film of a camera with noise and daylight', () => {
    const visitors = drawVisitors(
      seededRandom(11),
      300,
      Array.from({ length: 20 }, () => 0.5),
    );
    const windows = planOf(stillFilm({ seed: 12, length: 300, visitors, fps: 12.5 }), 300);
    expect(seen(visitors, timesOf(windows))).toBe(20);
  });

  it('is told from the jolts of key frames, which come evenly and cost nothing', () => {
    const jolting = steady(25, 90);
    const jolts = (index: number) => (index % 50 === 0 ? 0.3 : 0);
    for (const { frames } of plan({ ...jolting, activity: jolts }).windows) expect(frames).toHaveLength(2);
    const activity = (index: number) => (index === 1030 || index === 1043 ? 0.5 : jolts(index));
    const times = timesOf(plan({ ...jolting, activity }).windows);
    expect(times.filter((time) => time >= 1030 / 25 && time < 1043 / 25)).not.toEqual([]);
  });

  it('slowly, without any sudden change, has a frame', () => {
    // 0.6 units a second, two fifths of what is no stillness any more.
    const film = steady(25, 60, (time) => (time >= 37 && time < 39 ? 0.024 : 0));
    expect(timesOf(plan(film).windows).filter((time) => time >= 37 && time < 39)).not.toEqual([]);
  });

  it('stands in a window as long as can be: nothing is told apart by a split where nothing changes', () => {
    const lengths = plan(steady(25, 120, () => 0)).windows.map(({ start, end }) => end - start);
    // Pictures lie on 0.28 s steps; the rest of 120 s is split so that no window is under 8 s.
    for (const length of lengths.slice(0, 3)) expect(length).toBeCloseTo(107 * 0.28, 6);
    expect(lengths).toHaveLength(5);
  });
});
