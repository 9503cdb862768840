/** Sound whose truth is known, at the layers' rate, and what ffmpeg's own filters measure on it. */

import { ffmpegInMemory } from '../../../../fixtures/clips/ffmpeg-in-memory.js';
import { seededRandom } from '../../../../fixtures/film/random.js';
import { SOUND_RATE, type SoundBlock } from '../../../../ingest/video/decoder.js';

/** `draw` gives the sample at a time in seconds. */
export function sound(length_s: number, draw: (time_s: number) => number): Float32Array {
  return Float32Array.from({ length: Math.round(length_s * SOUND_RATE) }, (_, at) => draw(at / SOUND_RATE));
}

/** White noise of this largest amplitude. */
export function hiss(amplitude: number, seed = 1): () => number {
  const random = seededRandom(seed);
  return () => amplitude * (2 * random.next() - 1);
}

/** Adds noise that starts at once and dies away with this time constant. */
export function withBang(samples: Float32Array, at_s: number, amplitude: number, decay_s = 0.05): Float32Array {
  const noise = hiss(amplitude, 99);
  const first = Math.round(at_s * SOUND_RATE);
  return samples.map((value, at) =>
    at < first ? value : value + noise() * Math.exp(-(at - first) / SOUND_RATE / decay_s),
  );
}

/** Blocks of a second, as a decoder hands them out. */
export function blocks(samples: Float32Array, start_s = 0): SoundBlock[] {
  const count = Math.ceil(samples.length / SOUND_RATE);
  return Array.from({ length: count }, (_, k) => ({
    start: start_s + k,
    samples: samples.slice(k * SOUND_RATE, (k + 1) * SOUND_RATE),
  }));
}

/** What an ffmpeg filter says of the sound: the values of one of its metadata keys, in order. */
export async function measuredByFfmpeg(samples: Float32Array, filter: string, key: string): Promise<number[]> {
  const printed = await ffmpegInMemory(
    { 'sound.f32': new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength) },
    [
      ...['-f', 'f32le', '-ar', String(SOUND_RATE), '-ac', '1', '-i', 'sound.f32'],
      ...['-af', `${filter},ametadata=mode=print:file=measures.txt`, '-f', 'null'],
    ],
    // The null muxer writes no file, so the filter's own stays.
    'measures.txt',
  );
  return [
    ...Buffer.from(printed)
      .toString()
      .matchAll(/^(\S+)=(\S+)$/gm),
  ]
    .filter(([, name]) => name === key)
    .map(([, , value]) => Number(value));
}
