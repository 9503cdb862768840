/**
 * A picture file (JPEG, PNG) as the model sees it. The decoder opens containers of video and nothing else, so the file's bytes,
 * unchanged, become the one frame of an AVI file (Microsoft RIFF), which ffmpeg reads like any other.
 */

import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Decoder } from '../../../ingest/video/decoder.js';
import type { Picture } from '../../../ingest/video/frame.js';
import type { Backend } from '../../backend.js';
import { LongwatchError } from '../../errors.js';

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The picture at the largest size that `tokens` visual tokens allow, never enlarged beyond one token.
 * @throws {LongwatchError} `unsupported_media_type` for another format, `too_large`; of the file and the decoder
 */
export async function stillPicture(
  decoder: Decoder,
  backend: Backend,
  file: string,
  tokens: number,
  signal: AbortSignal,
): Promise<Picture> {
  const bytes = await readPicture(file);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-picture-'));
  try {
    const video = path.join(folder, 'picture.avi');
    await writeFile(video, oneFrameAvi(bytes, fourccOf(bytes, file)));
    const probe = await decoder.probe(video, { signal });
    const size = sizeWithin(backend, probe.video, tokens);
    const request = { range: { start: 0, end: 1 }, firstFrameTime: 0, ...size, interval: 0 };
    const [picture] = await decoder.stretch(video, probe, request, { signal });
    if (picture) return picture;
    throw new LongwatchError('decode_failed', `${file} holds no picture that can be decoded.`, { path: file });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readPicture(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES)
      throw new LongwatchError('too_large', `${file} has ${size} bytes; ${MAX_BYTES} are possible.`, { path: file });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** The four letters by which AVI names the coding of its frames. */
function fourccOf(bytes: Buffer, file: string): string {
  const begins = (text: string, at = 0) => bytes.subarray(at, at + text.length).toString('latin1') === text;
  if (begins('\xff\xd8\xff')) return 'MJPG';
  if (begins('\x89PNG\r\n\x1a\n')) return 'MPNG';
  throw new LongwatchError('unsupported_media_type', `${file} is no JPEG or PNG picture.`, {
    path: file,
    hint: 'Convert it to one of the two.',
  });
}

/** A `RIFF` chunk: name, length, content, and a byte that makes the length even. */
function chunk(name: string, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.write(name, 0, 'latin1');
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}

/** One frame that lasts a second. Width and height are 0: they stand in the picture itself. */
function oneFrameAvi(frame: Uint8Array, fourcc: string): Buffer {
  const words = (...values: readonly number[]) => {
    const buffer = Buffer.alloc(4 * values.length);
    for (const [at, value] of values.entries()) buffer.writeUInt32LE(value, 4 * at);
    return buffer;
  };
  const ascii = (text: string) => Buffer.from(text, 'latin1');
  // Microseconds per frame, …, frames, …, streams, …
  const avih = chunk('avih', words(1_000_000, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0));
  // Type and coding, …, scale and rate (1 / 1 s), start, length in frames, …
  const strh = chunk('strh', ascii(`vids${fourcc}`), words(0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0));
  // BITMAPINFOHEADER: its size, width, height, one plane of 24 bits, coding, …
  const strf = chunk('strf', words(40, 0, 0), Uint8Array.of(1, 0, 24, 0), ascii(fourcc), words(0, 0, 0, 0, 0));
  const header = chunk('LIST', ascii('hdrl'), avih, chunk('LIST', ascii('strl'), strh, strf));
  return chunk('RIFF', ascii('AVI '), header, chunk('LIST', ascii('movi'), chunk('00dc', frame)));
}

/** Both sides in whole tokens; how many pixels a token has on a side follows from what the backend says of any size. */
export function sizeWithin(
  backend: Pick<Backend, 'pictureSize' | 'tokensPerPair'>,
  display: { readonly width: number; readonly height: number },
  tokens: number,
): { readonly width: number; readonly height: number } {
  const any = backend.pictureSize(display);
  const side = Math.sqrt((any.width * any.height) / backend.tokensPerPair(any));
  const scale = Math.min(1, Math.sqrt((tokens * side * side) / (display.width * display.height)));
  const whole = (length: number) => Math.round(side * Math.max(1, Math.floor((length * scale) / side)));
  return { width: whole(display.width), height: whole(display.height) };
}
