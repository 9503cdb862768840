/** Short constructed films for the signal tests: pictures with a known story, on any clock. */

import { seededRandom } from '../../../fixtures/film/random.js';
import { drawPalette, drawScene, renderScene, type Scene } from '../../../fixtures/film/scene.js';
import type { FrameChange, ShotBoundary } from '../../../ingest/signals/detection.js';
import { SignalDetector } from '../../../ingest/signals/detector.js';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from '../../../ingest/video/decoder.js';
import type { EventKind, MediaEvent } from '../../../src/event.js';
import type { Seconds } from '../../../src/time.js';

/** RGB as numbers 0..255, before rounding. */
export type Pixels = Float32Array;

/** Frame times of a constant rate `num/den`, the last one being the end of the film: `count + 1` numbers. */
export function constantRate(count: number, num: number, den = 1): Seconds[] {
  return Array.from({ length: count + 1 }, (_, index) => (index * den) / num);
}

/** Frame distances that change from frame to frame: 1, 2 or 3 sixtieths of a second. */
export function variableRate(count: number): Seconds[] {
  const steps = [1, 2, 1, 3, 2, 2, 1];
  let ticks = 0;
  return Array.from({ length: count + 1 }, (_, index) => {
    const time = ticks / 60;
    ticks += steps[index % steps.length] ?? 1;
    return time;
  });
}

/** A textured still scene; different seeds show different things. */
export function stillScene(seed: number): Scene {
  const random = seededRandom(seed);
  return { ...drawScene(random, drawPalette(random), 0), driftX: 0, driftY: 0, zoom: 0 };
}

export function pixels(scene: Scene, shiftX = 0, seconds = 0): Pixels {
  const target = new Float32Array(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT * 3);
  renderScene(target, THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT, scene, seconds, { x: shiftX, y: 0 });
  return target;
}

export function plain(red: number, green = red, blue = red): Pixels {
  const target = new Float32Array(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT * 3);
  for (let at = 0; at < target.length; at += 3) target.set([red, green, blue], at);
  return target;
}

export function mix(a: Pixels, b: Pixels, share: number): Pixels {
  return a.map((value, at) => value * (1 - share) + (b[at] ?? 0) * share);
}

export function brighter(a: Pixels, by: number): Pixels {
  return a.map((value) => value + by);
}

/** Camera noise of this standard deviation, different in every frame and the same in every run. */
export function noisy(a: Pixels, frame: number, deviation: number): Pixels {
  const random = seededRandom(frame + 1);
  return a.map((value) => value + deviation * 2.45 * (random.next() + random.next() - 1));
}

/** A block of 4 × 2 pixels, a digit of a clock, whose look depends on `value`; placed in a dark box that is always there. */
export function withDigit(a: Pixels, value: number, left = 52, top = 3): Pixels {
  const random = seededRandom(value + 77);
  const target = a.slice();
  for (let y = top - 1; y < top + 3; y++) {
    for (let x = left - 2; x < left + 6; x++) {
      const isDigit = y >= top && y < top + 2 && x >= left && x < left + 4;
      const light = isDigit ? random.whole(40, 220) : 30;
      target.fill(light, (y * THUMBNAIL_WIDTH + x) * 3, (y * THUMBNAIL_WIDTH + x) * 3 + 3);
    }
  }
  return target;
}

export interface Watched {
  readonly events: readonly MediaEvent[];
  readonly boundaries: readonly ShotBoundary[];
  readonly changes: readonly FrameChange[];
}

/** Runs the detector over `times.length - 1` frames; the last time is the end of the film. */
export function watch(times: readonly Seconds[], draw: (frame: number, time: Seconds) => Pixels): Watched {
  const detector = new SignalDetector();
  const changes = times.slice(0, -1).map((time, index) => {
    const rgb = Uint8Array.from(draw(index, time), (value) => Math.min(255, Math.max(0, Math.round(value))));
    return detector.push({
      kind: 'thumbnail',
      index,
      pts: index,
      time,
      width: THUMBNAIL_WIDTH,
      height: THUMBNAIL_HEIGHT,
      rgb,
    });
  });
  detector.finish(times.at(-1) ?? 0);
  return { events: detector.takeEvents(), boundaries: detector.takeBoundaries(), changes };
}

export function kinds(watched: Watched): EventKind[] {
  return [...watched.events].sort((a, b) => a.start - b.start).map((event) => event.kind);
}

export function only(watched: Watched, kind: EventKind): MediaEvent {
  const found = watched.events.filter((event) => event.kind === kind);
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} events of kind ${kind} instead of one.`);
  return found[0];
}
