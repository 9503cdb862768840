/**
 * Where a clip can be cut, from the list of a stream's packets. Pure, and free of imports that remain when compiled: the page runs the
 * same file in the browser, so that both cut alike.
 */

import type { Seconds, TimeBase, TimeRange } from '../../src/time.js';

/** One coded frame, in the order in which the frames are stored and decoded. Times in ticks of the stream's time base. */
export interface ClipPacket {
  readonly pts: number;
  /** Can be decoded without the frames before it. */
  readonly key: boolean;
  /** In the file and never shown: hidden by an edit list. */
  readonly hidden: boolean;
}

/** How a clip is made: the stored frames as they are, or decoded and coded again. */
export type ClipCut = 'copy' | 'encode';

/** Ticks on the container's clock. */
export interface ClipTicks {
  /** The first frame of the clip is the last one at or before this tick. */
  readonly start: number;
  /** Frames at or behind this tick are not part of the clip; undefined: it goes on to the end. */
  readonly end: number | undefined;
}

export interface ClipPlan {
  readonly cut: ClipCut;
  /** Pts of the first frame. */
  readonly start: number;
  /** End of the last frame: the pts of the frame behind it, or the end of the video. */
  readonly end: number;
  /** Packets that are copied, from the key frame on. Only with `copy`. */
  readonly packets?: number;
}

/** ffprobe's options for the list that `readClipPackets` reads. */
export const PACKET_LIST = ['-show_entries', 'packet=pts,flags', '-of', 'csv=p=0'] as const;

/** Lines of ffprobe's CSV; what is no packet or has no time is passed over. */
export function readClipPackets(csv: string): ClipPacket[] {
  return csv.split('\n').flatMap((line) => {
    const match = /^(-?\d+),([KD_C]{2,4})/.exec(line);
    if (!match) return [];
    const [, pts = '', flags = ''] = match;
    return [{ pts: Number(pts), key: flags.includes('K'), hidden: flags.includes('D') }];
  });
}

/** A printed time may be this much too early: printed times let a microsecond of noise pass. */
const TIME_TOLERANCE: Seconds = 1e-6;
/** Times are printed in whole milliseconds, rounded up, so a frame less than this before a printed end is the frame that was meant by it. */
const PRINTED_STEP: Seconds = 0.001;

/**
 * Media time → ticks. The clip begins with the frame that is on screen at the start. A frame that begins less than a millisecond before
 * the end is the one that the end names, and is left out.
 * @param firstPts pts of the video's first presented frame
 * @param duration of the video; an end at or behind it is the end of the file
 */
export function clipTicks(range: TimeRange, firstPts: number, { num, den }: TimeBase, duration: Seconds): ClipTicks {
  const ticks = (time: Seconds) => firstPts + Math.floor((time * den) / num);
  return {
    start: ticks(Math.max(0, range.start) + TIME_TOLERANCE),
    end: range.end >= duration ? undefined : ticks(Math.max(0, range.end - PRINTED_STEP + TIME_TOLERANCE)) + 1,
  };
}

/** A copied clip may end this much later than asked for and still be what was meant: frames that are stored out of order go in whole. */
const MAX_OVERRUN: Seconds = 0.25;

export interface PlanOptions {
  /** `auto` copies where the clip can begin at a key frame. `copy` begins at the key frame before. */
  readonly cut: ClipCut | 'auto';
  /** The container and the codec are among those that are copied. */
  readonly copyable: boolean;
  readonly timeBase: TimeBase;
  /** End of the video's last frame, in ticks on the container's clock. */
  readonly endOfVideo: number;
}

/**
 * @param packets a run of packets without a gap, from a key frame at or before the start to some way behind the end
 * @returns undefined when no frame at or before the start is among the packets (the run begins too late)
 */
export function planClip(packets: readonly ClipPacket[], ticks: ClipTicks, options: PlanOptions): ClipPlan | undefined {
  const isWanted = ({ pts }: ClipPacket) => ticks.end === undefined || pts < ticks.end;
  const shown = packets.filter(({ hidden }) => !hidden);
  let start: number | undefined;
  for (const { pts } of shown) if (pts <= ticks.start && pts >= (start ?? pts)) start = pts;
  if (start === undefined) return undefined;
  const exact = {
    cut: 'encode',
    start,
    end: endOf(shown, Math.max(start + 1, ticks.end ?? Infinity), options),
  } as const;
  if (options.cut === 'encode' || !options.copyable) return exact;

  const from = keyFrame(packets, start, options.cut === 'copy');
  if (from === undefined) return exact;
  const rest = packets.slice(from);
  // `smallest[i]` is the earliest pts among the packets from `i` on: there the stored order and the shown order part cleanly.
  const smallest: number[] = new Array(rest.length + 1).fill(Infinity);
  for (let i = rest.length - 1; i >= 0; i--)
    smallest[i] = Math.min(smallest[i + 1] ?? Infinity, rest[i]?.pts ?? Infinity);
  let count = rest.findLastIndex(isWanted) + 1;
  let latest = rest.slice(0, count).reduce((pts, packet) => Math.max(pts, packet.pts), -Infinity);
  for (; count < rest.length && latest > (smallest[count] ?? Infinity); count++)
    latest = Math.max(latest, rest[count]?.pts ?? latest);
  const key = rest[0]?.pts ?? start;
  const copied = { cut: 'copy', start: key, end: endOf(shown, latest + 1, options), packets: count } as const;
  const overrun = ((copied.end - exact.end) * options.timeBase.num) / options.timeBase.den;
  return options.cut === 'copy' || overrun <= MAX_OVERRUN ? copied : exact;
}

