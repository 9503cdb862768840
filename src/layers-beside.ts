/**
 * Layers that are read while the windows are being made, so that they take no time of their own where there is a second core. What they
 * write is what they would write afterwards: they go no further than the frames do, and stop where the film ends.
 */

import type { VideoProbe } from '../ingest/video/decoder.js';
import { FilmClock } from './film-clock.js';
import type { IngestOptions, PartCost } from './pipeline.js';
import { type LayerParts, readLayer } from './read-layers.js';
import type { Seconds } from './time.js';

export interface BesideReading {
  /** Is told how far the frames have come. */
  readonly clock: FilmClock;
  /**
   * Waits for what is being read, up to its end when the clock has come to its end, else as far as it is. What each took is of the same time as the
   * windows.
   */
  finish(): Promise<readonly PartCost[]>;
}

/**
 * Begins to read with those layers that may. One that fails says nothing here and keeps what it wrote: `readLayers` goes on there, and tells
 * what is wrong.
 */
export function readBeside(
  parts: LayerParts,
  videoId: string,
  path: string,
  probe: VideoProbe,
  { signal }: Pick<IngestOptions, 'signal'>,
): BesideReading {
  const clock = new FilmClock();
  const halt = new AbortController();
  const stop = signal ? AbortSignal.any([signal, halt.signal]) : halt.signal;
  const read = async (): Promise<PartCost[]> => {
    const firstFrameTime = await clock.begun();
    if (firstFrameTime === undefined) return [];
    const video = {
      path,
      probe,
      firstFrameTime,
      get duration() {
        return clock.duration;
      },
      reached: async (time: Seconds) => {
        const reached = await clock.reached(time);
        stop.throwIfAborted();
        return reached ?? 0;
      },
    };
    const costs: PartCost[] = [];
    for (const layer of parts.layers ?? []) {
      if (!layer.readsBeside || layer.skips(probe) !== undefined) continue;
      const begun = Date.now();
      const progress = await parts.library.beginLayer(videoId, layer.name, layer.identity);
      if (progress.done) continue;
      await readLayer(
        parts,
        layer,
        videoId,
        video,
        { from: progress.until, index: progress.stretches },
        { signal: stop },
      );
      costs.push({ name: layer.name, took: Date.now() - begun, beside: 'windows' });
    }
    return costs;
  };
  const reading = read().catch((): PartCost[] => []);
  return {
    clock,
    finish: () => {
      if (clock.duration === Number.POSITIVE_INFINITY) halt.abort();
      clock.stop();
      return reading;
    },
  };
}
