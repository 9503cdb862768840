import { describe, expect, it } from 'vitest';
import type { VideoStream } from '../../../ingest/video/decoder.js';
import {
  type PictureGroup,
  PictureGroups,
  readVideoPacket,
  type VideoPacket,
} from '../../../ingest/video/picture-groups.js';
import { type Slice, SlicePlanner, TickDigest } from '../../../ingest/video/slice-plan.js';

/** Packets in the order of decoding: `K` before a key frame's timestamp. */
function packets(...stamps: readonly (number | `K${number}`)[]): VideoPacket[] {
  return stamps.map((stamp, index) => ({
    pts: typeof stamp === 'number' ? stamp : Number(stamp.slice(1)),
    dts: 10 * index - 20,
    key: typeof stamp === 'string',
    hidden: false,
    corrupt: false,
  }));
}

function groupsOf(list: readonly VideoPacket[]) {
  const groups = new PictureGroups();
  const found = list.flatMap((packet) => groups.push(packet) ?? []);
  const all = [...found, ...groups.finish()];
  return {
    groups: all.map(({ pts, end }) => ({ pts, end })),
    decoded: all.map(({ decoded }) => decoded),
    obstacle: groups.obstacle,
  };
}

describe('groups of pictures', () => {
  it('are in the order of presentation, from one key frame to the next', () => {
    expect(groupsOf(packets('K0', 30, 10, 20, 'K40', 70, 50, 60, 'K80')).groups).toEqual([
      { pts: [0, 10, 20, 30], end: 40 },
      { pts: [40, 50, 60, 70], end: 80 },
      { pts: [80], end: undefined },
    ]);
  });

  it('keep the frames that are decoded behind a key frame and shown before it', () => {
    expect(groupsOf(packets('K0', 20, 10, 'K50', 30, 40, 60, 'K90', 70, 80)).groups).toEqual([
      { pts: [0, 10, 20, 30, 40], end: 50 },
      { pts: [50, 60, 70, 80], end: 90 },
      { pts: [90], end: undefined },
    ]);
  });

  it('do not begin with a key frame that is shown before what is decoded before it', () => {
    expect(groupsOf(packets('K0', 30, 'K20', 40, 'K50')).groups).toEqual([
      { pts: [0, 20, 30, 40], end: 50 },
      { pts: [50], end: undefined },
    ]);
  });

  it('tell when their key frames are decoded', () => {
    expect(groupsOf(packets('K0', 20, 10, 'K50', 30, 40, 60)).decoded).toEqual([
      { start: undefined, end: 10 },
      { start: 10, end: undefined },
    ]);
  });

  it('leave out what an edit list hides', () => {
    const list = packets('K0', 10, 'K20', 30).map((packet) => ({ ...packet, hidden: (packet.pts ?? 0) < 20 }));
    expect(groupsOf(list).groups).toEqual([{ pts: [20, 30], end: undefined }]);
  });

  it.each([
    ['a timestamp that comes twice', packets('K0', 10, 10, 'K20', 'K30'), 'two packets have one timestamp'],
    [
      'a clock that starts anew',
      packets('K0', 10, 'K20', 30, 'K40', 50, 'K1', 11),
      'timestamps go back behind a key frame',
    ],
    [
      'no timestamp',
      [...packets('K0'), { pts: undefined, dts: 10, key: false, hidden: false, corrupt: false }],
      'a packet has no timestamp',
    ],
    [
      'a damaged packet',
      [...packets('K0'), { pts: 10, dts: 10, key: false, hidden: false, corrupt: true }],
      'a packet is damaged',
    ],
  ])('cannot be told with %s', (_what, list, obstacle) => {
    expect(groupsOf(list).obstacle).toBe(obstacle);
  });

  it('are read from the list of packets as ffprobe prints it', () => {
    expect(['-512,-1024,K_', '12,N/A,__', 'N/A,0,K__', '7,7,_D', '8,8,K_C', 'side_data,'].map(readVideoPacket)).toEqual(
      [
        { pts: -512, dts: -1024, key: true, hidden: false, corrupt: false },
        { pts: 12, dts: undefined, key: false, hidden: false, corrupt: false },
        { pts: undefined, dts: 0, key: true, hidden: false, corrupt: false },
        { pts: 7, dts: 7, key: false, hidden: true, corrupt: false },
        { pts: 8, dts: 8, key: true, hidden: false, corrupt: true },
        undefined,
      ],
    );
  });
});

