/**
 * Layers that are read while the windows are being made, so that they take no time of their own where there is a second core. What they
 * write is what they would write afterwards: they go no further than the frames do, and stop where the film ends.
 */

import type { VideoProbe } from '../ingest/video/decoder.js';
import { LongwatchError } from './errors.js';
import { FilmClock } from './film-clock.js';
import type { LayerVideo } from './layers/layer.js';
import type { IngestOptions, PartCost } from './pipeline.js';
import { type LayerParts, readLayer } from './read-layers.js';
import type { Seconds } from './time.js';

/**
 * Runs `windows`, which tells the clock how far the frames have come, and reads beside it with those layers that may, up to the end of the film. Where
 * `windows` fails, they stop where they are. A layer that fails says nothing here and keeps what it wrote: `readLayers` goes on there, and tells what is wrong.
 * @returns what `windows` made, and what each layer took of its time
 * @throws what `windows` throws
 */
export async function readBeside<T>(
  parts: LayerParts,
  videoId: string,
  path: string,
  probe: VideoProbe,
  { signal }: Pick<IngestOptions, 'signal'>,
  windows: (clock: FilmClock) => Promise<T>,
): Promise<{ readonly made: T; readonly costs: readonly PartCost[] }> {
  const clock = new FilmClock();
  const halt = new AbortController();
  const stop = signal ? AbortSignal.any([signal, halt.signal]) : halt.signal;
  const read = async (): Promise<PartCost[]> => {
    const firstFrameTime = await clock.begun();
    if (firstFrameTime === undefined) return [];
    const video = filmSoFar(path, probe, firstFrameTime, clock, stop);
    const costs: PartCost[] = [];
    for (const layer of parts.layers ?? []) {
      if (!layer.readsBeside || layer.skips(probe) !== undefined) continue;
      const begun = Date.now();
      const { done, until, stretches } = await parts.library.beginLayer(videoId, layer.name, layer.identity);
      if (done) continue;
      await readLayer(parts, layer, videoId, video, { from: until, index: stretches }, { signal: stop });
      costs.push({ name: layer.name, took: Date.now() - begun, beside: 'windows' });
    }
    return costs;
  };
  const reading = read().catch((): PartCost[] => []);
  try {
    const made = await windows(clock);
    // Of a film without an end nobody is to wait for it.
    clock.stop();
    return { made, costs: await reading };
  } finally {
    halt.abort();
    clock.stop();
    await reading;
  }
}

/** A film whose end is not known yet. */
function filmSoFar(
  path: string,
  probe: VideoProbe,
  firstFrameTime: Seconds,
  clock: FilmClock,
  signal: AbortSignal,
): LayerVideo {
  return {
    path,
    probe,
    firstFrameTime,
    get duration() {
      return clock.duration;
    },
    reached: async (time) => {
      const reached = await clock.reached(time);
      signal.throwIfAborted();
      if (reached === undefined)
        throw new LongwatchError('cancelled', 'The windows were left before their end.', { path });
      return reached;
    },
  };
}
