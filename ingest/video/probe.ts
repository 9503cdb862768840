/** ffprobe's JSON → `VideoProbe`. Everything in it is a claim of the file, so every field is checked before it is believed. */

import { LongwatchError } from '../../src/errors.js';
import { parseRatio, type Seconds, type TimeBase } from '../../src/time.js';
import { MAX_PIXELS } from './commands.js';
import type { AudioStream, Chapter, SubtitleStream, VideoProbe, VideoStream } from './decoder.js';
import type { EngineLog } from './engine.js';
import { mediaError } from './ffmpeg-errors.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * Containers whose index finds the key frame on or before a presentation time, so that no run-up is needed. Elsewhere the seek goes
 * by decoding times, and may land behind the wanted frame.
 */
export const INDEXED_BY_PRESENTATION: ReadonlySet<string> = new Set(['mp4', 'matroska']);

/** Below this, ffprobe itself is guessing: random bytes come out as sound or raw video (100 is certain, 50 goes by the name alone). */
const MIN_PROBE_SCORE = 25;
/** A pixel more than this much longer than wide, or wider than long, is a damaged header. */
const MAX_PIXEL_STRETCH = 16;
const MAX_TAG_LENGTH = 1000;
const MAX_FPS = 1000;
/** What sound is stored with; anything else is a damaged header. */
const MIN_SAMPLE_RATE = 2000;
const MAX_SAMPLE_RATE = 384_000;

/** Subtitle codecs that are pictures. */
const PICTURE_SUBTITLES = new Set(['dvd_subtitle', 'hdmv_pgs_subtitle', 'dvb_subtitle', 'xsub', 'dvb_teletext']);

/**
 * @throws {LongwatchError} `invalid_media`, `incomplete_media`, `no_video`, `too_large`, `unsupported_codec`, `unreadable_file`
 */
export function readProbe(
  json: string,
  log: EngineLog,
  file: { path: string; sizeBytes: number },
  undecodable: ReadonlySet<string>,
): VideoProbe {
  const root = parse(json);
  const format = object(root['format']);
  const streams = list(root['streams']);
  const container = text(format['format_name']);
  if (container === undefined || streams.length === 0) throw mediaError(file.path, log);
  if ((number(format['probe_score']) ?? 0) < MIN_PROBE_SCORE) {
    throw new LongwatchError(
      'invalid_media',
      `Nothing in the file is typical of a video; at best it might be ${container}.`,
      {
        path: file.path,
        hint: 'Check that it plays in a video player.',
      },
    );
  }
  const chosen = chooseVideo(streams, file.path);
  const video = readVideo(chosen, log, file.path, undecodable);
  const containerStart = number(format['start_time']);
  const claimedDuration =
    positive(number(chosen['duration'])) ?? taggedDuration(chosen, format) ?? positive(number(format['duration']));
  return {
    container: container.includes('mp4') ? 'mp4' : (container.split(',')[0] ?? container),
    sizeBytes: file.sizeBytes,
    ...(claimedDuration === undefined ? {} : { claimedDuration }),
    ...(containerStart === undefined ? {} : { containerStart }),
    video,
    audio: streams.filter(isType('audio')).map(readAudio),
    subtitles: streams.filter(isType('subtitle')).map(readSubtitle),
    chapters: list(root['chapters']).flatMap(readChapter),
    tags: readTags(object(format['tags'])),
  };
}

/** The stream a player shows: no cover art, the one marked as default, else the first. */
function chooseVideo(streams: readonly Json[], path: string): Json {
  const videos = streams.filter(isType('video'));
  const moving = videos.filter((stream) => !flag(stream, 'attached_pic') && !flag(stream, 'timed_thumbnails'));
  const chosen = moving.find((stream) => flag(stream, 'default')) ?? moving[0];
  if (chosen) return chosen;
  const there =
    videos.length > 0
      ? 'only cover art'
      : `only ${[...new Set(streams.map((s) => text(s['codec_type']) ?? 'unknown data'))].join(' and ')}`;
  throw new LongwatchError('no_video', `The file carries ${there}.`, {
    path,
    hint: 'Give a file that has a video stream.',
  });
}

function readVideo(stream: Json, log: EngineLog, path: string, undecodable: ReadonlySet<string>): VideoStream {
  const codec = text(stream['codec_name']);
  const codedWidth = number(stream['width']) ?? 0;
  const codedHeight = number(stream['height']) ?? 0;
  const timeBase = parseRatio(text(stream['time_base']));
  if (codedWidth * codedHeight > MAX_PIXELS) {
    throw new LongwatchError(
      'too_large',
      `The picture is ${codedWidth} × ${codedHeight}; the limit is ${MAX_PIXELS / 1e6} million pixels.`,
      {
        path,
        hint: 'Scale the video down first.',
      },
    );
  }
  if (codec === undefined || codec === 'unknown' || codec === 'none' || undecodable.has(codec)) {
    throw new LongwatchError(
      'unsupported_codec',
      `The video is coded as ${codec ?? 'something unknown'}, which this decoder cannot decode.`,
      {
        path,
        hint: 'Put a full ffmpeg 5.1 or newer on the PATH, or convert the video to H.264.',
      },
    );
  }
  if (!(codedWidth > 0 && codedHeight > 0) || timeBase === undefined) {
    throw mediaError(path, log, `The ${codec} stream has no picture size`);
  }
  const rotation = readRotation(stream);
  const sampleAspect = readSampleAspect(stream);
  const nominalFps = readFps(stream);
  const pixelFormat = text(stream['pix_fmt']);
  const claimedFrames = positive(number(stream['nb_frames']));
  return {
    index: number(stream['index']) ?? 0,
    codec,
    codedWidth,
    codedHeight,
    ...displaySize(codedWidth, codedHeight, sampleAspect, rotation),
    rotation,
    sampleAspect,
    timeBase,
    ...(nominalFps === undefined ? {} : { nominalFps }),
    ...(pixelFormat === undefined ? {} : { pixelFormat }),
    ...(claimedFrames === undefined ? {} : { claimedFrames }),
  };
}

