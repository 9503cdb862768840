/** A picture instead of words: a file, an upload, or a frame of a video. It becomes a point, and the search finds what lies near it. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { LibrarySearcher, PictureQuery } from '../index/search/searcher.js';
import type { SearchAnswer, SearchFilters } from '../index/search/types.js';
import type { VideoRecord } from '../index/store/records.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import type { Decoder, PictureReader } from '../ingest/video/decoder.js';
import { LongwatchError } from './errors.js';
import type { PictureEmbedder, RgbPicture } from './meaning/picture-embedder.js';
import { type FilmReader, readMoment } from './stretch.js';
import { formatTime, type Seconds } from './time.js';

/** Largest upload. A photo of 40 million pixels is seldom larger. */
export const MAX_PICTURE_BYTES = 10 * 1024 * 1024;
/** A picture that is longer than this shows nothing that a square of it could stand for. */
const MAX_ASPECT = 20;

export type PictureSource =
  /** The frame that is on screen at `at`. */
  | { readonly kind: 'frame'; readonly video: VideoRecord; readonly at: Seconds }
  /** A JPEG, PNG or WebP file. */
  | { readonly kind: 'file'; readonly path: string }
  /** What would be in such a file. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

export interface PictureSearchRequest extends SearchFilters {
  readonly source: PictureSource;
}

export interface PictureSearchParts {
  readonly searcher: () => Promise<LibrarySearcher>;
  /** Opened when there is a model to compare with. */
  readonly decoder: () => Promise<Decoder & PictureReader>;
  readonly objects?: ObjectStore;
  readonly pictures: () => Promise<{ readonly embedder?: PictureEmbedder; readonly missing?: string }>;
}

/**
 * @throws {LongwatchError} `part_missing` without a model of pictures; `bad_range` for a frame behind the end; `payload_too_large`; as
 * `LibrarySearcher.resembling`, `PictureReader.picture` and `readMoment`
 */
export async function searchByPicture(
  parts: PictureSearchParts,
  { source, ...filters }: PictureSearchRequest,
  signal?: AbortSignal,
): Promise<SearchAnswer> {
  const begun = performance.now();
  const { embedder, missing } = await parts.pictures();
  if (!embedder)
    throw new LongwatchError('part_missing', 'There is no model to compare pictures with.', {
      ...(missing === undefined ? {} : { hint: missing }),
    });
  const picture = await pictureOf(source, { decoder: await parts.decoder(), objects: parts.objects }, embedder, signal);
  const [vector] = await embedder.embedPictures([picture], signal);
  if (!vector) throw new LongwatchError('model_failed', 'The model gave no point for the picture.');
  const query: PictureQuery = { vector, ...nameOf(source) };
  const answer = await (await parts.searcher()).resembling(filters, query, signal);
  return { ...answer, took: performance.now() - begun };
}

function nameOf(source: PictureSource): Omit<PictureQuery, 'vector'> {
  if (source.kind !== 'frame') return { name: 'the picture' };
  const { video, at } = source;
  return { name: `${video.title} at ${formatTime(at)}`, from: { videoId: video.id, at } };
}

async function pictureOf(
  source: PictureSource,
  reader: FilmReader & { readonly decoder: PictureReader },
  embedder: PictureEmbedder,
  signal: AbortSignal | undefined,
): Promise<RgbPicture> {
  switch (source.kind) {
    case 'frame': {
      const { video, at } = source;
      if (!(at >= 0 && at < video.duration))
        throw new LongwatchError('bad_range', `${formatTime(Math.max(0, at))} lies behind the end of the video.`, {
          hint: `It is ${formatTime(video.duration)} long.`,
          pointer: '/like/at_s',
        });
      return readMoment(reader, video, at, embedder.pictureSize(video), signal);
    }
    case 'file':
      return fileOf(source.path, reader.decoder, embedder, signal);
    case 'bytes':
      return uploadOf(source.bytes, reader.decoder, embedder, signal);
    default:
      return source satisfies never;
  }
}

/** The decoder reads files, in a process or thread of its own, so an upload becomes one for as long as it is read. */
async function uploadOf(
  bytes: Uint8Array,
  decoder: PictureReader,
  embedder: PictureEmbedder,
  signal: AbortSignal | undefined,
): Promise<RgbPicture> {
  if (bytes.length > MAX_PICTURE_BYTES)
    throw new LongwatchError('payload_too_large', `The picture has ${bytes.length} bytes.`, {
      hint: `Send at most ${MAX_PICTURE_BYTES} bytes.`,
      pointer: '/picture',
    });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-picture-'));
  try {
    const file = path.join(folder, 'picture');
    await writeFile(file, bytes, { mode: 0o600 });
    return await fileOf(file, decoder, embedder, signal);
  } catch (thrown) {
    throw withoutPath(thrown);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fileOf(
  file: string,
  decoder: PictureReader,
  embedder: PictureEmbedder,
  signal: AbortSignal | undefined,
): Promise<RgbPicture> {
  const sizeOf: Parameters<PictureReader['picture']>[1] = (shown) => {
    const aspect = Math.max(shown.width, shown.height) / Math.min(shown.width, shown.height);
    if (aspect <= MAX_ASPECT) return embedder.pictureSize(shown);
    throw new LongwatchError('invalid_input', `A picture of ${shown.width} × ${shown.height} is too narrow.`, {
      hint: `Its longer side may be ${MAX_ASPECT} times the shorter one.`,
    });
  };
  return decoder.picture(file, sizeOf, signal ? { signal } : {});
}

/** Nobody knows the file that an upload was for a moment. */
function withoutPath(thrown: unknown): unknown {
  if (!(thrown instanceof LongwatchError) || thrown.path === undefined) return thrown;
  const { code, message, hint, cause } = thrown;
  return new LongwatchError(code, message, { pointer: '/picture', cause, ...(hint === undefined ? {} : { hint }) });
}
