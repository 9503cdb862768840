/** Coarse piece of a window: from one frame to the next one that starts a piece. */

import type { Seconds } from '../../src/time.js';
import type { FrameChange } from '../signals/detection.js';
import type { PlannedFrame } from './window.js';

/** When something happened most, and how much of it. */
interface Peak {
  time: Seconds;
  amount: number;
}

export class Piece implements PlannedFrame {
  /** Sum of the activities of its frames. */
  activity = 0;
  /** Largest of the blindness of its frames. */
  blindness = 0;
  readonly activityPeak: Peak;
  readonly noveltyPeak: Peak;

  /** @param candidate Whether its first frame will be at hand as a picture. */
  constructor(
    readonly pts: number,
    readonly time: Seconds,
    readonly candidate: boolean,
    change: FrameChange,
  ) {
    this.activityPeak = { time, amount: 0 };
    this.noveltyPeak = { time, amount: 0 };
    this.add(time, change);
  }

  /** One more frame of it. */
  add(time: Seconds, { activity, novelty, blindness }: FrameChange): void {
    this.activity += activity;
    this.blindness = Math.max(this.blindness, blindness);
    raise(this.activityPeak, time, activity);
    raise(this.noveltyPeak, time, novelty);
  }
}

function raise(peak: Peak, time: Seconds, amount: number): void {
  if (amount > peak.amount) Object.assign(peak, { time, amount });
}