/** The first pts at or behind `end`; behind the last frame, the end of the video. */
function endOf(shown: readonly ClipPacket[], end: number, { endOfVideo }: PlanOptions): number {
  let next = Infinity;
  let last = -Infinity;
  for (const { pts } of shown) {
    if (pts >= end) next = Math.min(next, pts);
    else last = Math.max(last, pts);
  }
  return Number.isFinite(next) ? next : Math.max(last + 1, endOfVideo);
}

/**
 * Place of the packet from which the frames from `start` on can be decoded: the key frame at `start`, or, when an earlier one will do, the
 * last one before it. Frames that are stored behind a key frame and shown before it lean on what comes before, so such a one is no place to begin.
 */
function keyFrame(packets: readonly ClipPacket[], start: number, earlier: boolean): number | undefined {
  for (let at = packets.length - 1; at >= 0; at--) {
    const packet = packets[at];
    if (!packet?.key || packet.hidden || packet.pts > start || (packet.pts < start && !earlier)) continue;
    const next = packets.findIndex(({ key }, index) => key && index > at);
    const group = packets.slice(at + 1, next < 0 ? undefined : next);
    if (group.every(({ pts }) => pts > packet.pts)) return at;
  }
  return undefined;
}

/** What the command of a clip needs to know beside the plan. */
export interface ClipStreams {
  readonly timeBase: TimeBase;
  /** Index and codec of the video stream in the file. */
  readonly video: { readonly index: number; readonly codec: string };
  readonly audio?: { readonly index: number; readonly codec: string };
  /** Where reading starts for an encode, on the container's clock; undefined: at the beginning. */
  readonly seekTo?: Seconds | undefined;
}

/** Containers that are copied from: their index finds a key frame by its presentation time. */
export const COPIED_CONTAINERS: readonly string[] = ['mp4', 'matroska'];
/** Video that an MP4 carries and that browsers and players read there. */
export const COPIED_VIDEO: readonly string[] = ['h264', 'hevc', 'av1', 'vp9'];
/** Sound that goes into the MP4 as it is; all other sound is coded as AAC. */
const COPIED_AUDIO: readonly string[] = ['aac', 'mp3', 'opus', 'ac3', 'eac3'];

/** An MP4 that is written from front to back, so that it can be sent while it is made: in fragments, each from a key frame on. */
const MP4 = ['-movflags', '+frag_keyframe+delay_moov+default_base_moof', '-f', 'mp4'] as const;

/**
 * ffmpeg's arguments for the clip, without what stands before the first input option.
 * @param guards input options
 * @param times output of the lines that tell each coded frame's time; only with `encode`, and only where somebody reads them
 */
export function clipArguments(
  plan: ClipPlan,
  streams: ClipStreams,
  io: { readonly input: string; readonly output: string; readonly guards?: readonly string[]; readonly times?: string },
): string[] {
  const { video, audio, timeBase } = streams;
  const seconds = (ticks: number) => (ticks * timeBase.num) / timeBase.den;
  const length = (seconds(plan.end) - seconds(plan.start)).toFixed(6);
  const plain = ['-map_metadata', '-1', '-map_chapters', '-1', '-dn', '-sn'];
  const guards = io.guards ?? [];
  if (plan.cut === 'copy') {
    return [
      ...guards,
      // Rounded up, so that the seek does not fall short of the key frame.
      ...['-noaccurate_seek', '-seek_timestamp', '1', '-ss', (Math.ceil(seconds(plan.start) * 1e6) / 1e6).toFixed(6)],
      ...['-i', io.input, '-map', `0:${video.index}`, '-c:v', 'copy'],
      // A limit of frames (`-frames`) would end the sound with the picture's last packet, which comes before its last moment.
      ...['-bsf:v', `noise=drop=gte(n\\,${plan.packets ?? 0})`],
      ...(video.codec === 'hevc' ? ['-tag:v', 'hvc1'] : []),
      ...(audio ? ['-map', `0:${audio.index}`, '-copypriorss:a', '0', ...audioCodec(audio.codec)] : []),
      ...['-t', length, ...plain, ...MP4, io.output],
    ];
  }
  const print = io.times === undefined ? '' : `,${io.times}`;
  const picture = [
    `[0:${video.index}]settb=${timeBase.num}/${timeBase.den}`,
    `trim=start_pts=${plan.start}:end_pts=${plan.end}${print}`,
    `setpts=PTS-${plan.start}`,
    // H.264 in this form has pairs of pixels.
    'pad=ceil(iw/2)*2:ceil(ih/2)*2,format=yuv420p[picture]',
  ].join(',');
  const from = seconds(plan.start).toFixed(6);
  const sound =
    audio &&
    `[0:${audio.index}]atrim=start=${from}:end=${seconds(plan.end).toFixed(6)},asetpts=PTS-${from}/TB,aresample=async=1:first_pts=0[sound]`;
  return [
    ...['-copyts', ...guards],
    ...(streams.seekTo === undefined
      ? []
      : ['-noaccurate_seek', '-seek_timestamp', '1', '-ss', (Math.floor(streams.seekTo * 1e6) / 1e6).toFixed(6)]),
    ...['-i', io.input, '-filter_complex', sound ? `${picture};${sound}` : picture],
    ...['-map', '[picture]', '-fps_mode', 'passthrough', '-enc_time_base', `${timeBase.num}/${timeBase.den}`],
    // Without B-frames the first frame is at 0 in every player, and the sound beside it.
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '18', '-bf', '0'],
    ...(sound ? ['-map', '[sound]', '-c:a', 'aac', '-b:a', '160k'] : []),
    ...[...plain, ...MP4, io.output],
  ];
}

function audioCodec(codec: string): string[] {
  return COPIED_AUDIO.includes(codec) ? ['-c:a', 'copy'] : ['-c:a', 'aac', '-b:a', '160k'];
}
