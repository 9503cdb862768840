/** The subtitle layer: text streams inside the file and text files beside it become events. */

import type { ObjectStore } from '../../../ingest/objects/object-store.js';
import type { DecodeOptions, Decoder, SourceCue, VideoProbe } from '../../../ingest/video/decoder.js';
import { toLongwatchError } from '../../errors.js';
import type { MediaEvent } from '../../event.js';
import type { Seconds } from '../../time.js';
import { readCaptionFiles } from './caption-file.js';
import { plainCueText } from './cue-text.js';

/** Subtitles are timed by hand to the millisecond that is written, but to the ear, not to the frame: editors' guides allow two frames. */
export const CUE_PRECISION: Seconds = 0.08;

/** One text track with times on the container's clock. */
export interface SubtitleTrack {
  /** `stream 2` or a file name. */
  readonly origin: string;
  readonly language?: string;
  readonly cues: readonly SourceCue[];
  /** Changes when the words or times change. */
  readonly identity: string;
}

export interface SubtitleTracks {
  readonly tracks: readonly SubtitleTrack[];
  /** Plain sentences about what was left out. */
  readonly warnings: readonly string[];
}

/**
 * Reads all text tracks of a video. A track that cannot be read is left out and named in `warnings`.
 * @param objects where a video at an `s3://` place is
 */
export async function readSubtitles(
  decoder: Decoder,
  videoPath: string,
  probe: VideoProbe,
  options: DecodeOptions = {},
  objects?: ObjectStore,
): Promise<SubtitleTracks> {
  const tracks: SubtitleTrack[] = [];
  const warnings: string[] = [];
  for (const stream of probe.subtitles) {
    const origin = `stream ${stream.index}`;
    if (!stream.textual) {
      warnings.push(`The subtitles in ${origin} (${stream.codec}) are pictures and carry no text.`);
      continue;
    }
    try {
      const cues = await decoder.subtitles(videoPath, stream, options);
      tracks.push({
        origin,
        cues,
        identity: origin,
        ...(stream.language === undefined ? {} : { language: stream.language }),
      });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      warnings.push(`The subtitles in ${origin} were not read: ${toLongwatchError(error).message}`);
    }
  }
  const beside = await readCaptionFiles(videoPath, objects, options.signal);
  const playerZero = probe.containerStart ?? 0;
  for (const file of beside.files) {
    tracks.push({
      origin: file.path,
      identity: file.sha256,
      cues: file.cues.map((cue) => ({
        ...cue,
        containerStart: cue.containerStart + playerZero,
        containerEnd: cue.containerEnd + playerZero,
      })),
      ...(file.language === undefined ? {} : { language: file.language }),
    });
    if (file.warning !== undefined) warnings.push(file.warning);
  }
  return { tracks, warnings: [...warnings, ...beside.problems] };
}

/**
 * Events of all tracks in media time, sorted by start. Cues that are on screen before the first frame are cut to it; cues without words
 * or wholly before the first frame are left out.
 * @param firstFrameTime Container time of the first presented frame.
 */
export function subtitleEvents(tracks: readonly SubtitleTrack[], firstFrameTime: Seconds): MediaEvent[] {
  const events: MediaEvent[] = [];
  for (const track of tracks) {
    for (const cue of track.cues) {
      const text = plainCueText(cue.text);
      const start = Math.max(0, cue.containerStart - firstFrameTime);
      const end = cue.containerEnd - firstFrameTime;
      if (text === '' || end <= start) continue;
      events.push({
        kind: 'subtitle',
        source: 'subtitle',
        start,
        end,
        precision: CUE_PRECISION,
        text,
        attributes: track.language === undefined ? {} : { language: track.language },
      });
    }
  }
  return events.sort((a, b) => a.start - b.start || a.end - b.end || compare(a.text, b.text));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
