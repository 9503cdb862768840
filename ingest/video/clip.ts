/** A stretch of a video as a file of its own: the plan, and the bytes as they are made. */

import { LongwatchError } from '../../src/errors.js';
import type { Seconds, TimeRange } from '../../src/time.js';
import { BoundedBytes, LineReader, readTimeLine } from './byte-readers.js';
import {
  type ClipCut,
  type ClipPlan,
  type ClipTicks,
  COPIED_CONTAINERS,
  COPIED_VIDEO,
  clipTicks,
  type PlanOptions,
  planClip,
  readClipPackets,
} from './clip-plan.js';
import { CLIP_OUTPUT, clipCommand, packetsCommand, STILL_OUTPUT, stillCommand } from './commands.js';
import type { VideoProbe } from './decoder.js';
import type { EngineOptions, FfmpegEngine } from './engine.js';
import { mediaError } from './ffmpeg-errors.js';

/** Longest clip: its list of packets is held at once. */
export const MAX_CLIP_LENGTH: Seconds = 3600;
const MAX_PACKET_LIST_BYTES = 32 * 1024 * 1024;
/** Packets are read this far behind the end: frames that are shown before it may be stored behind it. */
const READ_AHEAD: Seconds = 2;

export interface ClipRequest {
  /** Media time. The clip begins with the frame that is on screen at the start. */
  readonly range: TimeRange;
  /** From `DecodeSummary`. */
  readonly firstFrameTime: Seconds;
  /** Of the video. */
  readonly duration: Seconds;
  /**
   * `copy` takes the stored frames, from the key frame before the start on. `encode` cuts to the frame. `auto` copies where that is as
   * exact: where a key frame is the first frame. A copied end may come some frames late, and says so. @default auto
   */
  readonly cut?: ClipCut | 'auto';
}

export interface Clip extends TimeRange {
  /** What was done. `start` and `end` are the media times that the clip really covers. */
  readonly cut: ClipCut;
  /**
   * The clip as a fragmented MP4, made while it is read; leaving the loop ends the making.
   * @throws {LongwatchError} `decode_failed`, `decode_timeout`, `cancelled`, `part_missing` (an ffmpeg without libx264)
   */
  bytes(): AsyncGenerator<Uint8Array, void>;
}

/** What the decoder lends. */
export interface ClipSource {
  readonly engine: FfmpegEngine;
  /** Real path. */
  readonly path: string;
  readonly probe: VideoProbe;
  readonly limits: EngineOptions;
  /** Where to start reading for a time on the container's clock, nearest first. */
  readonly seekPoints: (wanted: Seconds) => readonly (Seconds | undefined)[];
}

/**
 * Plans the clip; nothing is coded before its bytes are read.
 * @throws {LongwatchError} `bad_range` (empty, or behind the end of the video), `invalid_input` (longer than `MAX_CLIP_LENGTH`),
 * `unsupported_codec` (`copy` of what is not copied), `invalid_media`; otherwise as the engine
 */
export async function planFile(source: ClipSource, request: ClipRequest): Promise<Clip> {
  const { probe, path, engine, limits } = source;
  const { video } = probe;
  const { timeBase } = video;
  const range = checkedRange(request);
  const firstPts = Math.round((request.firstFrameTime * timeBase.den) / timeBase.num);
  const ticks = clipTicks(range, firstPts, timeBase, request.duration);
  const endOfVideo = firstPts + Math.round((request.duration * timeBase.den) / timeBase.num);
  const cut = request.cut ?? 'auto';
  const indexed = COPIED_CONTAINERS.includes(probe.container);
  const copyable = indexed && COPIED_VIDEO.includes(video.codec);
  if (cut === 'copy' && !copyable)
    throw new LongwatchError(
      'unsupported_codec',
      `${video.codec} in ${probe.container} is not copied into a clip as it is.`,
      { path, hint: 'Let it be coded again: cut "encode" or "auto".' },
    );
  const found = await (indexed
    ? planByPackets(source, ticks, { cut, copyable, timeBase, endOfVideo })
    : planByFrames(source, ticks, endOfVideo));
  if (!found)
    throw new LongwatchError('invalid_media', `No frame was found at ${range.start} s.`, {
      path,
      hint: 'The file may be damaged there, or may have changed since it was read.',
    });
  const { plan, seekTo } = found;
  const [audio] = probe.audio;
  const command = clipCommand(path, plan, { timeBase, video, seekTo, ...(audio ? { audio } : {}) });
  const media = (pts: number) => ((pts - firstPts) * timeBase.num) / timeBase.den;
  return {
    cut: plan.cut,
    start: media(plan.start),
    end: media(plan.end),
    async *bytes() {
      let written = 0;
      for await (const message of engine.run(command, limits)) {
        if (message.kind === 'bytes') {
          if (message.output !== CLIP_OUTPUT.mp4) continue;
          written += message.bytes.length;
          yield message.bytes;
        } else if (message.code !== 0 || written === 0) {
          if (/Unknown encoder/i.test(message.log.lines.join('\n')))
            throw new LongwatchError('part_missing', 'This ffmpeg cannot write H.264 (it has no libx264).', {
              hint: 'Set the decoder to "wasm", which can, or ask for a copy that begins at a key frame.',
            });
          throw mediaError(path, message.log, 'The clip could not be made');
        }
      }
    },
  };
}

