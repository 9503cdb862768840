/** Pictures as parts of a chat message: as images with their times between them, or as a video of separate frames. */

import type { PromptPart } from '../backend.js';
import type { Seconds } from '../time.js';
import { encodePng, type RgbPicture } from './png.js';

/**
 * - `images`: every frame is an image and its time stands before it as text, `<12.0 s>`. Any server that knows images understands it.
 * - `video`: vLLM's `data:video/jpeg;base64,…,…`, one picture after the other, and their rate beside it. A pair of frames costs half the
 *   tokens, and the model's own sense of time is used. Frames that are not evenly spaced are sent as images all the same, since this
 *   form has one rate for the whole request.
 */
export type FrameForm = 'images' | 'video';

export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }
  | { readonly type: 'video_url'; readonly video_url: { readonly url: string } };

export interface MessageContent {
  readonly parts: readonly MessagePart[];
  /** Fields of the request that say how the video is to be read; none without one. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function isVideo({ parts }: MessageContent): boolean {
  return parts.some(({ type }) => type === 'video_url');
}

type VideoPart = Extract<PromptPart, { readonly kind: 'video' }>;

/** vLLM reads so many frames of a video unless it is started with other `--media-io-kwargs`, and drops the rest without a word. */
const MAX_FRAMES_PER_VIDEO = 32;
/** How far a frame may be from its place in an even sequence, in steps of that sequence. */
const EVENNESS = 0.25;
/** How much the rates of two videos of one request may differ, as a share. */
const SAME_RATE = 0.01;

export async function messageContent(parts: readonly PromptPart[], form: FrameForm): Promise<MessageContent> {
  const videos = parts.filter((part) => part.kind === 'video');
  const rate = form === 'video' ? commonRate(videos) : undefined;
  const pieces = rate === undefined ? [] : videos.flatMap(({ pictures }) => split(pictures));
  const content: MessagePart[] = [];
  for (const part of parts) {
    if (part.kind === 'text') content.push({ type: 'text', text: part.text });
    else if (part.kind === 'image') content.push(await image(part.picture));
    else if (rate === undefined) content.push(...(await asImages(part)));
    else content.push(...(await asVideos(part)));
  }
  return { parts: content, fields: rate === undefined ? {} : videoFields(rate, pieces) };
}

/** `<12.0 s>`: how the time of a frame is written for the model. Tenths, as the model family's own prompts have them. */
export function timeMark(time: Seconds): string {
  return `<${(Math.round(time * 10) / 10 + 0).toFixed(1)} s>`;
}

async function asImages({ pictures, timeZero }: VideoPart): Promise<MessagePart[]> {
  const images = await Promise.all(pictures.map(image));
  return images.flatMap((part, i) => [
    { type: 'text' as const, text: timeMark((pictures[i]?.time ?? timeZero) - timeZero) },
    part,
  ]);
}

async function image(picture: RgbPicture): Promise<MessagePart> {
  return { type: 'image_url', image_url: { url: `data:image/png;base64,${await base64Png(picture)}` } };
}

async function asVideos({ pictures, timeZero }: VideoPart): Promise<MessagePart[]> {
  const content: MessagePart[] = [];
  for (const piece of split(pictures)) {
    const start = (piece[0]?.time ?? timeZero) - timeZero;
    if (timeMark(start) !== timeMark(0)) content.push({ type: 'text', text: timeMark(start) });
    // The media type is vLLM's name of the form; each picture says itself that it is PNG.
    const frames = await Promise.all(piece.map(base64Png));
    content.push({ type: 'video_url', video_url: { url: `data:video/jpeg;base64,${frames.join(',')}` } });
  }
  return content;
}

async function base64Png(picture: RgbPicture): Promise<string> {
  return (await encodePng(picture)).toString('base64');
}

/** Runs of whole pairs, as equal in length as can be, none longer than a server reads. */
function split<T>(pictures: readonly T[]): (readonly T[])[] {
  const pairs = Math.ceil(pictures.length / 2);
  const runs = Math.ceil(pictures.length / MAX_FRAMES_PER_VIDEO);
  const cut = (run: number) => 2 * Math.round((pairs * run) / runs);
  return Array.from({ length: runs }, (_, run) => pictures.slice(cut(run), cut(run + 1)));
}

/**
 * What two generations of vLLM read: `mm_processor_kwargs` and `media_io_kwargs`. The indices are there because a server that would
 * read fewer frames then refuses the request.
 */
function videoFields(fps: number, pieces: readonly (readonly unknown[])[]): Record<string, unknown> {
  const frames = pieces[0]?.length ?? 0;
  const equal = pieces.every((piece) => piece.length === frames);
  const indices = Array.from({ length: frames }, (_, i) => i);
  return {
    mm_processor_kwargs: { fps, do_sample_frames: false },
    media_io_kwargs: { video: { fps, num_frames: -1, ...(equal ? { frames_indices: indices } : {}) } },
  };
}

/** Frames per second of all videos; undefined when there is none, or one is not even, or two differ. */
function commonRate(videos: readonly VideoPart[]): number | undefined {
  const rates = videos.map(({ pictures }) => evenRate(pictures.map(({ time }) => time)));
  const first = rates[0];
  if (first === undefined) return undefined;
  const same = rates.every((rate) => rate !== undefined && Math.abs(rate - first) <= SAME_RATE * first);
  return same ? first : undefined;
}

function evenRate(times: readonly Seconds[]): number | undefined {
  const first = times[0] ?? 0;
  const step = ((times.at(-1) ?? 0) - first) / (times.length - 1);
  if (!(step > 0)) return undefined;
  const even = times.every((time, i) => Math.abs(time - first - i * step) <= EVENNESS * step);
  return even ? 1 / step : undefined;
}
