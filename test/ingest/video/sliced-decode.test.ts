import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory, openFfmpegInMemory } from '../../../fixtures/clips/ffmpeg-in-memory.js';
import { CLIPS } from '../../../fixtures/clips/recipes.js';
import { type ClipRecipe, renderClip } from '../../../fixtures/clips/render.js';
import { SLICE_OUTPUT } from '../../../ingest/video/decode-commands.js';
import type { DecodeRequest } from '../../../ingest/video/decoder.js';
import type { EngineMessage, EngineOptions, FfmpegCommand, FfmpegEngine } from '../../../ingest/video/engine.js';
import { FfmpegDecoder } from '../../../ingest/video/ffmpeg-decoder.js';
import type { SliceLimits } from '../../../ingest/video/slice-plan.js';
import { isWorthSlicing } from '../../../ingest/video/sliced-decode.js';
import { WasmEngine } from '../../../ingest/video/wasm-engine.js';
import { expectNothingAlive } from './alive.js';
import { drain, fingerprint } from './drain.js';
import { DECODERS } from './engines.js';

/** A key frame every 12 frames, so that a clip of seconds has slices. */
const GOP = 12;
const FILM = { ...CLIPS.ntscFilm.recipe, name: 'sliced', gop: GOP };
const RECIPES = {
  'an MP4 with B-frames': FILM,
  'a Matroska file with the clock of milliseconds': { ...FILM, container: 'mkv' },
  'a variable rate': { ...CLIPS.variableRate.recipe, name: 'sliced-variable', gop: GOP },
  'an edit list': { ...CLIPS.editList.recipe, name: 'sliced-edit-list', gop: GOP },
  'a late start': { ...CLIPS.lateStart.recipe, name: 'sliced-late-start', gop: GOP },
  'frames that are all key frames': {
    ...CLIPS.constantRate.recipe,
    name: 'sliced-intra',
    container: 'mkv',
    codec: ['-c:v', 'mjpeg', '-q:v', '3'],
  },
} as const satisfies Record<string, ClipRecipe>;

/** Two groups of `GOP` frames of 160 × 90. */
const LIMITS: SliceLimits = { pixels: 2 * GOP * 160 * 90, bytes: 32e6 };
/** The interval is no multiple of a frame. */
const PICTURES: DecodeRequest = { pictures: { width: 80, height: 45, interval: 0.27 } };
const REQUESTS: readonly (readonly [string, DecodeRequest])[] = [
  ['a film without pictures', {}],
  ['a film with every frame as a picture', { pictures: { width: 80, height: 45, interval: 0 } }],
];

/** @param slice Counted from 1, in the order in which they were begun; 0 is a pass over the whole file. */
type Change = (message: EngineMessage, slice: number) => EngineMessage;

/** An engine that counts what it is asked for, and whose messages of slices may be changed on the way. */
class WatchedEngine implements FfmpegEngine {
  slices = 0;
  wholes = 0;
  running = 0;
  mostRunning = 0;

  constructor(
    readonly engine: FfmpegEngine,
    readonly change: Change = (message) => message,
  ) {}

  get id() {
    return this.engine.id;
  }

  get undecodable() {
    return this.engine.undecodable;
  }

  version() {
    return this.engine.version();
  }

  async *run(command: FfmpegCommand, options: EngineOptions): AsyncGenerator<EngineMessage, void> {
    if (command.tool === 'ffprobe') return yield* this.engine.run(command, options);
    const slice = command.outputs === Object.keys(SLICE_OUTPUT).length ? ++this.slices : undefined;
    if (slice === undefined) this.wholes++;
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      for await (const message of this.engine.run(command, options)) yield this.change(message, slice ?? 0);
    } finally {
      this.running--;
    }
  }
}

function sliced(engine: FfmpegEngine, workers = 2): FfmpegDecoder {
  return new FfmpegDecoder(engine, undefined, { workers, slices: LIMITS });
}

/** Both ways, and what the engine was asked for when it was to slice. */
async function bothWays(engine: FfmpegEngine, file: string, request: DecodeRequest, change?: Change) {
  const watched = new WatchedEngine(engine, change);
  return {
    onePass: fingerprint(await drain(new FfmpegDecoder(new WatchedEngine(engine, change)), file, request)),
    inSlices: fingerprint(await drain(sliced(watched), file, request)),
    watched,
  };
}

