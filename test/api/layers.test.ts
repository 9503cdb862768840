import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

describe('what was learnt of a video', () => {
  const events = [
    event('chapter', [0, 6], 'Morning'),
    event('subtitle', [1.0004, 2], 'The rabbit opens its eyes'),
    event('cut', [4, 4.042], 'cut'),
    event('speech', [5, 6], 'hello'),
    event('dissolve', [6, 8], 'dissolve'),
    event('chapter', [6, 10], 'Noon'),
  ];
  const items = (body: unknown) => (body as { items: { kind: string; text: string }[] }).items;

  it('lists events in order, by kind, by source and by range', async () => {
    harness.addVideo(events);
    const kinds = async (query: string) =>
      items((await harness.get(`/v1/videos/${VIDEO_ID}/events${query}`)).body).map((item) => item.kind);
    expect(await kinds('')).toEqual(['chapter', 'subtitle', 'cut', 'speech', 'dissolve', 'chapter']);
    expect(await kinds('?kind=cut&kind=dissolve')).toEqual(['cut', 'dissolve']);
    expect(await kinds('?source=container')).toEqual(['chapter', 'chapter']);
    expect(await kinds('?from=0:04&to=5')).toEqual(['chapter', 'cut']);
    expect(await harness.get(`/v1/videos/${VIDEO_ID}/events?kind=sneeze`)).toMatchObject({ status: 422 });
  });

  it('pages through events without losing or repeating one', async () => {
    harness.addVideo(events);
    const seen: string[] = [];
    let query = '?limit=2';
    for (let pages = 0; pages < 3; pages++) {
      const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/events${query}`);
      seen.push(...items(body).map((item) => item.text));
      query = `?limit=2&cursor=${(body as { next_cursor?: string }).next_cursor}`;
    }
    expect(query).toContain('undefined');
    expect(seen).toEqual(events.map((item) => item.text));
  });

  it('refuses a cursor that it did not make', async () => {
    harness.addVideo(events);
    expect(await harness.get(`/v1/videos/${VIDEO_ID}/events?cursor=zzz`)).toMatchObject({
      status: 422,
      body: { code: 'invalid_input' },
    });
  });

  it('gives subtitles and speech together as the transcript', async () => {
    harness.addVideo(events);
    const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/transcript`);
    expect(items(body)).toMatchObject([
      { kind: 'subtitle', start_s: 1.001, end_s: 2, text: 'The rabbit opens its eyes', precision_s: 0.04 },
      { kind: 'speech', start_s: 5, end_s: 6 },
    ]);
  });

  it('gives segments with their frames and every event that they overlap', async () => {
    const video = harness.addVideo(events);
    harness.library.writeWindow(video.id, {
      window: { index: 1, start: 10, end: 12, frames: [{ pts: 1001, time: 10.01 }], activity: 0 },
      precision: 0,
      events: [{ event: event('subtitle', [9.5, 11], 'across') }],
    });
    const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/segments`);
    const [first, second] = (body as { items: { events: { text: string }[] }[] }).items;
    expect(first).toMatchObject({ index: 0, start_s: 0, end_s: 10, activity: 1.25, frames: [0] });
    expect(first?.events.map((item) => item.text)).toEqual([...events.map((item) => item.text), 'across']);
    expect(second?.events.map((item) => item.text)).toEqual(['across']);
    expect(second).not.toHaveProperty('caption');
  });

  it('summarises by the chapters of the file when there is no model', async () => {
    harness.addVideo(events);
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/chapters`)).body).toEqual({
      video_id: VIDEO_ID,
      chapters: [
        { start_s: 0, end_s: 6, title: 'Morning', source: 'container' },
        { start_s: 6, end_s: 10, title: 'Noon', source: 'container' },
      ],
    });
  });

  it('summarises by shots when the file has no chapters either', async () => {
    harness.addVideo(events.filter((item) => item.kind !== 'chapter'));
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/chapters`)).body).toMatchObject({
      chapters: [
        { start_s: 0, end_s: 4, title: 'Shot 1', source: 'signal' },
        { start_s: 4, end_s: 7, title: 'Shot 2' },
        { start_s: 7, end_s: 10, title: 'Shot 3' },
      ],
    });
  });

  it('titles several shots by the line that stands out in them, and by their numbers where nothing is said', async () => {
    const cuts = [1.5, 3, 5].map((at) => event('cut', [at, at + 0.04], 'cut'));
    const coarse = async () => {
      const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/chapters?target_count=3`);
      return (body as { chapters: { title: string }[] }).chapters;
    };
    harness.addVideo(cuts);
    expect(await coarse()).toEqual([
      { start_s: 0, end_s: 3, title: 'Shots 1–2', source: 'signal' },
      { start_s: 3, end_s: 5, title: 'Shot 3', source: 'signal' },
      { start_s: 5, end_s: 10, title: 'Shot 4', source: 'signal' },
    ]);
    harness.library.removeVideo(VIDEO_ID);
    harness.addVideo([
      ...cuts,
      event('subtitle', [0, 1], 'The rabbit and the bird.'),
      event('subtitle', [1, 2.5], 'A brook in the valley.'),
      event('subtitle', [3, 4], 'The rabbit and the bird.'),
      event('subtitle', [4, 5], 'The bird and the rabbit sing.'),
      event('speech', [8, 9], 'Who sleeps here?'),
    ]);
    expect((await coarse()).map(({ title }) => title)).toEqual([
      '“A brook in the valley.”',
      '“The bird and the rabbit sing.”',
      'Shot 4',
    ]);
    const whole = await harness.get(`/v1/videos/${VIDEO_ID}/chapters`);
    expect((whole.body as { chapters: unknown[] }).chapters).toHaveLength(4);
  });

  it('summarises by the first sentence of each caption when a model spoke', async () => {
    harness.addVideo([...events, event('caption', [0, 10], 'A rabbit sleeps. Then it wakes up.')]);
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/chapters`)).body).toMatchObject({
      chapters: [{ start_s: 0, end_s: 10, title: 'A rabbit sleeps.', source: 'model' }],
    });
  });

  it('draws a stretch of few events event by event, with their words', async () => {
    harness.addVideo(events);
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/timeline`)).body).toMatchObject({
      duration_s: 10,
      coverage: [[0, 10]],
      range: [0, 10],
      part_s: 0.02,
      activity: [[0, 10, 1.25]],
      marks: events.map(({ kind, source, text }) => ({ kind, source, text, count: 1 })),
    });
    const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/timeline?from=3&to=5&parts=4`);
    expect(body).toMatchObject({
      range: [3, 5],
      part_s: 0.5,
      marks: [{ kind: 'chapter', start_s: 0 }, { kind: 'cut' }],
    });
  });

  it('draws a stretch of many events in as many marks as there are parts, at their true times', async () => {
    const cuts = Array.from({ length: 1000 }, (_, index) => event('cut', [index / 100, index / 100 + 0.005], 'cut'));
    harness.addVideo([event('chapter', [0, 10], 'All'), ...cuts]);
    const { body } = await harness.get(`/v1/videos/${VIDEO_ID}/timeline?from=2&to=8&parts=3`);
    expect(body).toMatchObject({
      part_s: 2,
      marks: [
        { kind: 'chapter', start_s: 0, end_s: 10, count: 1 },
        { kind: 'cut', start_s: 2, end_s: 3.995, count: 200 },
        { kind: 'cut', start_s: 4, end_s: 5.995, count: 200 },
        { kind: 'cut', start_s: 6, end_s: 7.995, count: 200 },
      ],
    });
    expect(await harness.get(`/v1/videos/${VIDEO_ID}/timeline?parts=0`)).toMatchObject({ status: 422 });
  });
});
