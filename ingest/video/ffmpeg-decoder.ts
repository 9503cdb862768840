/** The decoder, over either engine. Both speak the same command language, so all that is decided here is decided once. */

import { LongwatchError } from '../../src/errors.js';
import type { Seconds } from '../../src/time.js';
import type { ObjectStore } from '../objects/object-store.js';
import { BlockReader, BoundedBytes, LineReader, readTimeLine } from './byte-readers.js';
import { type Clip, type ClipRequest, planFile } from './clip.js';
import {
  MAX_PIXELS,
  pictureCommand,
  pictureProbeCommand,
  probeCommand,
  STILL_OUTPUT,
  STRETCH_OUTPUT,
  type StretchTicks,
  SUBTITLE_OUTPUT,
  stillCommand,
  stretchCommand,
  subtitleCommand,
} from './commands.js';
import { DecodePass } from './decode-pass.js';
import {
  type DecodeOptions,
  type DecodeRequest,
  type Decoder,
  type DecodeSummary,
  MAX_STRETCH_BYTES,
  type PictureReader,
  type SoundBlock,
  type SoundRequest,
  type SourceCue,
  type StretchRequest,
  type SubtitleStream,
  type VideoProbe,
} from './decoder.js';
import type { EngineLog, EngineOptions, FfmpegCommand, FfmpegEngine } from './engine.js';
import { mediaError } from './ffmpeg-errors.js';
import type { Picture, Thumbnail } from './frame.js';
import {
  liesOnItsSide,
  orientationOf,
  PICTURE_HEAD_BYTES,
  pictureError,
  pictureFormat,
  readPictureSize,
  turned,
  upright,
} from './picture-file.js';
import { INDEXED_BY_PRESENTATION, readProbe } from './probe.js';
import { SLICE_LIMITS, type SliceLimits } from './slice-plan.js';
import { decodeInSlices, isWorthSlicing } from './sliced-decode.js';
import { readSound } from './sound-reading.js';
import { beginsAsMp4, checkSourceFile, readHead, type SourceFile } from './source-file.js';
import { readCues } from './subtitle-cues.js';
import { decodeWhole } from './whole-decode.js';

const DEFAULT_STALL_LIMIT: Seconds = 60;
/** Commands that may read a whole file before they write anything get this much more time: the file at 20 MB/s. */
const SLOW_READING_BYTES_PER_SECOND = 20_000_000;

const MAX_PROBE_BYTES = 16 * 1024 * 1024;
const MAX_JPEG_BYTES = 64 * 1024 * 1024;
const MAX_SUBTITLE_BYTES = 64 * 1024 * 1024;

/** How far before the wanted time reading starts, and where next when no frame came before it; at last from the beginning. */
const STILL_RUN_UPS: readonly Seconds[] = [1, 10, 60];
/** A printed time may be this much too early: `roundToMilliseconds` lets a microsecond pass. */
const TIME_TOLERANCE: Seconds = 1e-6;

/** Streams without a container: any bytes make one "frame" of them. */
const BARE_STREAMS = new Set([
  'h264',
  'hevc',
  'vvc',
  'm4v',
  'mpegvideo',
  'mpeg',
  'obu',
  'av1',
  'vc1',
  'cavsvideo',
  'dv',
]);

export interface FfmpegDecoderOptions {
  /** Engines that decode one long video at once, in slices; 1 decodes it in one pass. Frames and summary are the same. @default 1 */
  readonly workers?: number;
  /** How long a slice is. @default SLICE_LIMITS */
  readonly slices?: SliceLimits;
}

export class FfmpegDecoder implements Decoder, PictureReader {
  readonly workers: number;
  readonly #slices: SliceLimits;

  /** @param objects where `s3://` places are read from; the engine reads them from the same */
  constructor(
    readonly engine: FfmpegEngine,
    readonly objects?: ObjectStore,
    { workers = 1, slices = SLICE_LIMITS }: FfmpegDecoderOptions = {},
  ) {
    this.workers = workers;
    this.#slices = slices;
  }

  get id(): Decoder['id'] {
    return this.engine.id;
  }

  version(): Promise<string> {
    return this.engine.version();
  }

