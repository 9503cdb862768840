/** Reads the sound of a file: from the right place, as often as it takes to begin there. */

import { LongwatchError } from '../../src/errors.js';
import type { Seconds } from '../../src/time.js';
import { soundCommand } from './commands.js';
import type { SoundBlock, SoundRequest, VideoProbe } from './decoder.js';
import type { EngineOptions, FfmpegCommand, FfmpegEngine } from './engine.js';
import { mediaError } from './ffmpeg-errors.js';
import { SoundPass } from './sound-pass.js';

/**
 * How far before the wanted sound reading starts. Codecs need some of it before they are right: Opus 80 ms, MP3 a few frames. Only where the
 * container counts in samples: elsewhere the same sample has another time after a seek, by what its clock rounds away.
 */
const SOUND_RUN_UPS: readonly Seconds[] = [2, 10, 60];
const COUNTS_SAMPLES = new Set(['mp4']);
/** Where the container does not state a rate; sound of another one is resampled to it. */
const USUAL_SAMPLE_RATE = 48_000;

/** @param path of a checked source file. See `Decoder.sound` */
export async function* readSound(
  engine: FfmpegEngine,
  path: string,
  probe: VideoProbe,
  { stream, firstFrameTime, from = 0 }: SoundRequest,
  limits: EngineOptions,
): AsyncGenerator<SoundBlock, void> {
  const audio = probe.audio.find(({ index }) => index === stream);
  if (!audio)
    throw new LongwatchError('invalid_input', `Stream ${stream} is no sound of this file.`, {
      path,
      hint: probe.audio.length === 0 ? 'The file has no sound.' : 'Take the index of one of its audio streams.',
    });
  const sampleRate = audio.sampleRate ?? USUAL_SAMPLE_RATE;
  const wanted = firstFrameTime + Math.max(0, from);
  const runUps = COUNTS_SAMPLES.has(probe.container)
    ? SOUND_RUN_UPS.filter((runUp) => wanted - runUp > firstFrameTime)
    : [];
  for (const seekTo of [...runUps.map((runUp) => wanted - runUp), undefined]) {
    const pass = new SoundPass(sampleRate, firstFrameTime, from);
    const command = soundCommand(path, { stream, sampleRate, seekTo });
    if (yield* soundFrom(engine, command, pass, seekTo === undefined ? Infinity : wanted, limits)) return;
  }
}

/** False, before anything was yielded, when reading began behind `wanted` or found nothing. */
async function* soundFrom(
  engine: FfmpegEngine,
  command: FfmpegCommand,
  pass: SoundPass,
  wanted: Seconds,
  limits: EngineOptions,
): AsyncGenerator<SoundBlock, boolean> {
  for await (const message of engine.run(command, limits)) {
    if (message.kind === 'bytes') pass.take(message.output, message.bytes);
    for (const block of message.kind === 'bytes' ? pass.ready() : pass.end()) {
      if ((pass.firstRead ?? 0) > wanted) return false;
      yield block;
    }
    if ((pass.firstRead ?? 0) > wanted) return false;
    if (message.kind === 'exit' && pass.firstRead === undefined) {
      if (wanted < Infinity) return false;
      throw mediaError(command.path, message.log, 'No sound could be decoded');
    }
  }
  return true;
}