function checkedRange({ range, duration }: ClipRequest): TimeRange {
  if (range.start >= duration)
    throw new LongwatchError('bad_range', `The video ends at ${duration} s, before the clip begins.`, {
      hint: 'Ask for an earlier stretch.',
    });
  const clipped = { start: range.start, end: Math.min(range.end, duration) };
  if (!(clipped.end > clipped.start))
    throw new LongwatchError('bad_range', `The clip ends at ${range.end} s, which is not after its start.`);
  if (clipped.end - clipped.start > MAX_CLIP_LENGTH)
    throw new LongwatchError('invalid_input', `A clip is at most ${MAX_CLIP_LENGTH} s long.`, {
      hint: 'Cut several clips.',
    });
  return clipped;
}

interface FoundPlan {
  readonly plan: ClipPlan;
  /** Where reading starts for an encode. */
  readonly seekTo: Seconds | undefined;
}

async function planByPackets(
  { engine, path, probe, limits, seekPoints }: ClipSource,
  ticks: ClipTicks,
  options: PlanOptions,
): Promise<FoundPlan | undefined> {
  const { timeBase, index } = probe.video;
  const seconds = (pts: number) => (pts * timeBase.num) / timeBase.den;
  const until = ticks.end === undefined ? undefined : seconds(ticks.end) + READ_AHEAD;
  for (const seekTo of seekPoints(seconds(ticks.start))) {
    const csv = new BoundedBytes(MAX_PACKET_LIST_BYTES);
    for await (const message of engine.run(packetsCommand(path, index, seekTo, until), limits))
      if (message.kind === 'bytes') csv.push(message.bytes);
    const text = csv.bytes()?.toString('latin1');
    if (text === undefined)
      throw new LongwatchError('invalid_input', 'The stretch has more frames than a clip can have.', {
        path,
        hint: 'Cut several shorter clips.',
      });
    const plan = planClip(readClipPackets(text), ticks, options);
    if (plan) return { plan, seekTo };
  }
  return undefined;
}

/** Elsewhere packets do not tell when they are shown, so the frames at both ends are decoded. Such clips are always coded again. */
async function planByFrames(source: ClipSource, ticks: ClipTicks, endOfVideo: number): Promise<FoundPlan | undefined> {
  const first = await frameAt(source, ticks.start);
  if (!first) return undefined;
  // Behind the end of the file the last frame stays; how long it lasts is told by the steps before it.
  const last = await frameAt(source, (ticks.end ?? endOfVideo) - 1);
  const end = last && (last.next ?? last.pts + last.step);
  if (end === undefined) return undefined;
  return { plan: { cut: 'encode', start: first.pts, end: Math.max(end, first.pts + 1) }, seekTo: first.seekTo };
}

interface FrameFound {
  readonly pts: number;
  /** Pts of the frame behind it; undefined at the end of the file. */
  readonly next: number | undefined;
  /** From the frame before; 1 where there is none. */
  readonly step: number;
  readonly seekTo: Seconds | undefined;
}

/** Pictures are only looked at for their times. */
const GLANCE = { width: 16, height: 16 };

async function frameAt(
  { engine, path, probe, limits, seekPoints }: ClipSource,
  ticks: number,
): Promise<FrameFound | undefined> {
  const { timeBase } = probe.video;
  for (const seekTo of seekPoints((ticks * timeBase.num) / timeBase.den)) {
    const lines = new LineReader();
    const seen: number[] = [];
    for await (const message of engine.run(stillCommand(path, probe.video, { seekTo, ticks, ...GLANCE }), limits)) {
      if (message.kind === 'exit' || message.output !== STILL_OUTPUT.times) continue;
      for (const line of lines.push(message.bytes)) {
        const pts = readTimeLine(line);
        if (typeof pts === 'number') seen.push(pts);
      }
    }
    const before = seen.filter((pts) => pts <= ticks);
    const pts = before.at(-1);
    if (pts === undefined) continue;
    return { pts, next: seen.find((other) => other > ticks), step: pts - (before.at(-2) ?? pts - 1), seekTo };
  }
  return undefined;
}
