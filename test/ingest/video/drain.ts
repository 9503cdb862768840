/** A whole decode as lists. */

import { createHash } from 'node:crypto';
import type {
  DecodeOptions,
  DecodeRequest,
  Decoder,
  DecodeSummary,
  VideoProbe,
} from '../../../ingest/video/decoder.js';
import type { Picture, Thumbnail } from '../../../ingest/video/frame.js';

export interface Drained {
  readonly probe: VideoProbe;
  readonly frames: readonly (Thumbnail | Picture)[];
  readonly thumbnails: readonly Thumbnail[];
  readonly pictures: readonly Picture[];
  readonly summary: DecodeSummary;
}

export async function drain(
  decoder: Decoder,
  file: string,
  request: DecodeRequest = {},
  options: DecodeOptions = {},
): Promise<Drained> {
  const probe = await decoder.probe(file);
  const frames: (Thumbnail | Picture)[] = [];
  const decode = decoder.decode(file, probe, request, options);
  let next = await decode.next();
  while (!next.done) {
    frames.push(next.value);
    next = await decode.next();
  }
  return {
    probe,
    frames,
    thumbnails: frames.filter((frame) => frame.kind === 'thumbnail'),
    pictures: frames.filter((frame) => frame.kind === 'picture'),
    summary: next.value,
  };
}

function byFrame(a: Thumbnail | Picture, b: Thumbnail | Picture): number {
  return a.index - b.index || b.kind.localeCompare(a.kind);
}

/** Everything that a decode tells, with pixels as digests. */
export function fingerprint({ probe, frames, summary }: Drained) {
  return {
    probe,
    summary,
    // A picture may lag its thumbnail by some frames, on one engine more than on the other.
    frames: frames
      .toSorted(byFrame)
      .map(({ rgb, ...rest }) => ({ ...rest, rgb: createHash('sha256').update(rgb).digest('hex') })),
  };
}