describe.each(DECODERS)('the $id decoder with two workers', ({ id, skipped, openEngine }) => {
  describe.skipIf(skipped)('decodes slices', () => {
    const engine = openEngine();

    it.each([
      ...Object.entries(RECIPES).map(([what, recipe]) => [what, recipe, PICTURES] as const),
      // The commands are the same for both.
      ...(id === 'wasm' ? REQUESTS.map(([what, request]) => [what, FILM, request] as const) : []),
    ])('of %s to the frames, pictures and summary of one pass', async (_what, recipe, request) => {
      const { onePass, inSlices, watched } = await bothWays(engine, await renderClip(recipe), request);
      expect(inSlices).toEqual(onePass);
      // The whole clip, in more than one piece, and nothing of it again.
      expect(watched.slices).toBeGreaterThanOrEqual(2);
      expect(watched.wholes).toBe(0);
      expect(watched.mostRunning).toBeLessThanOrEqual(2);
    });

    it('and leaves nothing behind when its reader leaves or cancels', async () => {
      const file = await renderClip(RECIPES['an MP4 with B-frames']);
      const decoder = sliced(engine, 3);
      const probe = await decoder.probe(file);
      // Enough for every engine to be held up.
      const greedy = { pictures: { width: 640, height: 360, interval: 0 } };
      for await (const _ of decoder.decode(file, probe, greedy)) break;
      await expectNothingAlive();
      const abort = new AbortController();
      const decode = decoder.decode(file, probe, greedy, { signal: abort.signal });
      await decode.next();
      abort.abort();
      const rest = async () => {
        for await (const _ of decode);
      };
      await expect(rest()).rejects.toMatchObject({ code: 'cancelled' });
      await expectNothingAlive();
    });
  });
});

// Of the WebAssembly engine, which has one thread: what becomes of damage in a native one depends on how its threads meet.
const core = new WasmEngine();

