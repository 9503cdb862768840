/** The ffmpeg command lines of the decoder. The same for both engines, and hardened against what a file may try. */

import type { Seconds, TimeBase } from '../../src/time.js';
import { type ClipPlan, type ClipStreams, clipArguments, PACKET_LIST } from './clip-plan.js';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, type VideoStream } from './decoder.js';
import type { FfmpegCommand } from './engine.js';
import type { PictureFormat } from './picture-file.js';

/** Largest picture that is decoded, in pixels: 8K (7680 × 4320) fits. */
export const MAX_PIXELS = 40_000_000;
/** Largest single allocation of ffmpeg, in bytes: an 8K picture of 16 bits fits. */
const MAX_ALLOCATION = 200_000_000;

/**
 * Formats that may be opened: containers of video, and of sound alone so that it is told apart from rubbish. Playlists and scripts
 * (hls, dash, concat, sdp), which open other files, and image sequences, whose names are patterns, are not among them.
 */
const FORMATS = [
  'mov,mp4,m4a,3gp,3g2,mj2',
  'matroska,webm',
  'avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf',
  'flv,asf,ogg,mxf,nut,rm,gif,dv,wtv,yuv4mpegpipe,vc1,cavsvideo',
  'mp3,wav,flac,aac',
].join(',');

/** Options that stand before the input in every command on a video. `enable_drefs` and `use_absolute_path` of the mov reader are off by default. */
export function inputGuards(input: string): string[] {
  return guards(input, FORMATS);
}

/** An object reaches a native ffmpeg from an address of this machine (`ingest/objects/loopback.ts`), which is then all that it may open. */
function guards(input: string, formats: string): string[] {
  const protocols = input.startsWith('http:') ? 'http,tcp' : 'file';
  return ['-protocol_whitelist', protocols, '-format_whitelist', formats, '-max_pixels', String(MAX_PIXELS)];
}
/** Threads of a filter cost more than they bring where its output is small, as all of ours are. */
export const ONE_FILTER_THREAD = ['-filter_complex_threads', '1'];
export const QUIET = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-max_alloc', String(MAX_ALLOCATION)];

/** The same pixels from every build of ffmpeg, with and without vector instructions. */
const EXACT_SCALING = 'accurate_rnd+full_chroma_int+bitexact';
/**
 * Lines of a frame that each line of its thumbnail is the mean of, at least. Scaling reads every line that there is, which for large pictures costs
 * a fifth of decoding them; so of twice as many lines or more every other one is passed over, again and again.
 */
const LINES_OF_THUMBNAIL_LINE = 6;

/** The filters that make a frame's thumbnail, of `THUMBNAIL_WIDTH` × `THUMBNAIL_HEIGHT` pixels: means of its pixels, of a tall frame those of every 2nd, 4th … line. */
export function thumbnailScale({ codedWidth, codedHeight, rotation, pixelFormat }: VideoStream): string {
  const lines = rotation % 180 === 0 ? codedHeight : codedWidth;
  const halvings = Math.floor(Math.log2(lines / (THUMBNAIL_HEIGHT * LINES_OF_THUMBNAIL_LINE)));
  // `field` moves no pixel: it takes every other line by a longer step from line to line. A palette is no plane of lines.
  const fewer = pixelFormat === 'pal8' ? '' : 'field=top,'.repeat(Math.max(0, halvings));
  return `${fewer}scale=${THUMBNAIL_WIDTH}:${THUMBNAIL_HEIGHT}:flags=area+${EXACT_SCALING}`;
}
/** Key of the metadata that makes `metadata=print` write a line for a frame; no other key is printed. */
const MARK = 'longwatch';

/** Headers as JSON on output 0. */
export function probeCommand(path: string): FfmpegCommand {
  return {
    tool: 'ffprobe',
    path,
    outputs: 1,
    args: (input, [json = '']) => [
      ...['-hide_banner', '-loglevel', 'warning', '-max_alloc', String(MAX_ALLOCATION), ...inputGuards(input)],
      ...['-show_format', '-show_streams', '-show_chapters', '-of', 'json', '-o', json, '-i', input],
    ],
  };
}

