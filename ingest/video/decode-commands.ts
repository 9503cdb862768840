/** The ffmpeg command lines that decode a video: the whole of it, or one slice as the whole is decoded. */

import {
  atMostEvery,
  inputGuards,
  inTicks,
  intervalTicks,
  ONE_FILTER_THREAD,
  printTimes,
  QUIET,
  rawOutput,
  seek,
  squareScale,
  thumbnailScale,
} from './commands.js';
import type { DecodeRequest, VideoProbe } from './decoder.js';
import type { FfmpegCommand } from './engine.js';
import type { Slice } from './slice-plan.js';

/** Outputs of `decodeCommand`. */
export const DECODE_OUTPUT = {
  /** Packed RGB of every frame at thumbnail size. */
  thumbnails: 0,
  /** A `metadata=print` line for every frame, written before its thumbnail: the exact source timestamp. */
  times: 1,
  /** Packed RGB of the chosen frames at picture size. */
  pictures: 2,
  /** A `metadata=print` line for every picture, written before it. */
  pictureTimes: 3,
} as const;

/** Decodes the whole stream once. `-copyts`, `passthrough` and the filters keep every frame and its own timestamp. */
export function decodeCommand(path: string, { video }: VideoProbe, { pictures }: DecodeRequest): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: pictures ? 4 : 2,
    args: (input, outputs) => {
      const name = (output: keyof typeof DECODE_OUTPUT) => outputs[DECODE_OUTPUT[output]] ?? '';
      const thumbnail = `${thumbnailScale(video)},format=rgb24[thumbnail]`;
      const stamped = `[0:${video.index}]${inTicks(video.timeBase)},${printTimes(name('times'))}`;
      const graph = pictures
        ? [
            `${stamped},split[every][some]`,
            `[every]${thumbnail}`,
            `[some]select='${atMostEvery(pictures.interval, video.timeBase)}',${printTimes(name('pictureTimes'))},` +
              `${squareScale(pictures.width, pictures.height)},format=rgb24[picture]`,
          ]
        : [`${stamped},${thumbnail}`];
      return [
        ...QUIET,
        ...ONE_FILTER_THREAD,
        '-copyts',
        ...inputGuards(input),
        ...['-i', input, '-filter_complex', graph.join(';')],
        ...rawOutput('[thumbnail]', video.timeBase, name('thumbnails')),
        ...(pictures ? rawOutput('[picture]', video.timeBase, name('pictures')) : []),
      ];
    },
  };
}

/** Outputs of `sliceCommand`: those of `decodeCommand`, which mean the same here, and two more. */
export const SLICE_OUTPUT = {
  ...DECODE_OUTPUT,
  /** A line for every frame that was decoded, also those before the slice. */
  read: 4,
  /** A `framecrc` line for every frame, in its stored size, that a neighbour decodes too: the first ones, and those behind the end. */
  seams: 5,
} as const;

/**
 * Decodes from the key frame at the slice's start to the end of the seam behind it. Thumbnails are of the slice alone, pictures also of
 * that seam: they tell whether the choice goes on there as the plan says.
 */
export function sliceCommand(
  path: string,
  { video }: VideoProbe,
  { pictures }: DecodeRequest,
  { start, end }: Slice,
): FfmpegCommand {
  return {
    tool: 'ffmpeg',
    path,
    outputs: Object.keys(SLICE_OUTPUT).length,
    args: (input, outputs) => {
      const name = (output: keyof typeof SLICE_OUTPUT) => outputs[SLICE_OUTPUT[output]] ?? '';
      const all = `[0:${video.index}]${inTicks(video.timeBase)},${printTimes(name('read'))},${trim(start?.pts, end?.seamEnd)}`;
      const graph = [
        pictures ? `${all},split=3[own][some][both]` : `${all},split[own][both]`,
        `[own]${trim(undefined, end?.pts)},${printTimes(name('times'))},${thumbnailScale(video)},format=rgb24[thumbnail]`,
        `[both]select='${inSeams({ start, end })}'[seams]`,
      ];
      if (pictures) {
        const chosen = goingOn(start?.nextPicture, intervalTicks(pictures.interval, video.timeBase));
        graph.push(
          `[some]select='${chosen}',${printTimes(name('pictureTimes'))},` +
            `${squareScale(pictures.width, pictures.height)},format=rgb24[picture]`,
        );
      }
      return [
        ...QUIET,
        ...ONE_FILTER_THREAD,
        '-copyts',
        ...inputGuards(input),
        ...seek(start?.seekTo),
        ...['-i', input, '-filter_complex', graph.join(';')],
        ...rawOutput('[thumbnail]', video.timeBase, name('thumbnails')),
        ...(pictures ? rawOutput('[picture]', video.timeBase, name('pictures')) : []),
        ...rawOutput('[seams]', video.timeBase, name('seams'), 'framecrc'),
      ];
    },
  };
}

/** Half-open, in ticks. */
function trim(start: number | undefined, end: number | undefined): string {
  const bounds = [
    ...(start === undefined ? [] : [`start_pts=${start}`]),
    ...(end === undefined ? [] : [`end_pts=${end}`]),
  ];
  return bounds.length === 0 ? 'null' : `trim=${bounds.join(':')}`;
}

function inSeams({ start, end }: Pick<Slice, 'start' | 'end'>): string {
  const terms: string[] = [];
  if (start) terms.push(start.seamEnd === undefined ? '1' : `lt(pts,${start.seamEnd})`);
  if (end) terms.push(`gte(pts,${end.pts})`);
  return terms.length === 0 ? '0' : terms.join('+');
}

/** `atMostEvery` of `commands.ts`, except that the first picture follows the last one of the slice before. */
function goingOn(nextPicture: number | undefined, ticks: number): string {
  const first = nextPicture === undefined ? '1' : `gte(pts,${nextPicture})`;
  return `if(isnan(prev_selected_pts),${first},gte(pts-prev_selected_pts,${ticks})+lt(pts,prev_selected_pts))`;
}
