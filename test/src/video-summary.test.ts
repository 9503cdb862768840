import { describe, expect, it } from 'vitest';
import type { BackendRequest } from '../../src/backend.js';
import type { MediaEvent } from '../../src/event.js';
import { VideoSummaries } from '../../src/video-summary.js';
import { newVideo, signal, subtitle, temporaryLibrary, windowOf } from '../index/support.js';
import { ScriptedBackend, wordsOf } from './tasks/scripted-backend.js';

const EVENTS: readonly MediaEvent[] = [
  {
    kind: 'caption',
    source: 'model',
    start: 0,
    end: 10,
    precision: 2,
    text: 'A rabbit lies in the grass.',
    attributes: {},
  },
  signal('cut', 3, 3.04, 'cut'),
  subtitle(4, 6, 'Who is there?'),
  { kind: 'text', source: 'text', start: 7, end: 8, precision: 0.5, text: 'THE END', attributes: {} },
  { kind: 'chapter', source: 'container', start: 0, end: 10, precision: 0.5, text: 'Morning', attributes: {} },
  { kind: 'tag', source: 'container', start: 0, end: 10, precision: 0.5, text: 'Some Studio', attributes: {} },
];

const SAID =
  '{"sentences":[{"first":1,"last":3,"text":"A rabbit rests and hears a voice."},{"first":4,"last":4,"text":"It ends."}]}';

function house(script = () => SAID, events = EVENTS) {
  const library = temporaryLibrary();
  const video = library.addVideo(newVideo('rabbit'));
  library.writeWindow(
    video.id,
    windowOf(
      0,
      events.map((event) => ({ event })),
    ),
  );
  const backend = new ScriptedBackend(script);
  return { library, video, backend, summaries: new VideoSummaries(library, backend) };
}

/** A model that answers when it is told to. */
class SlowBackend extends ScriptedBackend {
  #waiting: (() => void)[] = [];

  override async ask(request: BackendRequest) {
    const answer = super.ask(request);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return answer;
  }

  async answer(): Promise<void> {
    while (this.#waiting.length === 0) await new Promise(setImmediate);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

describe('the summary of a video', () => {
  it('is made of its texts in order, told by their kind, without tags and signals', async () => {
    const { summaries, video, backend } = house();
    const summary = await summaries.summary(video);
    expect(
      [...wordsOf(backend.requests[0] as BackendRequest).matchAll(/^\[\d\] (.*)$/gm)].map(([, line]) => line),
    ).toEqual(['"A rabbit lies in the grass."', '"Chapter: Morning"', '"Said: Who is there?"', '"On screen: THE END"']);
    expect(summary).toEqual({
      model: 'scripted',
      texts: 4,
      cached: false,
      sentences: [
        // The chapter's edges are the more exact ones at 0 and 10 seconds.
        { start: 0, end: 10, precision: 0.5, text: 'A rabbit rests and hears a voice.' },
        { start: 7, end: 8, precision: 0.5, text: 'It ends.' },
      ],
    });
  });

  it('is made once, and again by another model or of other texts', async () => {
    const { summaries, video, backend, library } = house();
    const first = await summaries.summary(video);
    expect(await summaries.summary(video)).toEqual({ ...first, cached: true });
    expect(await new VideoSummaries(library, backend).summary(video)).toEqual({ ...first, cached: true });
    expect(backend.requests).toHaveLength(1);
    const other = Object.assign(new ScriptedBackend(() => SAID), { id: 'another' });
    expect(await new VideoSummaries(library, other).summary(video)).toMatchObject({ model: 'another', cached: false });
    library.writeWindow(video.id, windowOf(1, [{ event: subtitle(12, 13, 'Good night.') }]));
    expect(await summaries.summary(video)).toMatchObject({ texts: 5, cached: false });
    expect(backend.requests).toHaveLength(2);
  });

  it('of a stretch is made of what overlaps it', async () => {
    const { summaries, video, backend } = house();
    expect((await summaries.summary(video, { range: { start: 5, end: 6.5 } })).texts).toBe(3);
    expect(wordsOf(backend.requests[0] as BackendRequest)).not.toContain('THE END');
  });

  it('of nothing is nothing, and nobody is asked', async () => {
    const { summaries, video, backend } = house(() => SAID, [signal('cut', 3, 3.04, 'cut')]);
    expect(await summaries.summary(video)).toEqual({ model: 'scripted', sentences: [], texts: 0, cached: false });
    expect(backend.requests).toEqual([]);
  });

  it('that is being made is shared by all who ask, and is finished when one of them leaves', async () => {
    const { library, video } = house();
    const backend = new SlowBackend(() => SAID);
    const summaries = new VideoSummaries(library, backend);
    const leaving = new AbortController();
    const left = summaries.summary(video, { signal: leaving.signal });
    const stays = summaries.summary(video);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    await backend.answer();
    expect((await stays).sentences).toHaveLength(2);
    expect(backend.requests).toHaveLength(1);
  });

  it('is finished when everybody has left, and is there when they come back', async () => {
    const { library, video } = house();
    const backend = new SlowBackend(() => SAID);
    const summaries = new VideoSummaries(library, backend);
    const leaving = new AbortController();
    const left = summaries.summary(video, { signal: leaving.signal });
    while (backend.requests.length === 0) await new Promise(setImmediate);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    await backend.answer();
    for (;;) {
      await new Promise(setImmediate);
      const again = summaries.summary(video);
      if ((await again).cached) break;
    }
    expect(backend.requests).toHaveLength(1);
  });

  it('fails with the model, is not kept, and is tried again', async () => {
    let turns = 0;
    const { summaries, video } = house(() => (turns++ < 2 ? 'no JSON' : SAID));
    await expect(summaries.summary(video)).rejects.toMatchObject({ code: 'model_failed' });
    expect(await summaries.summary(video)).toMatchObject({ cached: false, texts: 4 });
  });

  it('is one of four that are made at once; a fifth is told to wait', async () => {
    const { library } = house();
    const backend = new SlowBackend(() => SAID);
    const summaries = new VideoSummaries(library, backend);
    const videos = Array.from({ length: 5 }, (_, i) => {
      const video = library.addVideo(newVideo(`film ${i}`));
      library.writeWindow(video.id, windowOf(0, [{ event: subtitle(1, 2, `line ${i}`) }]));
      return video;
    });
    const asked = videos.map((video) => summaries.summary(video));
    await expect(asked[4]).rejects.toMatchObject({ code: 'overloaded' });
    await backend.answer();
    for (const summary of asked.slice(0, 4)) expect((await summary).sentences.length).toBeGreaterThan(0);
  });

  it('is cancelled when the house closes', async () => {
    const { library, video } = house();
    const long = Array.from({ length: 400 }, (_, i) => subtitle(i, i + 1, `A rather long line with the number ${i}`));
    library.writeWindow(
      video.id,
      windowOf(
        1,
        long.map((event) => ({ event })),
      ),
    );
    const backend = new SlowBackend(() => SAID);
    const summaries = new VideoSummaries(library, backend);
    const asked = summaries.summary(video);
    while (backend.requests.length === 0) await new Promise(setImmediate);
    const closed = summaries.close();
    await backend.answer();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await closed;
    expect(backend.requests).toHaveLength(1);
  });
});
