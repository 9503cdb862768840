/**
 * Frames of a long video by several engines at once, each decoding a slice from one key frame to another: the very frames of one pass.
 *
 * The list of all packets, which costs a hundredth of decoding, tells which timestamps there are, where a key frame parts what is shown
 * before it from what is shown behind it, and which pictures one pass would choose. So a slice is known before it is decoded. It is handed
 * on only when it is proved (`slice-proof.ts`): it gave exactly the planned frames and pictures, nothing was complained of, and over a seam of
 * some frames that its neighbour decoded too, all pixels in their stored size were the same.
 *
 * Where anything is otherwise the rest is not patched together: the whole file is decoded again in one pass, and what was handed on
 * already is left out. Only that gives the losses, the times and the words of one pass, because a decoder that meets damage, or
 * timestamps out of order, goes by what it saw since the first frame. It costs what was decoded before, at most a pass over `workers`.
 *
 * Not sliced, because a seek there lands anywhere, or reads everything that lies before: transport streams and others without an index,
 * recordings that were never finished. Found out and decoded in one pass: key frames that are none, open groups of H.264 (its decoder complains
 * where one begins), fields or hidden frames in packets of their own, timestamps that are missing, repeated or start anew, pictures that change
 * their size where that shifts the choice, groups of pictures too large to be held.
 */

import { isObjectUrl } from '../objects/object-url.js';
import { LineReader } from './byte-readers.js';
import { packetsCommand } from './commands.js';
import { sliceCommand } from './decode-commands.js';
import type { VideoProbe } from './decoder.js';
import type { EngineExit, EngineOptions } from './engine.js';
import { type PictureGroup, PictureGroups, readVideoPacket, VIDEO_PACKET_LIST } from './picture-groups.js';
import { INDEXED_BY_PRESENTATION } from './probe.js';
import { SLICE_LIMITS, type Slice, type SliceLimits, SlicePlanner } from './slice-plan.js';
import { SliceProof } from './slice-proof.js';
import { hasCues } from './source-file.js';
import type { StampedFrame } from './stamped-frames.js';
import { type DecodeTask, DeliveredFrames, decodeWhole, type FrameStream } from './whole-decode.js';

/** Assumed where the container states no rate. */
const USUAL_FPS = 25;

/**
 * Whether a video is long enough for two slices at least, and of a container in which their key frames are found at once. Not an object of a store:
 * the list of packets reads every byte, so the whole would come over the network twice.
 */
export async function isWorthSlicing(path: string, probe: VideoProbe, limits = SLICE_LIMITS): Promise<boolean> {
  const { container, claimedDuration = 0, video } = probe;
  const { codedWidth, codedHeight, nominalFps = USUAL_FPS } = video;
  if (!INDEXED_BY_PRESENTATION.has(container) || isObjectUrl(path)) return false;
  if (claimedDuration * nominalFps * codedWidth * codedHeight < 2 * limits.pixels) return false;
  return container !== 'matroska' || (await hasCues(path));
}

/**
 * As `decodeWhole`, with at most `workers` engines at once. At most `workers + 1` slices are in memory, each of at most `limits.bytes` of pixels.
 * @throws {LongwatchError} as `decodeWhole`
 */
export async function* decodeInSlices(task: DecodeTask, workers: number, limits = SLICE_LIMITS): FrameStream {
  const delivered = new DeliveredFrames();
  const slices = new SlicedDecode(task, workers, limits);
  const frames = slices.frames();
  try {
    for (let step = await frames.next(); ; step = await frames.next()) {
      if (step.done) {
        if (step.value) return step.value;
        break;
      }
      delivered.add(step.value);
      yield step.value;
    }
  } finally {
    await frames.return(undefined);
    await slices.stop();
  }
  return yield* decodeWhole(task, delivered);
}

/** A slice that was decoded ahead of its reader. */
interface DecodedSlice {
  readonly proof: SliceProof;
  readonly frames: StampedFrame[];
}

const CLEAN_EXIT: EngineExit = { kind: 'exit', code: 0, log: { lines: [], lineCount: 0 } };

class SlicedDecode {
  readonly #abort = new AbortController();
  readonly #cancel = () => this.#abort.abort();
  readonly #running = new Set<Promise<unknown>>();
  /** Slices that nobody has begun. */
  readonly #planned: Slice[] = [];
  readonly #decoding: Promise<DecodedSlice | undefined>[] = [];
  /** Engines that decode. */
  #busy = 0;
  /** Slices that were begun and are not wholly handed on. */
  #alive = 0;
  #failed = false;
  #wake: (() => void) | undefined;

