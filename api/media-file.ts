/** A video file as it is sent to a player: opened safely, read in chunks, closed whatever happens. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { VideoRecord } from '../index/store/records.js';
import { type Objects, required } from '../ingest/media.js';
import { BLOCK_BYTES } from '../ingest/objects/block.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import { isObjectUrl } from '../ingest/objects/object-url.js';
import { LongwatchError, toLongwatchError } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';
import type { ByteRange } from './byte-range.js';

/** Bytes that are read at once; at most one such chunk per reader is alive beside what the socket holds. */
const CHUNK_BYTES = 256 * 1024;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/quicktime',
  '.webm': 'video/webm',
  '.mkv': 'video/x-matroska',
  '.ogv': 'video/ogg',
  '.avi': 'video/x-msvideo',
  '.ts': 'video/mp2t',
  '.mts': 'video/mp2t',
  '.mpg': 'video/mpeg',
  '.mpeg': 'video/mpeg',
};

/** By the file's extension; `application/octet-stream` for an unknown one. */
export function mediaTypeOf(file: string): string {
  return MEDIA_TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
}

/** Bytes that are open for reading; whoever opened them closes them. */
export interface MediaBytes {
  readonly size: number;
  /** Some of the bytes of a range, from its start; none only where they end. */
  read(range: ByteRange): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens the file of a video and makes sure that it is the one that was ingested (same size, same modification time).
 * A link in the last place of the path is not followed; a pipe or device does not block.
 * @param objects where a video at an `s3://` place is
 * @throws {LongwatchError} `file_not_found`, `unreadable_file`, `not_a_file`, `file_changed`. Nothing stays open then.
 */
export async function openMedia(video: VideoRecord, objects?: Objects): Promise<MediaBytes> {
  if (isObjectUrl(video.path)) return openObject(video, required(objects, video.path));
  let handle: FileHandle | undefined;
  try {
    handle = await open(video.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) throw new LongwatchError('not_a_file', `"${video.path}" is no longer a regular file.`);
    refuseOther(video, stat.size, stat.mtimeMs);
    return fileBytes(handle, stat.size);
  } catch (thrown) {
    await handle?.close();
    throw toLongwatchError(thrown, video.path);
  }
}

async function openObject(video: VideoRecord, objects: ObjectStore): Promise<MediaBytes> {
  const facts = await objects.facts(video.path);
  refuseOther(video, facts.sizeBytes, facts.modified);
  const reader = objects.openVersion(facts);
  return {
    size: facts.sizeBytes,
    read: ({ start, end }) => reader.read(start, Math.min(end, start - (start % BLOCK_BYTES) + BLOCK_BYTES)),
    close: async () => reader.close(),
  };
}

function refuseOther(video: VideoRecord, size: number, modified: Milliseconds): void {
  if (size === video.sizeBytes && Math.abs(modified - video.modified) < 1) return;
  throw new LongwatchError('file_changed', `"${video.path}" is not the file that was ingested any more.`, {
    hint: 'Ingest it again.',
  });
}

export function fileBytes(handle: FileHandle, size: number): MediaBytes {
  return {
    size,
    async read({ start, end }) {
      const wanted = Math.min(CHUNK_BYTES, end - start);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, start);
      return buffer.subarray(0, bytesRead);
    },
    close: () => handle.close(),
  };
}

/** The bytes of a range. Reads only when the reader wants more; closes what it reads from at the end, on an error and when the reader leaves. */
export function streamBytes(media: MediaBytes, range: ByteRange): ReadableStream<Uint8Array> {
  let position = range.start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const bytes = await media.read({ start: position, end: range.end });
          if (bytes.length === 0)
            throw new LongwatchError('file_changed', 'The file became shorter while it was being sent.');
          position += bytes.length;
          controller.enqueue(bytes);
          if (position < range.end) return;
          await media.close();
          controller.close();
        } catch (thrown) {
          await media.close();
          throw thrown;
        }
      },
      async cancel() {
        await media.close();
      },
    },
    { highWaterMark: 0 },
  );
}
