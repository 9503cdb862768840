/** A person asks the model about a stretch or a moment of an ingested video: the tasks, fed with its pictures. */

import type { VideoRecord } from '../index/store/records.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { Picture } from '../ingest/video/frame.js';
import type { Backend } from './backend.js';
import { LongwatchError } from './errors.js';
import type { LookRequest } from './look-request.js';
import { actTask } from './tasks/act.js';
import { answerTask } from './tasks/answer.js';
import { captionTask } from './tasks/caption.js';
import { detectBoxesTask, detectPointsTask } from './tasks/detect.js';
import { eventsTask } from './tasks/events.js';
import { ground } from './tasks/ground.js';
import { readFormTask, readLinesTask } from './tasks/read.js';
import { runTask } from './tasks/task.js';
import { durationOf, formatTime, type Seconds, type TimeRange } from './time.js';

export interface LookParts {
  readonly backend: Backend;
  readonly decoder: Decoder;
}

/** A look at a stretch is a look at one window. Longer ones belong to `ingest` and `search`. */
export const LONGEST_LOOK: Seconds = 120;
/** Visual tokens of one look. */
const TOKEN_BUDGET = 4096;
/** Longer than the decoder's tolerance and shorter than any frame, so that it holds the frame at its start and no other. */
const INSTANT: Seconds = 2e-6;
/** No more than four pictures a second: the model's time ids are half a second apart. */
const SHORTEST_INTERVAL: Seconds = 0.25;

/**
 * Runs one task. Times in the result are media time, coordinates are pixels of the picture as a player shows it.
 * @throws {LongwatchError} `invalid_input` when words or a schema are missing, `bad_range` outside the video or above `LONGEST_LOOK`; as the decoder and the backend
 */
export async function look(
  { backend, decoder }: LookParts,
  video: VideoRecord,
  request: LookRequest,
  signal?: AbortSignal,
): Promise<unknown> {
  const words = () => {
    if (request.words?.trim()) return request.words.trim();
    throw new LongwatchError('invalid_input', `"${request.look}" needs words: what is looked for or asked.`, {
      pointer: '/words',
      hint: `On the command line: longwatch look VIDEO ${request.look} "WORDS".`,
    });
  };
  const seeStretch = () => stretchOf({ backend, decoder }, video, request.range, signal);
  const seeMoment = async () => ({
    picture: await momentOf({ backend, decoder }, video, request.at ?? 0, signal),
    source: { width: video.width, height: video.height },
  });
  switch (request.look) {
    case 'caption':
      return runTask(backend, captionTask, await seeStretch(), signal);
    case 'events':
      return runTask(backend, eventsTask, await seeStretch(), signal);
    case 'ground':
      return ground(backend, { query: words(), ...(await seeStretch()) }, {}, signal);
    case 'answer':
      return runTask(backend, answerTask, { question: words(), ...(await seeStretch()) }, signal);
    case 'boxes':
      return runTask(backend, detectBoxesTask, { what: words(), ...(await seeMoment()) }, signal);
    case 'points':
      return runTask(backend, detectPointsTask, { what: words(), ...(await seeMoment()) }, signal);
    case 'lines':
      return runTask(backend, readLinesTask, await seeMoment(), signal);
    case 'form': {
      const { schema } = request;
      if (schema === undefined)
        throw new LongwatchError('invalid_input', '"form" needs the JSON schema of its answer.', {
          pointer: '/schema',
          hint: 'On the command line: `--schema FILE`.',
        });
      const hint = request.words?.trim();
      return runTask(backend, readFormTask, { schema, ...(await seeMoment()), ...(hint ? { hint } : {}) }, signal);
    }
    case 'act':
      return runTask(backend, actTask, { goal: words(), ...(await seeMoment()) }, signal);
    default:
      return request.look satisfies never;
  }
}

/** The pictures of a stretch at the rate that the token budget allows, an even number. */
async function stretchOf(
  { backend, decoder }: LookParts,
  video: VideoRecord,
  wanted: TimeRange | undefined,
  signal: AbortSignal | undefined,
): Promise<{ range: TimeRange; pictures: readonly Picture[] }> {
  const range = {
    start: Math.max(0, wanted?.start ?? 0),
    end: Math.min(video.duration, wanted?.end ?? video.duration),
  };
  if (wanted && wanted.start >= video.duration) {
    throw new LongwatchError('bad_range', `${formatTime(wanted.start)} lies behind the end of the video.`, {
      hint: `It is ${formatTime(video.duration)} long.`,
    });
  }
  if (!(range.end > range.start) || durationOf(range) > LONGEST_LOOK) {
    throw new LongwatchError(
      'bad_range',
      `${formatTime(range.start)} – ${formatTime(range.end)} cannot be looked at in one go.`,
      {
        hint: `Give a stretch inside the video (${formatTime(video.duration)} long) of at most ${LONGEST_LOOK} s.`,
      },
    );
  }
  const size = backend.pictureSize(video);
  const pairs = Math.max(1, Math.floor(TOKEN_BUDGET / backend.tokensPerPair(size)));
  const shortest = backend.frameRate ? 1 / backend.frameRate : SHORTEST_INTERVAL;
  const interval = Math.max(SHORTEST_INTERVAL, shortest, durationOf(range) / (2 * pairs));
  const pictures = await read(decoder, video, range, size, interval, signal);
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

/** The frame that is on screen at a time. */
async function momentOf(
  { backend, decoder }: LookParts,
  video: VideoRecord,
  at: Seconds,
  signal: AbortSignal | undefined,
): Promise<Picture> {
  const options = signal ? { signal } : {};
  const probe = await decoder.probe(video.path, options);
  const { time } = await decoder.still(
    video.path,
    probe,
    { time: at, firstFrameTime: video.firstFrameTime },
    undefined,
    options,
  );
  const [picture] = await read(
    decoder,
    video,
    { start: time, end: time + INSTANT },
    backend.pictureSize(video),
    0,
    signal,
  );
  if (!picture)
    throw new LongwatchError('decode_failed', `The frame at ${formatTime(time)} could not be read again.`, {
      path: video.path,
    });
  return picture;
}

async function read(
  decoder: Decoder,
  video: VideoRecord,
  range: TimeRange,
  size: { readonly width: number; readonly height: number },
  interval: Seconds,
  signal: AbortSignal | undefined,
): Promise<Picture[]> {
  const options = signal ? { signal } : {};
  const probe = await decoder.probe(video.path, options);
  return decoder.stretch(
    video.path,
    probe,
    { range, firstFrameTime: video.firstFrameTime, ...size, interval },
    options,
  );
}