export const STILL_OUTPUT = {
  jpeg: 0,
  /** A line for every frame that was looked at, up to the first one after the wanted time. */
  times: 1,
} as const;

export interface StillRequest {
  /** Where to start reading, on the container's clock; undefined: at the beginning. */
  readonly seekTo: Seconds | undefined;
  /** Wanted time in ticks of the stream's time base, on the container's clock. */
  readonly ticks: number;
  readonly width: number;
  readonly height: number;
}

/**
 * One JPEG of the frame that is on screen at `ticks`.
 *
 * `overlay` lays over each frame of its first input the frame of the second that is on screen at that moment. The first input here
 * is a single black frame at the wanted time, so the one frame that comes out is the wanted one, also behind the last frame.
 * Both have colour planes of full size, because those of half size would make odd widths even.
 */
export function stillCommand(path: string, video: VideoStream, still: StillRequest): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: 2,
    args: (input, outputs) => {
      const size = `${still.width}x${still.height}`;
      const graph = [
        `color=c=black:s=${size}:r=1,trim=end_frame=1,settb=${ratio(video.timeBase)},setpts=${still.ticks},setsar=1,format=yuv444p[moment]`,
        `[0:${video.index}]${inTicks(video.timeBase)},${printTimes(outputs[STILL_OUTPUT.times] ?? '')},${squareScale(still.width, still.height)},format=yuv444p[video]`,
        '[moment][video]overlay=format=yuv444:eof_action=repeat[still]',
      ];
      return [
        ...QUIET,
        '-copyts',
        ...inputGuards(input),
        ...seek(still.seekTo),
        ...['-i', input, '-filter_complex', graph.join(';'), '-map', '[still]', ...KEEP_EVERY_FRAME, '-frames:v', '1'],
        ...[
          '-c:v',
          'mjpeg',
          '-pix_fmt',
          'yuvj420p',
          '-q:v',
          '3',
          '-flags',
          '+bitexact',
          '-f',
          'image2pipe',
          outputs[STILL_OUTPUT.jpeg] ?? '',
        ],
      ];
    },
  };
}

export const STRETCH_OUTPUT = {
  /** Packed RGB of the chosen frames. */
  pictures: 0,
  /** A line for every picture. */
  pictureTimes: 1,
  /** A line for every frame that was read, also those before the stretch. */
  times: 2,
} as const;

export interface StretchTicks {
  /** As in `StillRequest`. */
  readonly seekTo: Seconds | undefined;
  /** Half-open, in ticks of the stream's time base on the container's clock. */
  readonly start: number;
  readonly end: number;
  readonly width: number;
  readonly height: number;
  readonly interval: Seconds;
}

/** Frames of a stretch as raw pictures. Reading stops behind its end. */
export function stretchCommand(path: string, video: VideoStream, stretch: StretchTicks): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: 3,
    args: (input, outputs) => {
      const name = (output: keyof typeof STRETCH_OUTPUT) => outputs[STRETCH_OUTPUT[output]] ?? '';
      const graph = [
        `[0:${video.index}]${inTicks(video.timeBase)},${printTimes(name('times'))}`,
        `trim=start_pts=${stretch.start}:end_pts=${stretch.end}`,
        `select='${atMostEvery(stretch.interval, video.timeBase)}',${printTimes(name('pictureTimes'))}`,
        `${squareScale(stretch.width, stretch.height)},format=rgb24[picture]`,
      ];
      return [
        ...QUIET,
        '-copyts',
        ...inputGuards(input),
        ...seek(stretch.seekTo),
        ...['-i', input, '-filter_complex', graph.join(',')],
        ...rawOutput('[picture]', video.timeBase, name('pictures')),
      ];
    },
  };
}

