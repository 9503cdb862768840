/** Frames of a video by one pass over the whole file. */

import { LongwatchError } from '../../src/errors.js';
import { decodeCommand } from './decode-commands.js';
import type { DecodeRequest, VideoProbe } from './decoder.js';
import type { EngineExit, EngineOptions, FfmpegEngine } from './engine.js';
import { TickDigest } from './slice-plan.js';
import { type StampedFrame, StampedFrameReader } from './stamped-frames.js';

/** What is decoded, by what, within which limits. */
export interface DecodeTask {
  readonly engine: FfmpegEngine;
  /** Absolute path (`SourceFile`). */
  readonly path: string;
  readonly probe: VideoProbe;
  readonly request: DecodeRequest;
  readonly limits: EngineOptions;
}

/** Frames in the order of presentation, pictures behind or before their thumbnails; at last how the decoder ended. */
export type FrameStream = AsyncGenerator<StampedFrame, EngineExit>;

/** Counts frames that were handed on, so that another pass can leave out the same ones. */
export class DeliveredFrames {
  readonly #kinds = {
    thumbnail: { count: 0, digest: new TickDigest() },
    picture: { count: 0, digest: new TickDigest() },
  };

  add({ kind, printed }: StampedFrame): void {
    this.#kinds[kind].count++;
    this.#kinds[kind].digest.add(printed);
  }

  has(other: DeliveredFrames, kind: StampedFrame['kind']): boolean {
    return this.#kinds[kind].count > other.#kinds[kind].count;
  }

  equals(other: DeliveredFrames): boolean {
    return (['thumbnail', 'picture'] as const).every(
      (kind) => this.#kinds[kind].digest.value() === other.#kinds[kind].digest.value(),
    );
  }
}

/**
 * @param delivered Frames that were handed on before, which are left out.
 * @throws {LongwatchError} as `FfmpegEngine.run`; `decode_failed` when the frames to leave out are not there
 */
export async function* decodeWhole(
  { engine, path, probe, request, limits }: DecodeTask,
  delivered = new DeliveredFrames(),
): FrameStream {
  const reader = new StampedFrameReader(request);
  const again = new DeliveredFrames();
  for await (const message of engine.run(decodeCommand(path, probe, request), limits)) {
    if (message.kind === 'exit') {
      if (!again.equals(delivered)) throw differentFile(path);
      return message;
    }
    for (const frame of reader.take(message.output, message.bytes)) {
      if (delivered.has(again, frame.kind)) again.add(frame);
      else yield frame;
    }
  }
  throw new LongwatchError('decode_failed', 'The decoder ended without a result.', { path });
}

function differentFile(path: string): LongwatchError {
  return new LongwatchError('decode_failed', 'The file gave other frames when it was read again.', {
    path,
    hint: 'It may have changed meanwhile. If not, set LONGWATCH_DECODE_WORKERS to 1.',
  });
}
