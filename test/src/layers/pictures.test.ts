import { describe, expect, it } from 'vitest';
import type { DecodeRequest, DecodeSummary, VideoProbe } from '../../../ingest/video/decoder.js';
import type { Picture, Thumbnail } from '../../../ingest/video/frame.js';
import { LongwatchError } from '../../../src/errors.js';
import type { LayerEvent, LayerStretch } from '../../../src/layers/layer.js';
import { PicturesLayer } from '../../../src/layers/pictures/pictures.js';
import { PictureRuns } from '../../../src/layers/pictures/runs.js';
import { FakePictureEmbedder } from '../../fake-picture-embedder.js';
import { RefusingDecoder } from '../refusing-decoder.js';

const FPS = 10;
const SIZE = { width: 32, height: 32 } as const;

/** The colour that fills the screen at a time, in levels of grey, and the column of a white bar over it, −1 for none. */
type Scene = (time: number) => { readonly grey: number; readonly bar: number };

function frameOf(scene: Scene, index: number): { thumbnail: Thumbnail; picture: Picture } {
  const time = index / FPS;
  const { grey, bar } = scene(time);
  // Grain, as a camera or a codec leaves it.
  const rgb = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => grey + ((i * 7 + index * 13) % 5));
  if (bar >= 0)
    for (let y = 0; y < 32; y++)
      for (let x = bar; x < bar + 2; x++) rgb.fill(255, 3 * (32 * y + x), 3 * (32 * y + x + 1));
  const common = { index, pts: index, time, ...SIZE, rgb };
  return { thumbnail: { kind: 'thumbnail', ...common }, picture: { kind: 'picture', ...common } };
}

/** Ten frames a second, of which every fifth is a picture. Only what the layer asks for is there. */
class DrawnDecoder extends RefusingDecoder {
  readonly requests: DecodeRequest[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly duration: number,
  ) {
    super();
  }

  override async *decode(_path: string, _probe: VideoProbe, request: DecodeRequest) {
    this.requests.push(request);
    for (let index = 0; index < this.duration * FPS; index++) {
      const { thumbnail, picture } = frameOf(this.scene, index);
      yield thumbnail;
      if (index % 5 === 0) yield picture;
    }
    return {} as DecodeSummary;
  }
}

const PROBE = { video: { width: 320, height: 180 } } as VideoProbe;

async function read(scene: Scene, duration: number, from = 0, embedder = new FakePictureEmbedder()) {
  const layer = new PicturesLayer(embedder);
  const decoder = new DrawnDecoder(scene, duration);
  const video = { path: 'film', probe: PROBE, duration, firstFrameTime: 0 };
  const stretches: LayerStretch[] = [];
  for await (const stretch of layer.read(decoder, video, { from })) stretches.push(stretch);
  return { stretches, events: stretches.flatMap(({ events }) => events), decoder, embedder };
}

const times = (events: readonly LayerEvent[]) => events.map(({ event: { start, end } }) => [start, end]);

const STILL: Scene = () => ({ grey: 100, bar: -1 });
/** A bar that goes over the screen in eight seconds, again and again. */
const MOVING: Scene = (time) => ({ grey: 100, bar: Math.floor((time * 4) % 30) });
const CUT: Scene = (time) => ({ grey: time < 3.3 ? 40 : 200, bar: -1 });

describe('the layer of pictures', () => {
  it('says once a minute what a picture shows that stands still, grain or not', async () => {
    const { stretches, events, embedder } = await read(STILL, 150);
    expect(times(events)).toEqual([
      [0, 60],
      [60, 120],
      [120, 150],
    ]);
    expect(stretches.map(({ end }) => end)).toEqual([60, 120, 150]);
    expect(embedder.seen).toBe(3);
  });

  it('says every two seconds what a picture shows that moves', async () => {
    const { events } = await read(MOVING, 9);
    expect(times(events)).toEqual([
      [0, 2],
      [2, 4],
      [4, 6],
      [6, 8],
      [8, 9],
    ]);
    expect(events.map(({ event }) => event.precision)).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
  });

  it('ends at the very frame of a cut, and says that it knows it to a frame', async () => {
    const { events } = await read(CUT, 6);
    expect(times(events)).toEqual([
      [0, 3.3],
      [3.3, 6],
    ]);
    for (const { event } of events) expect(event.precision).toBeCloseTo(0.1, 9);
  });

  it('gives each stretch a point in the space of its model, and words that nobody searches for', async () => {
    const { events, embedder, decoder } = await read(CUT, 6);
    expect(events.map(({ event }) => [event.kind, event.source, event.text, event.model, event.confidence])).toEqual([
      ['picture', 'picture', 'picture', 'fake', undefined],
      ['picture', 'picture', 'picture', 'fake', undefined],
    ]);
    expect(events.map(({ embedding }) => embedding?.embedderId)).toEqual([embedder.id, embedder.id]);
    const [dark, bright] = events.map(({ embedding }) => embedding?.vector[0]);
    expect(dark).toBeLessThan(bright as number);
    expect(decoder.requests).toEqual([{ pictures: { width: 32, height: 32, interval: 0.5 } }]);
  });

  it('goes on where it stopped, as if it had not', async () => {
    const scene: Scene = (time) => (time < 55 ? STILL(time) : time < 70 ? MOVING(time) : CUT(time - 70));
    const whole = await read(scene, 130);
    const rest = await read(scene, 130, 60);
    expect(rest.stretches).toEqual(whole.stretches.slice(1));
    expect(whole.stretches.map(({ end }) => end)).toEqual([60, 120, 130]);
  });

  it('leaves no event open over the end of a stretch, and none outside the video', async () => {
    const { stretches } = await read((time) => MOVING(time * 1.7), 200);
    let begin = 0;
    for (const { end, events } of stretches) {
      for (const { event } of events) {
        expect(event.start).toBeGreaterThanOrEqual(begin);
        expect(event.end).toBeLessThanOrEqual(end);
        expect(event.start).toBeLessThan(event.end);
        begin = event.end;
      }
      begin = end;
    }
    expect(begin).toBe(200);
  });

  it('tells when the model fails, and what was handed out before stays', async () => {
    const embedder = new FakePictureEmbedder();
    embedder.failAt = 31;
    const layer = new PicturesLayer(embedder);
    const video = { path: 'film', probe: PROBE, duration: 130, firstFrameTime: 0 };
    const ends: number[] = [];
    const reading = async () => {
      for await (const { end } of layer.read(new DrawnDecoder(MOVING, 130), video, { from: 0 })) ends.push(end);
    };
    await expect(reading()).rejects.toBeInstanceOf(LongwatchError);
    expect(ends).toEqual([60]);
  });

  it('has an identity that changes with the model', () => {
    const [one, other] = ['a', 'b'].map((id) => new PicturesLayer(new FakePictureEmbedder(id)).identity);
    expect(one).not.toBe(other);
  });
});

describe('runs', () => {
  it('of a video of one picture are one', () => {
    const runs = new PictureRuns();
    const { thumbnail, picture } = frameOf(STILL, 0);
    runs.thumbnail(thumbnail);
    expect(runs.picture(picture)).toBeUndefined();
    expect(runs.finish(0.1)).toMatchObject({ start: 0, end: 0.1, precision: 0 });
    expect(runs.finish(0.1)).toBeUndefined();
  });
});