/** Size of a picture file as JSON on output 0. */
export function pictureProbeCommand(path: string, format: PictureFormat): FfmpegCommand {
  return {
    tool: 'ffprobe',
    path,
    outputs: 1,
    args: (input, [json = '']) => [
      ...[
        '-hide_banner',
        '-loglevel',
        'error',
        '-max_alloc',
        String(MAX_ALLOCATION),
        ...guards(input, format),
        '-f',
        format,
      ],
      ...['-show_entries', 'stream=width,height', '-of', 'json', '-o', json, '-i', input],
    ],
  };
}

/** One picture file as packed RGB on output 0, as it is stored: how it is turned is its reader's business. */
export function pictureCommand(
  path: string,
  format: PictureFormat,
  { width, height }: { readonly width: number; readonly height: number },
): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: 1,
    args: (input, [pixels = '']) => [
      ...[
        ...QUIET,
        ...guards(input, format),
        '-noautorotate',
        '-f',
        format,
        '-i',
        input,
        '-map',
        '0:v:0',
        '-frames:v',
        '1',
      ],
      ...['-vf', `${squareScale(width, height)},format=rgb24`, '-c:v', 'rawvideo', '-f', 'rawvideo', pixels],
    ],
  };
}

export const SOUND_OUTPUT = {
  /** 32-bit floats of one channel, at the rate that was asked for. */
  samples: 0,
  /** A line for every piece of `samples`: the timestamp of its first sample, in samples. */
  times: 1,
  /** A `framecrc` line for every piece of `samples`: its length. */
  sizes: 2,
} as const;

export interface SoundSource {
  readonly stream: number;
  /** Samples a second of the output: the source's own, so that nothing is resampled unless the source changes its rate. */
  readonly sampleRate: number;
  /** As in `StillRequest`. */
  readonly seekTo: Seconds | undefined;
}

/** Decodes one sound stream to one channel, piece by piece with source timestamps. */
export function soundCommand(path: string, { stream, sampleRate, seekTo }: SoundSource): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: 3,
    args: (input, outputs) => {
      const name = (output: keyof typeof SOUND_OUTPUT) => outputs[SOUND_OUTPUT[output]] ?? '';
      const graph = [
        // Without a bound, channels of floats are mixed to a sum that is louder than each.
        `[0:${stream}]aresample=rematrix_maxval=1,aformat=sample_fmts=flt:sample_rates=${sampleRate}:channel_layouts=mono`,
        `asettb=1/${sampleRate},${printTimes(name('times'), 'ametadata')},asplit[samples][sizes]`,
      ];
      const pcm = ['-c:a', 'pcm_f32le', '-flush_packets', '1'];
      return [
        ...QUIET,
        '-copyts',
        ...inputGuards(input),
        ...seek(seekTo),
        ...['-i', input, '-filter_complex', graph.join(',')],
        ...['-map', '[samples]', ...pcm, '-f', 'f32le', name('samples')],
        ...['-map', '[sizes]', ...pcm, '-f', 'framecrc', name('sizes')],
      ];
    },
  };
}

export const SUBTITLE_OUTPUT = {
  /** The texts of all cues, one behind the other. */
  texts: 0,
  /** A `framecrc` line for every cue: start, duration and length of its text in bytes. */
  cues: 1,
} as const;

/** The cues of one text stream, whatever its codec, as text with SubRip's markup. */
export function subtitleCommand(path: string, streamIndex: number): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: 2,
    args: (input, outputs) => {
      const cues = ['-map', `0:${streamIndex}`, '-c:s', 'srt', '-flush_packets', '1'];
      return [
        ...QUIET,
        '-copyts',
        ...inputGuards(input),
        ...['-i', input],
        ...[...cues, '-f', 'data', outputs[SUBTITLE_OUTPUT.texts] ?? ''],
        ...[...cues, '-f', 'framecrc', outputs[SUBTITLE_OUTPUT.cues] ?? ''],
      ];
    },
  };
}

/**
 * The packets of one stream as CSV on output 0, from a key frame at or before `from` on. Both times on the container's clock.
 * @param list What is told of each packet.
 */