describe('what cannot be sliced with the result of one pass', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-slices-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function written(name: string, bytes: Uint8Array): string {
    const file = path.join(folder, name);
    writeFileSync(file, bytes);
    return file;
  }

  async function film(container: 'mp4' | 'mkv' = 'mkv'): Promise<Buffer> {
    return readFileSync(await renderClip({ ...FILM, container }));
  }

  const half = (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1);

  it.each([
    ['a transport stream', async () => renderClip({ ...FILM, container: 'ts' })],
    ['a recording that was never finished', async () => written('live.mkv', await remuxed(await film(), '-live', '1'))],
  ])('is not tried: %s', async (_what, make) => {
    const file = await make();
    expect(await isWorthSlicing(file, await new FfmpegDecoder(core).probe(file), LIMITS)).toBe(false);
  });

  it('is not worth trying in a film that is short', async () => {
    const file = await renderClip(FILM);
    const probe = await new FfmpegDecoder(core).probe(file);
    // 96 frames of 160 × 90.
    expect(await isWorthSlicing(file, probe, { pixels: 690_000, bytes: 32e6 })).toBe(true);
    expect(await isWorthSlicing(file, probe, { pixels: 695_000, bytes: 32e6 })).toBe(false);
  });

  it.each([
    ['a film that ends early', async () => written('cut.mkv', half(await film())), /ends early/],
    ['zeroes in the middle', async () => written('zeroes.mp4', withZeroes(await film('mp4'))), /complained/],
    ['open groups of H.264', async () => renderClip(OPEN_GROUPS), undefined],
    ['a picture that changes its size', async () => written('sizes.mkv', await twoSizes()), undefined],
  ])('is found out and decoded in one pass: %s', async (_what, file, warning) => {
    const { onePass, inSlices, watched } = await bothWays(core, await file(), PICTURES);
    expect(inSlices).toEqual(onePass);
    expect(watched.wholes).toBe(1);
    if (warning) expect(inSlices.summary.warnings.join(' ')).toMatch(warning);
    else expect(inSlices.summary.warnings).toEqual([]);
  });

  let onePass: Promise<ReturnType<typeof fingerprint>> | undefined;
  function undisturbed() {
    onePass ??= renderClip(FILM)
      .then((file) => drain(new FfmpegDecoder(core), file, PICTURES))
      .then(fingerprint);
    return onePass;
  }

  const crashes: Change = (message) => (message.kind === 'exit' ? { ...message, code: undefined } : message);
  const on = (slice: number, change: Change): Change => {
    return (message, index) => (index === slice ? change(message, index) : message);
  };
  const inOutput = (output: number, from: RegExp, to: string): Change => {
    return (message) => {
      if (message.kind !== 'bytes' || message.output !== output) return message;
      return {
        ...message,
        bytes: Buffer.from(Buffer.from(message.bytes).toString('latin1').replace(from, to), 'latin1'),
      };
    };
  };

  it.each([
    ['the first slice crashes', on(1, crashes)],
    ['a slice crashes', on(3, crashes)],
    ['a slice shows other pixels than its neighbour', on(2, inOutput(SLICE_OUTPUT.seams, /0x\w/, '0xz'))],
    ['a slice gives a frame another time', on(2, inOutput(SLICE_OUTPUT.times, /pts:\d/, 'pts:9'))],
    ['a slice chooses another picture', on(2, inOutput(SLICE_OUTPUT.pictureTimes, /pts:\d/, 'pts:9'))],
    ['a seek lands at the beginning', on(2, inOutput(SLICE_OUTPUT.read, /pts:\d+/, 'pts:-99'))],
  ])('is what remains when %s', async (_what, change) => {
    const watched = new WatchedEngine(core, change);
    expect(fingerprint(await drain(sliced(watched), await renderClip(FILM), PICTURES))).toEqual(await undisturbed());
    expect(watched.wholes).toBe(1);
  });

  it('tells of a crash what one pass tells of it', async () => {
    const { onePass, inSlices } = await bothWays(core, await renderClip(FILM), {}, crashes);
    expect(inSlices).toEqual(onePass);
    expect(inSlices.summary.warnings).toEqual(['The decoder stopped before the end (crashed).']);
  });

  it('refuses frames that are not those which were handed on before', async () => {
    // When the first slice ends, all its frames are handed on.
    const otherTimes = on(0, inOutput(SLICE_OUTPUT.times, /pts:0/, 'pts:1'));
    const change: Change = (message, slice) => otherTimes(on(1, crashes)(message, slice), slice);
    const decoder = sliced(new WatchedEngine(core, change));
    await expect(drain(decoder, await renderClip(FILM))).rejects.toMatchObject({ code: 'decode_failed' });
  });
});

const OPEN_GROUPS: ClipRecipe = {
  ...FILM,
  name: 'sliced-open-groups',
  codec: [
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-x264-params'],
    `bframes=3:b-adapt=0:scenecut=0:keyint=${GOP}:min-keyint=${GOP}:threads=1:open-gop=1`,
  ],
};

/** The same packets in another Matroska file. */
function remuxed(mkv: Uint8Array, ...options: readonly string[]): Promise<Uint8Array> {
  return ffmpegInMemory({ 'film.mkv': mkv }, ['-i', 'film.mkv', '-c', 'copy', ...options], 'again.mkv');
}

/** Frames are lost behind the first slice. */
function withZeroes(mp4: Buffer): Buffer {
  return Buffer.from(mp4).fill(0, mp4.length >> 1, (mp4.length >> 1) + 1000);
}

/** 38 frames of one size and 34 of another, each a key frame: the size changes where no picture is due. */
async function twoSizes(): Promise<Uint8Array> {
  const ffmpeg = await openFfmpegInMemory();
  const part = (size: string, frames: number) => {
    const picture = ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=10`, '-frames:v', String(frames)];
    return ffmpeg({}, [...picture, '-pix_fmt', 'yuvj420p', '-f', 'mjpeg'], `${size}.mjpeg`);
  };
  const both = Buffer.concat([part('160x90', 38), part('80x46', 34)]);
  return ffmpeg({ both }, ['-f', 'mjpeg', '-framerate', '10', '-i', 'both', '-c', 'copy'], 'sizes.mkv');
}
