/** Frames of a whole video in one prompt, evenly spread: how benchmarks show videos to a model, and the way that falls apart with length. */

import type { Decoder, DecodeSummary, VideoProbe } from '../../../ingest/video/decoder.js';
import type { Backend } from '../../backend.js';
import { LongwatchError } from '../../errors.js';
import type { ModelInput } from '../../model.js';
import { rhythmOf } from '../../stretch.js';
import { intersect, type TimeRange } from '../../time.js';

type Clock = Pick<DecodeSummary, 'firstFrameTime' | 'duration'>;

export class WholeVideo {
  readonly #decoder: Decoder;
  readonly #backend: Backend;
  readonly #tokens: number;
  readonly #clocks = new Map<string, Clock>();
  /** Of the last question: the next one is often about the same video. */
  #last: { readonly key: string; readonly input: ModelInput } | undefined;

  constructor(decoder: Decoder, backend: Backend, tokens: number) {
    this.#decoder = decoder;
    this.#backend = backend;
    this.#tokens = tokens;
  }

  /**
   * @param range Media time. @default the whole video
   * @throws {LongwatchError} `bad_range` when the range lies outside or no frame begins in it; of the file and the decoder
   */
  async see(file: string, range: TimeRange | undefined, signal: AbortSignal): Promise<ModelInput> {
    const key = JSON.stringify([file, range]);
    if (this.#last?.key !== key) this.#last = { key, input: await this.#see(file, range, signal) };
    return this.#last.input;
  }

  async #see(file: string, wanted: TimeRange | undefined, signal: AbortSignal): Promise<ModelInput> {
    const probe = await this.#decoder.probe(file, { signal });
    const { firstFrameTime, duration } = await this.#clockOf(file, probe, signal);
    const whole = { start: 0, end: duration };
    const range = wanted ? intersect(whole, wanted) : whole;
    const size = this.#backend.pictureSize(probe.video);
    const { pairs, interval } = rhythmOf(this.#backend, size, range ?? whole, this.#tokens);
    const pictures = range
      ? await this.#decoder.stretch(file, probe, { range, firstFrameTime, ...size, interval }, { signal })
      : [];
    const [first] = pictures;
    if (!range || !first) {
      throw new LongwatchError('bad_range', `No frame of ${file} lies in the stretch that is asked about.`, {
        path: file,
        hint: 'Is it the video that the annotations mean?',
      });
    }
    // The model sees frames in pairs: a single one is shown twice, an odd last one is left out.
    const even = Math.min(2 * pairs, 2 * Math.floor(pictures.length / 2));
    return { range, pictures: even === 0 ? [first, first] : pictures.slice(0, even) };
  }

  /**
   * Decodes all frames, once per file: what containers claim about their length is no basis for times (Matroska counts from the clock's 0, not
   * from the first frame).
   */
  async #clockOf(file: string, probe: VideoProbe, signal: AbortSignal): Promise<Clock> {
    const known = this.#clocks.get(file);
    if (known) return known;
    const frames = this.#decoder.decode(file, probe, {}, { signal });
    let step = await frames.next();
    while (!step.done) step = await frames.next();
    this.#clocks.set(file, step.value);
    return step.value;
  }
}