  async probe(path: string, options: DecodeOptions = {}): Promise<VideoProbe> {
    const file = await checkSourceFile(path, this.objects, options.signal);
    const json = new BoundedBytes(MAX_PROBE_BYTES);
    const { log } = await this.#collect(probeCommand(file.path), slowReading(options, file), (_output, bytes) =>
      json.push(bytes),
    );
    try {
      const text = json.bytes()?.toString('utf8') ?? '';
      return readProbe(text, log, { path, sizeBytes: file.sizeBytes }, this.engine.undecodable);
    } catch (error) {
      if (
        !(error instanceof LongwatchError) ||
        error.code !== 'incomplete_media' ||
        (await beginsAsMp4(file, this.objects))
      )
        throw error;
      throw new LongwatchError('invalid_media', 'The file does not begin like a video.', {
        path,
        hint: 'Check that it plays in a video player; its name may be all it has of a video.',
      });
    }
  }

  async *decode(
    path: string,
    probe: VideoProbe,
    request: DecodeRequest,
    options: DecodeOptions = {},
  ): AsyncGenerator<Thumbnail | Picture, DecodeSummary> {
    checkPictureRequest(request);
    const file = await checkSourceFile(path, this.objects, options.signal);
    const pass = new DecodePass(probe, request);
    const task = { engine: this.engine, path: file.path, probe, request, limits: engineOptions(options) };
    const inSlices = this.workers > 1 && (await isWorthSlicing(file.path, probe, this.#slices));
    const frames = inSlices ? decodeInSlices(task, this.workers, this.#slices) : decodeWhole(task);
    try {
      for (let step = await frames.next(); ; step = await frames.next()) {
        if (step.done) {
          const { code, log } = step.value;
          if (!isEvidence(pass.frameCount, probe)) throw mediaError(path, log, 'Not one frame could be decoded');
          return pass.summary(code, log);
        }
        yield* pass.take(step.value);
      }
    } finally {
      // Left in the middle, engines are still running.
      await frames.return({ kind: 'exit', code: undefined, log: { lines: [], lineCount: 0 } });
    }
  }

  async *sound(
    path: string,
    probe: VideoProbe,
    request: SoundRequest,
    options: DecodeOptions = {},
  ): AsyncGenerator<SoundBlock, void> {
    const file = await checkSourceFile(path, this.objects, options.signal);
    yield* readSound(this.engine, file.path, probe, request, slowReading(options, file));
  }

  async subtitles(path: string, stream: SubtitleStream, options: DecodeOptions = {}): Promise<SourceCue[]> {
    if (!stream.textual) {
      throw new LongwatchError(
        'invalid_input',
        `Subtitle stream ${stream.index} (${stream.codec}) holds pictures, not text.`,
        { path },
      );
    }
    const file = await checkSourceFile(path, this.objects, options.signal);
    const texts = new BoundedBytes(MAX_SUBTITLE_BYTES);
    const list = new LineReader();
    const lines: string[] = [];
    const { code, log } = await this.#collect(
      subtitleCommand(file.path, stream.index),
      slowReading(options, file),
      (output, bytes) => {
        if (output === SUBTITLE_OUTPUT.texts) texts.push(bytes);
        else lines.push(...list.push(bytes));
      },
    );
    const bytes = texts.bytes();
    if (bytes === undefined) {
      throw new LongwatchError(
        'too_large',
        `Subtitle stream ${stream.index} is longer than ${MAX_SUBTITLE_BYTES} bytes.`,
        { path },
      );
    }
    const cues = readCues(lines, bytes);
    if (code !== 0 && cues.length === 0) throw mediaError(path, log, `Subtitle stream ${stream.index} cannot be read`);
    return cues;
  }

  async still(
    path: string,
    probe: VideoProbe,
    at: { readonly time: Seconds; readonly firstFrameTime: Seconds },
    width: number = probe.video.width,
    options: DecodeOptions = {},
  ): Promise<{ readonly jpeg: Uint8Array; readonly time: Seconds }> {
    const { video } = probe;
    const height = Math.max(1, Math.round((width * video.height) / video.width));
    checkSize(width, height);
    const file = await checkSourceFile(path, this.objects, options.signal);
    const limits = slowReading(options, file);
    const { num, den } = video.timeBase;
    const firstPts = Math.round((at.firstFrameTime * den) / num);
    const ticks = firstPts + Math.max(0, Math.floor(((at.time + TIME_TOLERANCE) * den) / num));
    for (const seekTo of seekPoints((ticks * num) / den, at.firstFrameTime, probe)) {
      const found = await this.#stillFrom(file.path, probe, { seekTo, ticks, width, height }, limits);
      if (found) return { jpeg: found.jpeg, time: ((found.pts - firstPts) * num) / den };
    }
    throw new LongwatchError('invalid_media', `No frame could be decoded at ${at.time} s.`, {
      path,
      hint: 'The file may be damaged there, or may have changed since it was read.',
    });
  }

  async stretch(
    path: string,
    probe: VideoProbe,
    request: StretchRequest,
    options: DecodeOptions = {},
  ): Promise<Picture[]> {
    const { range, firstFrameTime, width, height, interval } = request;
    checkPictureRequest({ pictures: { width, height, interval } });
    const file = await checkSourceFile(path, this.objects, options.signal);
    const { num, den } = probe.video.timeBase;
    const firstPts = Math.round((firstFrameTime * den) / num);
    // The first tick that is not before the time: a range is half-open at both ends alike.
    const tickAt = (time: Seconds) => firstPts + Math.ceil(((time - TIME_TOLERANCE) * den) / num);
    const ticks = { start: tickAt(Math.max(0, range.start)), end: tickAt(range.end), width, height, interval };
    if (ticks.end <= ticks.start) return [];
    for (const seekTo of seekPoints((ticks.start * num) / den, firstFrameTime, probe)) {
      const read = await this.#stretchFrom(file.path, probe, { ...ticks, seekTo }, slowReading(options, file));
      // What begins behind the start of the stretch has missed some of it, unless there is nothing before.
      if (seekTo !== undefined && !(read.firstRead !== undefined && read.firstRead <= ticks.start)) continue;
      return read.pictures.map(({ pts, rgb }, index) => ({
        kind: 'picture',
        index,
        pts,
        time: ((pts - firstPts) * num) / den,
        width,
        height,
        rgb,
      }));
    }
    return [];
  }

  async picture(...[path, sizeOf, options = {}]: Parameters<PictureReader['picture']>) {
    const file = await checkSourceFile(path, this.objects, options.signal);
    const limits = engineOptions(options);
    const head = await readHead(file.path, PICTURE_HEAD_BYTES, this.objects);
    const format = pictureFormat(head);
    if (format === undefined) {
      throw new LongwatchError('unsupported_media_type', 'The file is no JPEG, PNG or WebP picture.', {
        path,
        hint: 'Save the picture in one of these formats.',
      });
    }
    const orientation = format === 'jpeg_pipe' ? orientationOf(head) : 1;
    const onItsSide = liesOnItsSide(orientation);
    const json = new BoundedBytes(MAX_PROBE_BYTES);
    const probed = await this.#collect(pictureProbeCommand(file.path, format), limits, (_, bytes) => json.push(bytes));
    const stored = readPictureSize(json.bytes()?.toString('utf8') ?? '');
    if (!stored) throw pictureError(path, probed.log);
    const { width, height } = sizeOf(turned(stored, onItsSide));
    checkSize(width, height);
    const size = turned({ width, height }, onItsSide);
    const pixels = new BoundedBytes(width * height * 3);
    const { log } = await this.#collect(pictureCommand(file.path, format, size), limits, (_, bytes) =>
      pixels.push(bytes),
    );
    const rgb = pixels.bytes();
    if (rgb?.length !== width * height * 3) throw pictureError(path, log);
    return upright({ ...size, rgb: new Uint8Array(rgb) }, orientation);
  }

  async clip(path: string, probe: VideoProbe, request: ClipRequest, options: DecodeOptions = {}): Promise<Clip> {
    const file = await checkSourceFile(path, this.objects, options.signal);
    return planFile(
      {
        engine: this.engine,
        path: file.path,
        probe,
        limits: slowReading(options, file),
        seekPoints: (wanted) => seekPoints(wanted, request.firstFrameTime, probe),
      },
      request,
    );
  }

  async #stretchFrom(
    path: string,
    probe: VideoProbe,
    stretch: StretchTicks,
    limits: EngineOptions,
  ): Promise<{ firstRead: number | undefined; pictures: { pts: number; rgb: Uint8Array }[] }> {
    const blocks = new BlockReader(stretch.width * stretch.height * 3);
    const [pictureLines, lines] = [new LineReader(), new LineReader()];
    const pixels: Uint8Array[] = [];
    const stamps: number[] = [];
    let firstRead: number | undefined;
    await this.#collect(stretchCommand(path, probe.video, stretch), limits, (output, bytes) => {
      if (output === STRETCH_OUTPUT.pictures) {
        pixels.push(...blocks.push(bytes));
        if (pixels.length * blocks.blockSize > MAX_STRETCH_BYTES)
          throw new LongwatchError('too_large', `The stretch has more pictures than ${MAX_STRETCH_BYTES} bytes hold.`, {
            path,
            hint: 'Ask for a shorter stretch, smaller pictures or a longer interval.',
          });
        return;
      }
      const stampsRead = (output === STRETCH_OUTPUT.pictureTimes ? pictureLines : lines)
        .push(bytes)
        .map(readTimeLine)
        .filter((pts) => typeof pts === 'number');
      if (output === STRETCH_OUTPUT.pictureTimes) stamps.push(...stampsRead);
      else firstRead ??= stampsRead[0];
    });
    const pictures = pixels.flatMap((rgb, index) => {
      const pts = stamps[index];
      return pts === undefined ? [] : [{ pts, rgb }];
    });
    return { firstRead, pictures };
  }

  /** The frame on screen at `ticks`; undefined when the first frame behind the seek point comes later, or none comes. */
  async #stillFrom(
    path: string,
    probe: VideoProbe,
    request: { seekTo: Seconds | undefined; ticks: number; width: number; height: number },
    limits: EngineOptions,
  ): Promise<{ jpeg: Uint8Array; pts: number } | undefined> {
    const jpeg = new BoundedBytes(MAX_JPEG_BYTES);
    const times = new LineReader();
    let shown: number | undefined;
    await this.#collect(stillCommand(path, probe.video, request), limits, (output, bytes) => {
      if (output === STILL_OUTPUT.jpeg) {
        jpeg.push(bytes);
        return;
      }
      for (const line of times.push(bytes)) {
        const pts = readTimeLine(line);
        if (typeof pts === 'number' && pts <= request.ticks) shown = pts;
      }
    });
    const bytes = jpeg.bytes();
    return shown !== undefined && bytes && bytes.length > 0 ? { jpeg: new Uint8Array(bytes), pts: shown } : undefined;
  }

  /** Runs a command to its end and hands over what it writes. */
  async #collect(
    command: FfmpegCommand,
    options: EngineOptions,
    onBytes: (output: number, bytes: Uint8Array) => void,
  ): Promise<{ code: number | undefined; log: EngineLog }> {
    for await (const message of this.engine.run(command, options)) {
      if (message.kind === 'exit') return message;
      onBytes(message.output, message.bytes);
    }
    throw new LongwatchError('decode_failed', 'The decoder ended without a result.', { path: command.path });
  }
}

