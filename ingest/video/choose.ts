/** Picks the decoder: the machine's own ffmpeg when there is a good one, else the WebAssembly build. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { LongwatchError } from '../../src/errors.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { Decoder, PictureReader } from './decoder.js';
import { FfmpegDecoder } from './ffmpeg-decoder.js';
import { type NativeBinaries, NativeEngine } from './native-engine.js';
import { coreFiles } from './wasm-core.js';
import { WasmEngine } from './wasm-engine.js';

export interface DecoderChoice {
  /** `auto` takes a native ffmpeg of at least 5.1 when there is one, else WebAssembly. @default 'auto' */
  readonly kind?: 'auto' | Decoder['id'];
  /** Folders to look for `ffmpeg` and `ffprobe` in, in order: the entries of the PATH variable. @default none */
  readonly searchPath?: readonly string[];
  /**
   * Engines that decode one long video at once, in slices. The WebAssembly build has one thread, so two are up to twice as fast; each takes 60 to
   * 80 MB at 1080p. A native ffmpeg already gives most codecs all cores, and starting, seeking and the seams cost it 5 to 10 % more
   * processor time, so it decodes in one pass unless more is asked for (a codec without threads, more cores than its threads fill).
   * @default native: 1; WebAssembly: half the cores, 1 to 4
   */
  readonly workers?: number | undefined;
  /** Where `s3://` places are read from. @default nowhere */
  readonly objects?: ObjectStore;
}

/** Beyond this the process that takes the frames, and memory, are what is short. */
const MOST_DEFAULT_WORKERS = 4;

/**
 * @throws {LongwatchError} `part_missing` when the wanted decoder, or with `auto` any, is not there
 */
export async function chooseDecoder({
  kind = 'auto',
  searchPath = [],
  workers,
  objects,
}: DecoderChoice = {}): Promise<Decoder & PictureReader> {
  const native = kind === 'wasm' ? undefined : await findNativeFfmpeg(searchPath);
  if (native) return new FfmpegDecoder(new NativeEngine(native, objects), objects, { workers: workers ?? 1 });
  if (kind === 'native') {
    throw new LongwatchError('part_missing', 'There is no ffmpeg with ffprobe of version 5.1 or newer on the PATH.', {
      hint: 'Install ffmpeg, or use the WebAssembly decoder.',
    });
  }
  coreFiles();
  const halfTheCores = Math.min(MOST_DEFAULT_WORKERS, availableParallelism() >> 1);
  return new FfmpegDecoder(new WasmEngine(objects), objects, { workers: workers ?? Math.max(1, halfTheCores) });
}

/** libavutil of ffmpeg 5.1, the first release with `-fps_mode`. Builds from a repository carry no release number, but this one. */
const OLDEST_LIBAVUTIL = [57, 28] as const;

/** The first folder of `searchPath` that has both programs, when they are new enough; undefined otherwise. */
export async function findNativeFfmpeg(searchPath: readonly string[]): Promise<NativeBinaries | undefined> {
  // A relative folder would mean another program in every working directory.
  for (const folder of searchPath.filter((entry) => isAbsolute(entry))) {
    const [ffmpeg, ffprobe] = await Promise.all([findProgram(folder, 'ffmpeg'), findProgram(folder, 'ffprobe')]);
    if (ffmpeg === undefined || ffprobe === undefined) continue;
    const version = await readVersion(ffmpeg);
    if (version !== undefined) return { ffmpeg, ffprobe, version };
  }
  return undefined;
}

async function findProgram(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile() ? path : undefined;
  } catch {
    return undefined;
  }
}

async function readVersion(ffmpeg: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(ffmpeg, ['-hide_banner', '-version'], {
      timeout: 10_000,
      env: { LC_ALL: 'C' },
    });
    const [, major = '', minor = ''] = /libavutil\s+(\d+)\.\s*(\d+)/.exec(stdout) ?? [];
    const [oldestMajor, oldestMinor] = OLDEST_LIBAVUTIL;
    const newEnough = Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
    return newEnough ? /version (\S+)/.exec(stdout)?.[1] : undefined;
  } catch {
    return undefined;
  }
}
