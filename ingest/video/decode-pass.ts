/** One decode in progress: gives the frames their places in the video, and sums up at the end. */

import { formatTime, type Seconds, timestampToSeconds } from '../../src/time.js';
import {
  type DecodeRequest,
  type DecodeSummary,
  THUMBNAIL_HEIGHT,
  THUMBNAIL_WIDTH,
  type VideoProbe,
} from './decoder.js';
import type { EngineLog } from './engine.js';
import { firstComplaint } from './ffmpeg-errors.js';
import type { FrameTime, Picture, Thumbnail } from './frame.js';
import { type ClockFaults, FrameClock } from './frame-clock.js';
import type { StampedFrame } from './stamped-frames.js';
import { Timeline } from './timeline.js';

/** A picture lags its thumbnail by far fewer frames than are remembered here. */
const REMEMBERED_FRAMES = 4096;
/** A claimed duration may differ from the decoded one by this much, this share, or three frames before it is worth a warning. */
const DURATION_TOLERANCE: Seconds = 0.5;
const DURATION_TOLERANCE_SHARE = 0.005;

export class DecodePass {
  /** Pictures whose thumbnail has not come yet. */
  readonly #waitingPictures: StampedFrame[] = [];
  /** Delivered thumbnails that a picture may still belong to, with the timestamp as ffmpeg printed it. */
  readonly #delivered: { printed: number | undefined; frame: FrameTime }[] = [];

  readonly #clock: FrameClock;
  readonly #timeline: Timeline;
  #frameCount = 0;

  constructor(
    readonly probe: VideoProbe,
    readonly request: DecodeRequest,
  ) {
    const { timeBase, nominalFps } = probe.video;
    this.#clock = new FrameClock(timeBase, nominalFps);
    this.#timeline = new Timeline(timeBase);
  }

  get frameCount(): number {
    return this.#frameCount;
  }

  /** The next thumbnail or the next picture → what has its place in the video now, a thumbnail before its picture. */
  *take(frame: StampedFrame): Generator<Thumbnail | Picture, void> {
    if (frame.kind === 'picture') {
      this.#waitingPictures.push(frame);
    } else {
      const { printed, rgb } = frame;
      yield { kind: 'thumbnail', ...this.#clockNext(printed), width: THUMBNAIL_WIDTH, height: THUMBNAIL_HEIGHT, rgb };
    }
    yield* this.#readyPictures();
  }

  *#readyPictures(): Generator<Picture, void> {
    const size = this.request.pictures;
    for (let picture = this.#waitingPictures[0]; size && picture; picture = this.#waitingPictures[0]) {
      const { printed, rgb } = picture;
      const position = this.#delivered.findIndex((entry) => entry.printed === printed);
      const entry = this.#delivered[position];
      if (!entry) return;
      this.#delivered.splice(0, position + 1);
      this.#waitingPictures.shift();
      yield { kind: 'picture', ...entry.frame, width: size.width, height: size.height, rgb };
    }
  }

  /** Call after at least one frame. */
  summary(exitCode: number | undefined, log: EngineLog): DecodeSummary {
    const { video, claimedDuration } = this.probe;
    const damaged = log.lineCount > 0 || exitCode !== 0;
    const measured = this.#timeline.measure({
      damaged,
      nominalFps: video.nominalFps,
      claimedDuration,
    });
    const claims = durationWarnings(measured, claimedDuration);
    const losses = [
      ...fewFramesWarnings(this.#frameCount, video.claimedFrames),
      ...damageWarnings(exitCode, log),
      ...gapWarnings(measured.coverage),
    ];
    const endsEarly = claims.length > 0 && measured.duration < (claimedDuration ?? 0);
    return {
      frameCount: this.#frameCount,
      firstFrameTime: timestampToSeconds({ pts: this.#clock.first ?? 0, timeBase: video.timeBase }),
      ...measured,
      complete: losses.length === 0 && !endsEarly,
      warnings: [...claims, ...losses, ...clockWarnings(this.#clock.faults)],
    };
  }

  #clockNext(printed: number | undefined): FrameTime {
    const { ticks, ...frame } = this.#clock.next(printed);
    this.#timeline.add(ticks);
    this.#frameCount++;
    if (this.request.pictures) {
      this.#delivered.push({ printed, frame });
      if (this.#delivered.length > REMEMBERED_FRAMES) this.#delivered.shift();
    }
    return frame;
  }
}

function durationWarnings(
  { duration, fps }: Pick<DecodeSummary, 'duration' | 'fps'>,
  claimed: Seconds | undefined,
): string[] {
  if (claimed === undefined) return [];
  const frames = fps.min > 0 ? 3 / fps.min : 0;
  const tolerance = Math.max(DURATION_TOLERANCE, DURATION_TOLERANCE_SHARE * claimed, frames);
  if (duration < claimed - tolerance) {
    return [
      `The video ends early: ${formatTime(duration)} could be decoded, the container claims ${formatTime(claimed)}.`,
    ];
  }
  if (duration > claimed + tolerance) {
    return [`The video is longer than the container claims: ${formatTime(duration)}, not ${formatTime(claimed)}.`];
  }
  return [];
}

/**
 * At most this share of the stored frames: an edit list hides those of one group of frames at most, which is less, so that times are what is
 * broken. ffmpeg drops frames whose times overflow without a word.
 */
const FEW_FRAMES_SHARE = 0.05;

function fewFramesWarnings(frames: number, claimed: number | undefined): string[] {
  if (claimed === undefined || frames > FEW_FRAMES_SHARE * claimed) return [];
  return [`Only ${count(frames, 'frame')} could be decoded of the ${claimed} that the container counts.`];
}

function damageWarnings(exitCode: number | undefined, log: EngineLog): string[] {
  const warnings: string[] = [];
  if (exitCode !== 0)
    warnings.push(`The decoder stopped before the end (${exitCode === undefined ? 'crashed' : `status ${exitCode}`}).`);
  const first = firstComplaint(log);
  if (first !== undefined) warnings.push(`The decoder complained ${count(log.lineCount, 'time')}, first: ${first}.`);
  return warnings;
}

/** Gaps that are told one by one; the rest is in `coverage`. */
const NAMED_GAPS = 5;

function gapWarnings(coverage: DecodeSummary['coverage']): string[] {
  const gaps = coverage.slice(1).map((range, index) => ({ start: coverage[index]?.end ?? 0, end: range.start }));
  const named = gaps
    .slice(0, NAMED_GAPS)
    .map(({ start, end }) => `No frames from ${formatTime(start)} to ${formatTime(end)}.`);
  return gaps.length > NAMED_GAPS ? [...named, `No frames in ${gaps.length - NAMED_GAPS} more stretches.`] : named;
}

function clockWarnings({ repeated, heldBack, resets, unstamped }: ClockFaults): string[] {
  const warnings: string[] = [];
  if (resets > 0)
    warnings.push(`The timestamps start anew ${count(resets, 'time')}; time goes on there without a jump.`);
  if (heldBack > 0)
    warnings.push(`${count(heldBack, 'frame')} stepped back in time and got the time of the frame before.`);
  if (repeated > 0) warnings.push(`${count(repeated, 'frame')} repeated the timestamp of the frame before.`);
  if (unstamped > 0) warnings.push(`${count(unstamped, 'frame')} had no timestamp and got one from the frame rate.`);
  return warnings;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
