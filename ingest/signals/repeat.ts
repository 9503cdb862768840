/**
 * Shots that come again: a replay, a title sequence, the same camera after a cutaway.
 *
 * Of each shot the codes of a few of its pictures are remembered: the first, then each that no longer looks like the one before, and the last. A shot
 * comes again when its first picture looks like any of them. What is claimed is what a person would say of two views from one camera; not that no
 * frame differs. A copy that is mirrored, cropped or of other colours is another shot.
 *
 * This is the one detector that remembers the whole film: 108 bytes a picture, at most `MOST_CODES` of them, the oldest forgotten first.
 */

import { formatTime, roundToMilliseconds, type Seconds } from '../../src/time.js';
import { type Findings, type ShotBoundary, signalEvent } from './detection.js';
import type { History } from './history.js';
import { codeDistance, type PictureCode, pictureCode } from './picture-code.js';

/**
 * Codes nearer than this show the same. Measured: the same frame after strong compression or under a logo 0.00 to 0.20, slides of one template with
 * different words 0.32 and more, different shots of drawn film 0.50 and more, of real film 0.67 and more.
 */
const SAME_PICTURE = 0.22;
/** Shorter ones are flicker, and nobody would look for them. */
const SHORTEST_SHOT: Seconds = 0.5;
const SAMPLE_STEP: Seconds = 0.5;
/** Pictures of one shot, beside its last. A camera that keeps moving shows no more views than these. */
const MOST_PICTURES = 8;
/** Two pictures a shot and a cut every four seconds make nine hours. */
const MOST_CODES = 16_384;
const FORGOTTEN_AT_ONCE = 1024;

interface Edge {
  readonly time: Seconds;
  readonly stableFrom: Seconds;
  readonly precision: Seconds;
}

/** A shot that is over. `first` is the start of the earliest shot that it looks like, its own where there is none. */
interface KnownShot {
  readonly start: Seconds;
  readonly first: Seconds;
}

interface OpenShot {
  readonly start: Seconds;
  readonly precision: Seconds;
  readonly pictures: PictureCode[];
  nextSample: Seconds;
}

export class RepeatDetector {
  readonly #history: History;
  readonly #findings: Findings;
  readonly #edges: Edge[] = [];
  #known: { readonly code: PictureCode; readonly shot: KnownShot }[] = [];
  #open: OpenShot | undefined;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
  }

  /** Takes what another detector found. Its frame is still in the history. */
  boundary({ time, stableFrom }: ShotBoundary): void {
    const step = this.#history.stepBefore(this.#history.frameAt(time));
    this.#edges.push({ time, stableFrom, precision: Math.max(step, stableFrom - time) });
    this.#edges.sort((a, b) => a.time - b.time);
  }

  /** No boundary before `settled` is still to come. Afterwards every repeated shot that ends before it has been reported. */
  advance(settled: Seconds): void {
    const history = this.#history;
    this.#open ??= open(history.time(history.oldest), 0);
    for (let edge = this.#edges[0]; edge && edge.time < settled; edge = this.#edges[0]) {
      this.#edges.shift();
      // A gradual transition is as long before its middle as behind it.
      const pureEnd = 2 * edge.time - edge.stableFrom;
      this.#sample(this.#open, pureEnd);
      if (edge.time > this.#open.start) this.#close(this.#open, edge.time, pureEnd, edge.precision);
      this.#open = open(Math.max(this.#open.start, edge.stableFrom), edge.precision);
    }
    this.#sample(this.#open, settled);
  }

  /** No frame follows; the last one ends at `end`. */
  finish(end: Seconds): void {
    this.advance(Number.POSITIVE_INFINITY);
    if (this.#open) this.#close(this.#open, end, end, 0);
  }

  #sample(shot: OpenShot, until: Seconds): void {
    const history = this.#history;
    while (shot.nextSample < until) {
      const frame = history.frameFrom(shot.nextSample);
      const time = history.time(frame);
      if (time < shot.nextSample || time >= until) return;
      if (shot.pictures.length < MOST_PICTURES) this.#keep(shot, frame);
      shot.nextSample = time + SAMPLE_STEP;
    }
  }

  #keep(shot: OpenShot, frame: number): void {
    const code = pictureCode(this.#history.coarse(frame));
    const last = shot.pictures.at(-1);
    if (code && (!last || codeDistance(code, last, SAME_PICTURE) >= SAME_PICTURE)) shot.pictures.push(code);
  }

  #close(shot: OpenShot, end: Seconds, pureEnd: Seconds, precision: Seconds): void {
    const history = this.#history;
    if (end - shot.start < SHORTEST_SHOT) return;
    const at = history.frameAt(pureEnd);
    const last = history.time(at) < pureEnd ? at : at - 1;
    if (last >= history.oldest && history.time(last) >= shot.start) this.#keep(shot, last);
    const earlier = this.#find(shot.pictures[0]);
    const known = { start: shot.start, first: earlier?.shot.first ?? shot.start };
    for (const code of shot.pictures) this.#known.push({ code, shot: known });
    if (this.#known.length > MOST_CODES) this.#known = this.#known.slice(FORGOTTEN_AT_ONCE);
    if (!earlier) return;
    this.#findings.event(
      signalEvent(
        'repeat',
        { start: shot.start, end },
        Math.max(shot.precision, precision),
        `the same shot again as at ${formatTime(known.first)}`,
        {
          first_s: roundToMilliseconds(known.first),
          earlier_s: roundToMilliseconds(earlier.shot.start),
          distance: earlier.distance,
        },
      ),
    );
  }

  /** The shot with the picture that is most like this one, the earliest of equals, if it is like enough. */
  #find(code: PictureCode | undefined): { readonly shot: KnownShot; readonly distance: number } | undefined {
    let best: { readonly shot: KnownShot; readonly distance: number } | undefined;
    if (!code) return undefined;
    for (const known of this.#known) {
      const distance = codeDistance(code, known.code, best?.distance ?? SAME_PICTURE);
      if (distance < (best?.distance ?? SAME_PICTURE)) best = { shot: known.shot, distance };
    }
    return best;
  }
}

function open(start: Seconds, precision: Seconds): OpenShot {
  return { start, precision, pictures: [], nextSample: start };
}
