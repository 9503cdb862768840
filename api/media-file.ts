/** A video file as it is sent to a player: opened safely, read in chunks, closed whatever happens. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { VideoRecord } from '../index/store/records.js';
import { LongwatchError, toLongwatchError } from '../src/errors.js';
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

/**
 * Opens the file of a video and makes sure that it is the one that was ingested (same size, same modification time).
 * A link in the last place of the path is not followed; a pipe or device does not block.
 * @throws {LongwatchError} `file_not_found`, `unreadable_file`, `not_a_file`, `file_changed`. Nothing stays open then.
 */
export async function openMedia(video: VideoRecord): Promise<{ handle: FileHandle; size: number }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(video.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) throw new LongwatchError('not_a_file', `"${video.path}" is no longer a regular file.`);
    if (stat.size !== video.sizeBytes || Math.abs(stat.mtimeMs - video.modified) >= 1)
      throw new LongwatchError('file_changed', `"${video.path}" is not the file that was ingested any more.`, {
        hint: 'Ingest it again.',
      });
    return { handle, size: stat.size };
  } catch (thrown) {
    await handle?.close();
    throw toLongwatchError(thrown, video.path);
  }
}

/** The bytes of a range. Reads only when the reader wants more; closes the handle at the end, on an error and when the reader leaves. */
export function streamBytes(handle: FileHandle, range: ByteRange): ReadableStream<Uint8Array> {
  let position = range.start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const wanted = Math.min(CHUNK_BYTES, range.end - position);
          const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, position);
          if (bytesRead === 0)
            throw new LongwatchError('file_changed', 'The file became shorter while it was being sent.');
          position += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
          if (position < range.end) return;
          await handle.close();
          controller.close();
        } catch (thrown) {
          await handle.close();
          throw thrown;
        }
      },
      async cancel() {
        await handle.close();
      },
    },
    { highWaterMark: 0 },
  );
}
