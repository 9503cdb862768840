/** A person asks the model about a stretch or a moment of an ingested video: the tasks, fed with its pictures. */

import type { VideoRecord } from '../index/store/records.js';
import { LongwatchError } from './errors.js';
import type { LookRequest } from './look-request.js';
import type { ModelInput } from './model.js';
import { type LookParts, readMoment, seeStretch } from './stretch.js';
import { actTask } from './tasks/act.js';
import { answerTask } from './tasks/answer.js';
import { captionTask } from './tasks/caption.js';
import { detectBoxesTask, detectPointsTask } from './tasks/detect.js';
import { eventsTask } from './tasks/events.js';
import { ground } from './tasks/ground.js';
import { readFormTask, readLinesTask } from './tasks/read.js';
import { runTask } from './tasks/task.js';
import { durationOf, formatTime, type Seconds, type TimeRange } from './time.js';

/** A look at a stretch is a look at one window. Longer ones belong to `ingest` and `search`. */
export const LONGEST_LOOK: Seconds = 120;

/**
 * Runs one task. Times in the result are media time, coordinates are pixels of the picture as a player shows it.
 * @throws {LongwatchError} `invalid_input` when words or a schema are missing, `bad_range` outside the video or above `LONGEST_LOOK`; as the decoder and the backend
 */
export async function look(
  parts: LookParts,
  video: VideoRecord,
  request: LookRequest,
  signal?: AbortSignal,
): Promise<unknown> {
  const { backend } = parts;
  const words = () => {
    if (request.words?.trim()) return request.words.trim();
    throw new LongwatchError('invalid_input', `"${request.look}" needs words: what is looked for or asked.`, {
      pointer: '/words',
      hint: `On the command line: longwatch look VIDEO ${request.look} "WORDS".`,
    });
  };
  const seeRange = () => stretchOf(parts, video, request.range, signal);
  const seeMoment = async () => ({
    picture: await readMoment(parts, video, request.at ?? 0, backend.pictureSize(video), signal),
    source: { width: video.width, height: video.height },
  });
  switch (request.look) {
    case 'caption':
      return runTask(backend, captionTask, await seeRange(), signal);
    case 'events':
      return runTask(backend, eventsTask, await seeRange(), signal);
    case 'ground':
      return ground(backend, { query: words(), ...(await seeRange()) }, {}, signal);
    case 'answer':
      return runTask(backend, answerTask, { question: words(), ...(await seeRange()) }, signal);
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

/** The pictures of what was asked about, cut to the video. */
async function stretchOf(
  parts: LookParts,
  video: VideoRecord,
  wanted: TimeRange | undefined,
  signal: AbortSignal | undefined,
): Promise<ModelInput> {
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
  return seeStretch(parts, video, range, signal);
}