  constructor(
    readonly task: DecodeTask,
    readonly workers: number,
    readonly sizes: SliceLimits,
  ) {
    const { signal } = task.limits;
    signal?.addEventListener('abort', this.#cancel);
    if (signal?.aborted) this.#cancel();
  }

  /** Frames up to the end, or up to where the rest has to come from one pass: then it returns undefined. */
  async *frames(): AsyncGenerator<StampedFrame, EngineExit | undefined> {
    this.#inBackground(this.#plan());
    const first = await this.#next(this.#planned);
    if (!first?.end) return undefined;
    let proof = yield* this.#decodeFirst(first);
    if (!proof.isSound) return undefined;
    while (proof.slice.end) {
      this.#alive--;
      this.#beginMore();
      const decoded = await await this.#next(this.#decoding);
      if (!decoded?.proof.continues(proof)) return undefined;
      for (let frame = decoded.frames.shift(); frame; frame = decoded.frames.shift()) {
        if (this.#abort.signal.aborted) return undefined;
        yield frame;
      }
      ({ proof } = decoded);
    }
    return CLEAN_EXIT;
  }

  /** Ends all engines; resolves when nothing of them is left. */
  async stop(): Promise<void> {
    this.task.limits.signal?.removeEventListener('abort', this.#cancel);
    this.#cancel();
    await Promise.all(this.#running);
  }

  get #limits(): EngineOptions {
    return { ...this.task.limits, signal: this.#abort.signal };
  }

  /** Reads the whole list, as fast as it comes: what is wrong with the file is better known early, and a planned slice is small. */
  async #plan(): Promise<void> {
    const { engine, path, probe, request } = this.task;
    const lines = new LineReader();
    const groups = new PictureGroups();
    const planner = new SlicePlanner(probe.video, request, this.sizes);
    const add = (group: PictureGroup | undefined) => {
      const slice = group && planner.push(group);
      if (slice) this.#planned.push(slice);
    };
    let isWhole = false;
    const list = packetsCommand(path, probe.video.index, undefined, undefined, VIDEO_PACKET_LIST);
    for await (const message of engine.run(list, this.#limits)) {
      if (message.kind === 'exit') {
        isWhole = message.code === 0 && message.log.lineCount === 0;
      } else {
        for (const line of lines.push(message.bytes)) {
          const packet = readVideoPacket(line);
          if (packet) add(groups.push(packet));
        }
        if (groups.obstacle !== undefined || planner.obstacle !== undefined) break;
        this.#beginMore();
      }
    }
    for (const group of groups.finish()) add(group);
    const last = planner.finish();
    if (!isWhole || !last || groups.obstacle !== undefined) return this.#fail();
    this.#planned.push(last);
    this.#beginMore();
  }

  /** The first slice is what one pass would begin with, so it need not be proved before it is handed on. */
  async *#decodeFirst(slice: Slice): AsyncGenerator<StampedFrame, SliceProof> {
    const proof = new SliceProof(slice, this.task.request);
    this.#busy++;
    this.#alive++;
    // Behind this one, for which the reader waits.
    queueMicrotask(() => this.#beginMore());
    try {
      for await (const message of this.#run(slice)) yield* proof.take(message);
    } catch {
      // Whatever it was befalls one pass too, which reports it.
      this.#fail();
    }
    this.#busy--;
    return proof;
  }

  async #decode(slice: Slice): Promise<DecodedSlice | undefined> {
    const proof = new SliceProof(slice, this.task.request);
    const frames: StampedFrame[] = [];
    let bytes = 0;
    for await (const message of this.#run(slice)) {
      for (const frame of proof.take(message)) {
        frames.push(frame);
        bytes += frame.rgb.length;
      }
      // Reading from far before it would take as long as one pass, and more frames than were planned are no slice.
      if (proof.strayed || bytes > this.sizes.bytes) break;
    }
    this.#busy--;
    if (!proof.isSound) return this.#fail();
    this.#beginMore();
    return { proof, frames };
  }

  #run(slice: Slice) {
    const { engine, path, probe, request } = this.task;
    return engine.run(sliceCommand(path, probe, request, slice), this.#limits);
  }

  #beginMore(): void {
    while (!this.#failed && this.#alive > 0 && this.#busy < this.workers && this.#alive <= this.workers) {
      const slice = this.#planned.shift();
      if (!slice) break;
      this.#busy++;
      this.#alive++;
      this.#decoding.push(this.#inBackground(this.#decode(slice)));
    }
    this.#wake?.();
  }

  /** The first of a queue that fills in the background; undefined when nothing will come. */
  async #next<T>(queue: T[]): Promise<T | undefined> {
    while (queue.length === 0 && !this.#failed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#failed ? undefined : queue.shift();
  }

  #inBackground<T>(work: Promise<T>): Promise<T | undefined> {
    const settled = work.catch(() => this.#fail());
    this.#running.add(settled);
    settled.finally(() => this.#running.delete(settled));
    return settled;
  }

  #fail(): undefined {
    this.#failed = true;
    this.#cancel();
    this.#wake?.();
  }
}
