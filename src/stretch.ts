/** Pictures of an ingested video as a model is shown them: of a stretch, as many as a look may cost. */

import type { VideoRecord } from '../index/store/records.js';
import { mediaState } from '../ingest/media.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { Picture } from '../ingest/video/frame.js';
import type { Backend } from './backend.js';
import { LongwatchError, toLongwatchError } from './errors.js';
import type { ModelInput } from './model.js';
import { durationOf, formatTime, type Seconds, type TimeRange } from './time.js';

/** What frames of an ingested video are read with. */
export interface FilmReader {
  readonly decoder: Decoder;
  /** Where videos at `s3://` places are. @default nowhere */
  readonly objects?: ObjectStore | undefined;
}

export interface LookParts extends FilmReader {
  readonly backend: Backend;
}

/** Visual tokens of one look: twice what the plan gives a window, so that a second look sees more than the first. */
const TOKEN_BUDGET = 4096;
/** No more than four pictures a second: the model's time ids are half a second apart. */
const SHORTEST_INTERVAL: Seconds = 0.25;
/** Longer than the decoder's tolerance and shorter than any frame, so that it holds the frame at its start and no other. */
const INSTANT: Seconds = 2e-6;

/**
 * The pictures of a stretch, an even number: at the model's frame rate where it names one, else as dense as the token budget allows.
 * @throws {LongwatchError} `bad_range` when no frame begins in it; as `readPictures`
 */
export async function seeStretch(
  { backend, ...reader }: LookParts,
  video: VideoRecord,
  range: TimeRange,
  signal: AbortSignal | undefined,
): Promise<ModelInput> {
  const size = backend.pictureSize(video);
  const { interval } = rhythmOf(backend, size, range, TOKEN_BUDGET);
  const pictures = await readPictures(reader, video, range, size, interval, signal);
  const [first] = pictures;
  if (!first) {
    throw new LongwatchError('bad_range', `No frame begins in ${formatTime(range.start)} – ${formatTime(range.end)}.`, {
      hint: 'Give a longer stretch.',
    });
  }
  // The model sees frames in pairs: a single one is shown twice, an odd last one is left out.
  return {
    range,
    pictures: pictures.length === 1 ? [first, first] : pictures.slice(0, 2 * Math.floor(pictures.length / 2)),
  };
}

/** How many pairs of pictures of this size a look may show, and how far apart its pictures lie: at the model's frame rate where it names one. */
export function rhythmOf(
  backend: Pick<Backend, 'frameRate' | 'tokensPerPair'>,
  size: { readonly width: number; readonly height: number },
  range: TimeRange,
  tokens: number,
): { readonly pairs: number; readonly interval: Seconds } {
  const pairs = Math.max(1, Math.floor(tokens / backend.tokensPerPair(size)));
  const shortest = Math.max(SHORTEST_INTERVAL, backend.frameRate ? 1 / backend.frameRate : 0);
  return { pairs, interval: Math.max(shortest, durationOf(range) / (2 * pairs)) };
}

/**
 * @param interval At most one picture per this much. 0 gives every frame.
 * @throws {LongwatchError} `file_changed` when the file is not the one that was ingested; as `Decoder.probe` and `Decoder.stretch`
 */
export async function readPictures(
  { decoder, objects }: FilmReader,
  video: VideoRecord,
  range: TimeRange,
  size: { readonly width: number; readonly height: number },
  interval: Seconds,
  signal: AbortSignal | undefined,
): Promise<Picture[]> {
  await refuseOtherFile(video, objects);
  const options = signal ? { signal } : {};
  const probe = await decoder.probe(video.path, options);
  return decoder.stretch(
    video.path,
    probe,
    { range, firstFrameTime: video.firstFrameTime, ...size, interval },
    options,
  );
}

/**
 * The frame that is on screen at a time.
 * @throws {LongwatchError} `decode_failed` when it cannot be read twice; as `readPictures` and `Decoder.still`
 */
export async function readMoment(
  reader: FilmReader,
  video: VideoRecord,
  at: Seconds,
  size: { readonly width: number; readonly height: number },
  signal: AbortSignal | undefined,
): Promise<Picture> {
  const { decoder } = reader;
  const options = signal ? { signal } : {};
  const probe = await decoder.probe(video.path, options);
  const wanted = { time: at, firstFrameTime: video.firstFrameTime };
  const { time } = await decoder.still(video.path, probe, wanted, undefined, options);
  const [picture] = await readPictures(reader, video, { start: time, end: time + INSTANT }, size, 0, signal);
  if (picture) return picture;
  throw new LongwatchError('decode_failed', `The frame at ${formatTime(time)} could not be read again.`, {
    path: video.path,
  });
}

/** Times of another file mean nothing: same size, same modification time. Unlike `refuseChangedFile` it speaks of a video that was ingested long ago. */
async function refuseOtherFile({ path, sizeBytes, modified }: VideoRecord, objects?: ObjectStore): Promise<void> {
  const now = await mediaState(path, objects).catch((cause: unknown) => {
    throw toLongwatchError(cause, path);
  });
  if (now.sizeBytes === sizeBytes && Math.abs(now.modified - modified) < 1) return;
  throw new LongwatchError('file_changed', `"${path}" is not the file that was ingested any more.`, {
    path,
    hint: 'Ingest it again.',
  });
}
