/** Pictures as parts of a chat message: as images with their times between them, or as a video of separate frames. */

import type { PromptPart } from '../backend.js';
import type { Seconds } from '../time.js';
import { encodeJpeg } from './jpeg.js';
import { encodePng, type RgbPicture } from './png.js';

/**
 * - `images`: every frame is an image and its time stands before it as text, `<12.0 s>`. Any server that knows images understands it.
 * - `video`: vLLM's `data:video/jpeg;base64,…,…`, one picture after the other, and their rate beside it. A pair of frames costs half the
 *   tokens, and the model's own sense of time is used. Frames that are not evenly spaced are sent as images all the same, since this
 *   form has one rate for the whole request.
 */
export type FrameForm = 'images' | 'video';

/**
 * - `smallest`: a frame of a video is JPEG where that is smaller than PNG, as with film, and PNG where not, as with screens and drawings.
 * - `png`: every picture arrives as it is, bit by bit, in four times the bytes.
 *
 * Stills are always PNG: text is read from them and places are pointed at.
 */
export type PictureForm = 'smallest' | 'png';

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

export async function messageContent(
  parts: readonly PromptPart[],
  form: FrameForm,
  pictureForm: PictureForm,
): Promise<MessageContent> {
  const encodeFrame = pictureForm === 'png' ? asPng : smallest;
  const videos = parts.filter((part) => part.kind === 'video');
  const rate = form === 'video' ? commonRate(videos) : undefined;
  const pieces = rate === undefined ? [] : videos.flatMap(({ pictures }) => split(pictures));
  const content: MessagePart[] = [];
  for (const part of parts) {
    if (part.kind === 'text') content.push({ type: 'text', text: part.text });
    else if (part.kind === 'image') content.push(imagePart(await asPng(part.picture)));
    else if (rate === undefined) content.push(...(await asImages(part, encodeFrame)));
    else content.push(...(await asVideos(part, encodeFrame)));
  }
  return { parts: content, fields: rate === undefined ? {} : videoFields(rate, pieces) };
}

/** `<12.0 s>`: how the time of a frame is written for the model. Tenths, as the model family's own prompts have them. */
export function timeMark(time: Seconds): string {
  return `<${(Math.round(time * 10) / 10 + 0).toFixed(1)} s>`;
}

/** A picture as a file. */
interface Encoded {
  readonly type: 'image/png' | 'image/jpeg';
  readonly base64: string;
}

type Encode = (picture: RgbPicture) => Promise<Encoded>;

async function asPng(picture: RgbPicture): Promise<Encoded> {
  return { type: 'image/png', base64: (await encodePng(picture)).toString('base64') };
}

async function smallest(picture: RgbPicture): Promise<Encoded> {
  const [png, jpeg] = await Promise.all([encodePng(picture), encodeJpeg(picture)]);
  return jpeg.length < png.length
    ? { type: 'image/jpeg', base64: jpeg.toString('base64') }
    : { type: 'image/png', base64: png.toString('base64') };
}

async function asImages({ pictures, timeZero }: VideoPart, encodeFrame: Encode): Promise<MessagePart[]> {
  const images = await Promise.all(pictures.map(encodeFrame));
  return images.flatMap((encoded, i) => [
    { type: 'text' as const, text: timeMark((pictures[i]?.time ?? timeZero) - timeZero) },
    imagePart(encoded),
  ]);
}

function imagePart({ type, base64 }: Encoded): MessagePart {
  return { type: 'image_url', image_url: { url: `data:${type};base64,${base64}` } };
}

async function asVideos({ pictures, timeZero }: VideoPart, encodeFrame: Encode): Promise<MessagePart[]> {
  const content: MessagePart[] = [];
  for (const piece of split(pictures)) {
    const start = (piece[0]?.time ?? timeZero) - timeZero;
    if (timeMark(start) !== timeMark(0)) content.push({ type: 'text', text: timeMark(start) });
    // The media type is vLLM's name of the form; each picture says itself what it is.
    const frames = await Promise.all(piece.map(encodeFrame));
    const list = frames.map(({ base64 }) => base64).join(',');
    content.push({ type: 'video_url', video_url: { url: `data:video/jpeg;base64,${list}` } });
  }
  return content;
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