const VIDEO: VideoStream = {
  index: 0,
  codec: 'h264',
  codedWidth: 10,
  codedHeight: 10,
  width: 10,
  height: 10,
  rotation: 0,
  sampleAspect: 1,
  timeBase: { num: 1, den: 100 },
};
const THUMBNAIL_BYTES = 64 * 36 * 3;

/** Groups of `length` frames, four ticks apart, each decoded eight ticks before it is shown. */
function even(count: number, length: number): PictureGroup[] {
  return Array.from({ length: count }, (_, group) => ({
    pts: Array.from({ length }, (_, index) => 4 * (group * length + index)),
    end: group === count - 1 ? undefined : 4 * (group + 1) * length,
    decoded: {
      start: 4 * group * length - 8,
      end: group === count - 1 ? undefined : 4 * (group + 1) * length - 8,
    },
  }));
}

function plan(groups: readonly PictureGroup[], planner: SlicePlanner): Slice[] {
  return [...groups.map((group) => planner.push(group)), planner.finish()].filter((slice) => slice !== undefined);
}

function digest(...ticks: readonly number[]): string {
  const all = new TickDigest();
  for (const tick of ticks) all.add(tick);
  return all.value();
}

describe('slices', () => {
  it('end at the first key frame behind enough pixels, with a seam of eight frames', () => {
    const slices = plan(even(4, 10), new SlicePlanner(VIDEO, {}, { pixels: 1500, bytes: 1e9 }));
    expect(slices.map(({ start, end }) => ({ start, end }))).toEqual([
      { start: undefined, end: { pts: 80, seamEnd: 112 } },
      // Aimed 0.15 s behind the key frame at 0.8 s, and looked for from a second before.
      {
        start: { pts: 80, seekTo: expect.closeTo(0.95, 9), earliest: -20, seamEnd: 112, nextPicture: undefined },
        end: undefined,
      },
    ]);
    expect(slices.map(({ frames }) => frames)).toEqual([
      digest(...Array.from({ length: 20 }, (_, index) => 4 * index)),
      digest(...Array.from({ length: 20 }, (_, index) => 80 + 4 * index)),
    ]);
  });

  it('are looked for half way to the decoding of the next key frame where that is near', () => {
    const slices = plan(even(3, 5), new SlicePlanner(VIDEO, {}, { pixels: 100, bytes: 1e9 }));
    // Key frames at 0.2 s and 0.4 s, decoded at 0.12 s and 0.32 s.
    expect(slices.map(({ start }) => start?.seekTo)).toEqual([undefined, 0.22, expect.closeTo(0.55, 9)]);
  });

  it('have no more frames and pictures than memory is given for', () => {
    const request = { pictures: { width: 100, height: 100, interval: 0 } };
    // Two groups of five frames and five pictures, and not a third.
    const bytes = 14 * (THUMBNAIL_BYTES + 30_000);
    const slices = plan(even(6, 5), new SlicePlanner(VIDEO, request, { pixels: 1e9, bytes }));
    expect(slices.map(({ end }) => end?.pts)).toEqual([40, 80, undefined]);
  });

  it('do not come when a group is larger than that', () => {
    const planner = new SlicePlanner(VIDEO, {}, { pixels: 100, bytes: 9 * THUMBNAIL_BYTES });
    expect(plan(even(3, 10), planner).map(({ end }) => end?.pts)).toEqual([40]);
    expect(planner.obstacle).toBe('a group of pictures is too large');
  });

  it('go on with the pictures of one pass', () => {
    // Every 0.25 s of frames every 0.04 s: 0, 28, 56, 84, 112 …
    const request = { pictures: { width: 1, height: 1, interval: 0.25 } };
    const slices = plan(even(3, 10), new SlicePlanner(VIDEO, request, { pixels: 100, bytes: 1e9 }));
    expect(slices.map(({ start }) => start?.nextPicture)).toEqual([undefined, 53, 81]);
    // The seams of 40 to 72 and of 80 to 112 are watched too.
    expect(slices.map(({ pictures }) => pictures)).toEqual([digest(0, 28, 56), digest(56, 84), digest(84, 112)]);
  });
});
