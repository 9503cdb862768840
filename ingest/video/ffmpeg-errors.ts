/** ffmpeg's complaints as errors that a person can act on. Its exit status says too little, so its words are read. */

import { type ErrorCode, LongwatchError } from '../../src/errors.js';
import type { EngineLog } from './engine.js';

interface Complaint {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

/** The first that matches decides: specific ones stand before general ones. */
const COMPLAINTS: readonly Complaint[] = [
  {
    pattern: /moov atom not found/i,
    code: 'incomplete_media',
    what: 'The file has no index (no moov atom)',
    hint: 'It was cut or is still being written; copy it again, or wait until the recording has ended.',
  },
  {
    pattern: /exceeds specified max pixel count|Picture size \d+x\d+ is invalid/i,
    code: 'too_large',
    what: 'The picture is larger than the limit of 40 million pixels',
    hint: 'Scale the video down first.',
  },
  {
    pattern:
      /(error reading header|Invalid NAL unit|Invalid data found)[\s\S]*Cannot allocate memory|exceeds max_streams/i,
    code: 'invalid_media',
    what: 'The file asks for more memory than a sound video',
    hint: 'Check that it plays in a video player; it may be damaged or made to do harm.',
  },
  {
    // ffmpeg calls the end of a Matroska file an error of input and output.
    pattern: /File ended prematurely/i,
    code: 'invalid_media',
    what: 'The file ends before anything in it can be decoded',
    hint: 'It was cut or is still being written; copy it again, or wait until the recording has ended.',
  },
  {
    pattern: /not on whitelist/i,
    code: 'invalid_media',
    what: 'The file is of a kind that is not accepted, such as a playlist or an image',
    hint: 'Give the video file itself.',
  },
  {
    pattern:
      /Unsupported codec|Decoder \(codec [^)]*\) not found|Decoder not found|doesn't suppp?ort hardware|unknown codec|Decoding requested, but no decoder/i,
    code: 'unsupported_codec',
    what: 'The decoder does not know the codec',
    hint: 'Put a full ffmpeg 5.1 or newer on the PATH, or convert the video to H.264.',
  },
  {
    pattern: /Permission denied|Input\/output error/i,
    code: 'unreadable_file',
    what: 'The file cannot be read',
    hint: 'Check the permissions and the disk.',
  },
  {
    pattern: /Cannot allocate memory/i,
    code: 'decode_failed',
    what: 'The decoder ran out of memory',
    hint: 'Scale the video down first, or use a native ffmpeg.',
  },
];

/** The error for a file from which nothing could be decoded. */
export function mediaError(
  path: string,
  log: EngineLog,
  fallback = 'Nothing in the file can be read as video',
): LongwatchError {
  const text = log.lines.join('\n');
  const complaint = COMPLAINTS.find(({ pattern }) => pattern.test(text));
  const evidence = firstComplaint(log);
  const what = complaint?.what ?? fallback;
  return new LongwatchError(
    complaint?.code ?? 'invalid_media',
    `${what}${evidence === undefined ? '' : ` (decoder: ${evidence})`}.`,
    {
      path,
      hint: complaint?.hint ?? 'Check that it plays in a video player; it may be damaged or no video at all.',
    },
  );
}

/** Longest piece of the decoder's words in a message. */
const EVIDENCE_LENGTH = 160;

/** The first thing that the decoder said, without addresses, file names and control characters; undefined when it said nothing. */
export function firstComplaint(log: EngineLog): string | undefined {
  for (const line of log.lines) {
    const text = line
      .replace(/^(?:\[[^\]]*\] *)+/, '')
      .replace(/(?:file|pipe):[^\n]*?: (?=[A-Z])/g, '')
      .replace(/\p{Cc}/gu, ' ')
      .replace(/[.\s]+$/, '')
      .trim();
    if (text !== '') return text.length > EVIDENCE_LENGTH ? `${text.slice(0, EVIDENCE_LENGTH)}…` : text;
  }
  return undefined;
}
