/** Candidate pictures that wait until their window is planned. It holds the pictures of one window and of the planner's look-ahead, no more. */

import type { PlannedWindow } from '../ingest/plan/window.js';
import type { Picture } from '../ingest/video/frame.js';
import { LongwatchError } from './errors.js';

export class PictureRing {
  #pictures: Picture[] = [];

  add(picture: Picture): void {
    this.#pictures.push(picture);
  }

  /** Whether the last planned picture of a window has come, and with it all earlier ones. */
  holds(window: PlannedWindow): boolean {
    const last = window.frames.at(-1);
    return last === undefined || this.#pictures.some((picture) => picture.pts === last.pts);
  }

  /** The planned pictures of a window, in order; forgets them and everything before the window's end. */
  take(window: PlannedWindow): Picture[] {
    const byPts = new Map(this.#pictures.map((picture) => [picture.pts, picture]));
    const taken = window.frames.map((frame) => {
      const picture = byPts.get(frame.pts);
      if (!picture)
        throw new LongwatchError('internal', `The frame at ${frame.time} s was planned and is not at hand.`);
      return picture;
    });
    this.#pictures = this.#pictures.filter((picture) => picture.time >= window.end);
    return taken;
  }
}