/** Square pixels by stretching the shorter side (no detail is thrown away), then turned upright. */
function displaySize(
  codedWidth: number,
  codedHeight: number,
  sampleAspect: number,
  rotation: number,
): { width: number; height: number } {
  const width = sampleAspect > 1 ? Math.round(codedWidth * sampleAspect) : codedWidth;
  const height = sampleAspect < 1 ? Math.round(codedHeight / sampleAspect) : codedHeight;
  return rotation % 180 === 0 ? { width, height } : { width: height, height: width };
}

/** ffprobe counts counter-clockwise; within a degree of a quarter turn the decoder turns the picture by it. */
function readRotation(stream: Json): VideoStream['rotation'] {
  const matrix = list(stream['side_data_list']).find((data) => text(data['side_data_type']) === 'Display Matrix');
  const clockwise = ((-(number(matrix?.['rotation']) ?? 0) % 360) + 360) % 360;
  return ([90, 180, 270] as const).find((quarter) => Math.abs(clockwise - quarter) < 1) ?? 0;
}

function readSampleAspect(stream: Json): number {
  const aspect = parseRatio(text(stream['sample_aspect_ratio']));
  if (!aspect) return 1;
  const value = aspect.num / aspect.den;
  return value <= MAX_PIXEL_STRETCH && value >= 1 / MAX_PIXEL_STRETCH ? value : 1;
}

function readFps(stream: Json): number | undefined {
  const rates = [stream['avg_frame_rate'], stream['r_frame_rate']].map((rate) => parseRatio(text(rate)));
  return rates
    .map((rate: TimeBase | undefined) => (rate ? rate.num / rate.den : 0))
    .find((fps) => fps > 0 && fps <= MAX_FPS);
}

function readAudio(stream: Json): AudioStream {
  const sampleRate = number(stream['sample_rate']);
  return {
    index: number(stream['index']) ?? 0,
    codec: text(stream['codec_name']) ?? 'unknown',
    ...(sampleRate !== undefined && sampleRate >= MIN_SAMPLE_RATE && sampleRate <= MAX_SAMPLE_RATE
      ? { sampleRate }
      : {}),
    ...language(stream),
  };
}

function readSubtitle(stream: Json): SubtitleStream {
  const codec = text(stream['codec_name']) ?? 'unknown';
  const title = clean(text(object(stream['tags'])['title']) ?? '');
  return {
    index: number(stream['index']) ?? 0,
    codec,
    textual: codec !== 'unknown' && !PICTURE_SUBTITLES.has(codec),
    ...language(stream),
    ...(title === '' ? {} : { title }),
    forced: flag(stream, 'forced'),
  };
}

function language(stream: Json): { language?: string } {
  const code = text(object(stream['tags'])['language']);
  return code !== undefined && /^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i.test(code) && code !== 'und' ? { language: code } : {};
}

function readChapter(chapter: Json, index: number): Chapter[] {
  const containerStart = number(chapter['start_time']);
  const containerEnd = number(chapter['end_time']);
  if (containerStart === undefined || containerEnd === undefined || containerEnd < containerStart) return [];
  const title = clean(text(object(chapter['tags'])['title']) ?? '');
  return [{ containerStart, containerEnd, title: title === '' ? `Chapter ${index + 1}` : title }];
}

/** What muxers write about themselves. */
const TECHNICAL_TAGS = new Set(['major_brand', 'minor_version', 'compatible_brands', 'encoder']);

function readTags(tags: Json): Record<string, string> {
  const entries = Object.entries(tags)
    .filter(([key]) => !TECHNICAL_TAGS.has(key.toLowerCase()))
    .map(([key, value]) => [clean(key).toLowerCase(), clean(String(value))] as const);
  return Object.fromEntries(entries.filter(([key, value]) => key !== '' && value !== '').slice(0, 100));
}

function clean(value: string): string {
  return value
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_TAG_LENGTH);
}

function parse(json: string): Json {
  try {
    return object(JSON.parse(json));
  } catch {
    return {};
  }
}

/**
 * Matroska's writers note how long each stream is; the file is as long as the longest, which may be its subtitles. libavformat notes
 * where the stream ends on the container's clock, so what lies before its first frame is taken off; mkvmerge and others note the length.
 */
function taggedDuration(stream: Json, format: Json): Seconds | undefined {
  const tags = object(stream['tags']);
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text(tags['DURATION']) ?? '') ?? [];
  const noted = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const isEnd = writer(format).startsWith('Lavf') && !Object.keys(tags).some((tag) => tag.startsWith('_STATISTICS'));
  return positive(isEnd ? noted - (number(stream['start_time']) ?? 0) : noted);
}

/** The library that wrote the container. mkvmerge keeps the note of the one before, and adds statistics of its own to the streams. */
function writer(format: Json): string {
  const [, name] = Object.entries(object(format['tags'])).find(([tag]) => tag.toLowerCase() === 'encoder') ?? [];
  return text(name) ?? '';
}

function isType(type: string): (stream: Json) => boolean {
  return (stream) => stream['codec_type'] === type;
}

function flag(stream: Json, disposition: string): boolean {
  return object(stream['disposition'])[disposition] === 1;
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A finite number, also when it is written as text, as ffprobe writes times. */
function number(value: unknown): number | undefined {
  const parsed = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) ? parsed : undefined;
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