/** Where to start reading for a time, nearest first; undefined is the beginning, which always serves. All on the container's clock. */
function seekPoints(wanted: Seconds, firstFrameTime: Seconds, probe: VideoProbe): (Seconds | undefined)[] {
  const tried = INDEXED_BY_PRESENTATION.has(probe.container) ? [0, ...STILL_RUN_UPS] : STILL_RUN_UPS;
  // A run-up that reaches back before the first frame is the same as the beginning.
  const runUps = tried.filter((runUp) => wanted - runUp > firstFrameTime);
  return [...runUps.map((runUp) => wanted - runUp), undefined];
}

/** Random bytes can pass as one frame of a bare stream; a film has more. A container that parses is evidence enough for one. */
function isEvidence(frameCount: number, { container }: VideoProbe): boolean {
  return frameCount >= (BARE_STREAMS.has(container) ? 2 : 1);
}

function engineOptions({ signal, stallLimit = DEFAULT_STALL_LIMIT }: DecodeOptions): EngineOptions {
  return { signal, stallLimit };
}

function slowReading(options: DecodeOptions, { sizeBytes }: SourceFile): EngineOptions {
  const { signal, stallLimit } = engineOptions(options);
  return { signal, stallLimit: stallLimit + sizeBytes / SLOW_READING_BYTES_PER_SECOND };
}

function checkPictureRequest({ pictures }: DecodeRequest): void {
  if (!pictures) return;
  checkSize(pictures.width, pictures.height);
  if (!(pictures.interval >= 0 && Number.isFinite(pictures.interval))) {
    throw new LongwatchError('invalid_input', `${pictures.interval} s is no distance between pictures.`, {
      hint: 'Give 0 or more seconds.',
    });
  }
}

function checkSize(width: number, height: number): void {
  if (Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0 && width * height <= MAX_PIXELS)
    return;
  throw new LongwatchError('invalid_input', `${width} × ${height} is no size for a picture.`, {
    hint: `Give whole numbers of at most ${MAX_PIXELS / 1e6} million pixels together.`,
  });
}
