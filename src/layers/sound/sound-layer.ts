/** The sound layer: silence and bangs, measured and free of any model. */

import { type Decoder, SOUND_RATE, type VideoProbe } from '../../../ingest/video/decoder.js';
import type { MediaEvent } from '../../event.js';
import type { Seconds } from '../../time.js';
import type { Layer, LayerOptions, LayerStretch, LayerVideo } from '../layer.js';
import { BANG_RUN_UP, BangDetector } from './bang.js';
import { SilenceDetector } from './silence.js';

/** Raised when the same sound would give other events. */
const VERSION = 1;
/** A stretch is handed out about so often. */
const STRETCH: Seconds = 60;

export class SoundLayer implements Layer {
  readonly name = 'sound';
  readonly identity = `sound ${VERSION}`;
  readonly note = 'silence and bangs';
  readonly readsBeside: boolean = true;

  skips(probe: VideoProbe): string | undefined {
    return probe.audio.length === 0 ? 'it has no sound' : undefined;
  }

  /** Listens to the first sound stream; a minute of sound takes some 15 ms of processor time beside decoding it. */
  async *read(
    decoder: Decoder,
    video: LayerVideo,
    { from, signal, onProgress }: LayerOptions,
  ): AsyncGenerator<LayerStretch, void> {
    const stream = video.probe.audio[0];
    const silences = new SilenceDetector(from);
    const bangs = new BangDetector();
    let handedOut = from;
    let waiting: MediaEvent[] = [];
    const take = () =>
      waiting.push(...silences.takeEvents(), ...bangs.takeEvents().filter(({ start }) => start >= from));
    const stretchTo = (end: Seconds): LayerStretch => {
      const events = waiting.filter((event) => event.start < end).sort((a, b) => a.start - b.start || a.end - b.end);
      waiting = waiting.filter((event) => event.start >= end);
      handedOut = end;
      return { end, events: events.map((event) => ({ event })) };
    };

    if (stream) {
      const request = {
        stream: stream.index,
        firstFrameTime: video.firstFrameTime,
        // What decides about a bang at `from` lies before it.
        from: Math.max(0, from - BANG_RUN_UP),
      };
      for await (const block of decoder.sound(video.path, video.probe, request, signal ? { signal } : {})) {
        const end = await reached(video, block.start + block.samples.length / SOUND_RATE);
        const samples = block.samples.subarray(0, samplesUntil(end, block.start));
        if (samples.length === 0) break;
        bangs.hear(block.start, samples);
        const known = Math.min(samples.length, samplesUntil(from, block.start));
        if (known < samples.length) silences.hear(block.start + known / SOUND_RATE, samples.subarray(known));
        take();
        onProgress?.(block.start + samples.length / SOUND_RATE);
        // Listening may go on from where a stretch ends, and would take the rest of a silence for another one.
        const settled = startOfSilenceAt(Math.min(silences.settled, bangs.settled), waiting);
        if (settled - handedOut >= STRETCH) yield stretchTo(settled);
      }
    }
    bangs.finish();
    const duration = await reached(video, Number.POSITIVE_INFINITY);
    silences.finish(duration);
    take();
    yield stretchTo(duration);
  }

  async close(): Promise<void> {}
}

/** `time`, or the end of the film where that comes before. */
async function reached({ duration, reached }: LayerVideo, time: Seconds): Promise<Seconds> {
  return reached ? reached(time) : Math.min(time, duration);
}

/** `time`, or the start of the silence that it lies in. */
function startOfSilenceAt(time: Seconds, events: readonly MediaEvent[]): Seconds {
  return events.find(({ kind, start, end }) => kind === 'silence' && start < time && time < end)?.start ?? time;
}

/** Samples of a block that begins at `start` that lie before `time`. */
function samplesUntil(time: Seconds, start: Seconds): number {
  return Math.max(0, Math.ceil((time - start) * SOUND_RATE - 1e-6));
}