export function packetsCommand(
  path: string,
  streamIndex: number,
  from: Seconds | undefined,
  until: Seconds | undefined,
  list: readonly string[] = PACKET_LIST,
): FfmpegCommand {
  const interval = `${from === undefined ? '' : toMicroseconds(from)}%${until === undefined ? '' : toMicroseconds(until)}`;
  return {
    tool: 'ffprobe',
    path,
    outputs: 1,
    args: (input, [csv = '']) => [
      ...['-hide_banner', '-loglevel', 'error', '-max_alloc', String(MAX_ALLOCATION), ...inputGuards(input)],
      ...['-select_streams', String(streamIndex), ...(interval === '%' ? [] : ['-read_intervals', interval])],
      ...[...list, '-o', csv, '-i', input],
    ],
  };
}

export const CLIP_OUTPUT = {
  mp4: 0,
  /** A line for every frame that is coded again: the sign that it goes on, since a fragment can take long. */
  times: 1,
} as const;

/** The planned clip as a fragmented MP4. */
export function clipCommand(path: string, plan: ClipPlan, streams: ClipStreams): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: plan.cut === 'encode' ? 2 : 1,
    args: (input, outputs) => {
      const times = outputs[CLIP_OUTPUT.times];
      return [
        ...QUIET,
        ...clipArguments(plan, streams, {
          input,
          output: outputs[CLIP_OUTPUT.mp4] ?? '',
          guards: inputGuards(input),
          ...(times === undefined ? {} : { times: printTimes(times) }),
        }),
      ];
    },
  };
}

const KEEP_EVERY_FRAME = ['-fps_mode', 'passthrough'];

export function rawOutput(
  label: string,
  timeBase: TimeBase,
  output: string,
  format: 'rawvideo' | 'framecrc' = 'rawvideo',
): string[] {
  return [
    ...['-map', label, ...KEEP_EVERY_FRAME, '-enc_time_base', ratio(timeBase), '-c:v', 'rawvideo'],
    ...['-flush_packets', '1', '-f', format, output],
  ];
}

/** Makes sure that timestamps are in the stream's own ticks; it is what ffmpeg hands over anyway. */
export function inTicks(timeBase: TimeBase): string {
  return `settb=${ratio(timeBase)}`;
}

export function printTimes(output: string, filter: 'metadata' | 'ametadata' = 'metadata'): string {
  return `${filter}=mode=add:key=${MARK}:value=1,${filter}=mode=print:key=${MARK}:direct=1:file=${quoteInGraph(output)}`;
}

/** Upright already (ffmpeg turns frames by the display matrix), now square pixels at exactly this size. */
export function squareScale(width: number, height: number): string {
  return `scale=${width}:${height}:flags=bicubic+${EXACT_SCALING},setsar=1`;
}

/** The shortest distance of two pictures in whole ticks. */
export function intervalTicks(interval: Seconds, timeBase: TimeBase): number {
  return Math.ceil((interval * timeBase.den) / timeBase.num - 1e-6);
}

/** A `select` expression in whole ticks. A timestamp that runs backwards starts a new count. */
export function atMostEvery(interval: Seconds, timeBase: TimeBase): string {
  const ticks = intervalTicks(interval, timeBase);
  return `isnan(prev_selected_pts)+gte(pts-prev_selected_pts,${ticks})+lt(pts,prev_selected_pts)`;
}

/** To the key frame before a time on the container's clock; undefined reads from the beginning. */
export function seek(time: Seconds | undefined): string[] {
  return time === undefined ? [] : ['-noaccurate_seek', '-seek_timestamp', '1', '-ss', toMicroseconds(time)];
}

/** Rounded down, as a seek must not go beyond its time. */
function toMicroseconds(time: Seconds): string {
  return (Math.floor(time * 1e6) / 1e6).toFixed(6);
}

function ratio({ num, den }: TimeBase): string {
  return `${num}/${den}`;
}

/** A colon is read twice on its way through a filter graph. */
function quoteInGraph(name: string): string {
  return name.replaceAll(':', '\\\\\\:');
}
