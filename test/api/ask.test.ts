import { describe, expect, it, vi } from 'vitest';
import { createSearcher } from '../../index/search/searcher.js';
import type { Searcher } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import { ScriptedBackend } from '../src/tasks/scripted-backend.js';
import { HIT, openHarness, VIDEO_ID } from './harness.js';

const PLACE = {
  video_id: VIDEO_ID,
  title: 'Bunny',
  start_s: 1.001,
  end_s: 2.5,
  precision_s: 0.021,
  kind: 'subtitle',
  text: 'the rabbit opens its eyes',
  frame_url: `/v1/videos/${VIDEO_ID}/frames/1.001.jpg`,
  media_url: `/v1/videos/${VIDEO_ID}/media`,
};
const QUESTION = { question: 'What wakes up?' };

function house(script = () => '{"found":true,"sentences":[{"notes":[1],"text":"A rabbit does."}]}') {
  const opened = openHarness({ backend: new ScriptedBackend(script) });
  opened.addVideo();
  return opened;
}

/** The events of a stream, comments included. */
function eventsOf(stream: string): [string, unknown][] {
  return stream
    .trimEnd()
    .split('\n\n')
    .map((block) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      return name && data ? [name, JSON.parse(data)] : ['comment', block];
    });
}

describe('POST /v1/ask', () => {
  it('answers in sentences with the places that they rest on', async () => {
    const opened = house();
    expect(await opened.send('POST', '/v1/ask', { ...QUESTION, video_ids: [VIDEO_ID] })).toMatchObject({
      status: 200,
      body: {
        question: 'What wakes up?',
        found: true,
        by: 'model',
        model: 'scripted',
        sentences: [{ text: 'A rabbit does.', citations: [PLACE] }],
      },
    });
    expect(opened.asked).toEqual([{ query: 'What wakes up?', limit: 10, videoIds: [VIDEO_ID] }]);
    await opened.close();
  });

  it('quotes the places where there is no model, and says so', async () => {
    const opened = openHarness();
    opened.addVideo();
    expect(await opened.send('POST', '/v1/ask', QUESTION)).toMatchObject({
      body: {
        by: 'quotes',
        sentences: [{ text: PLACE.text, citations: [PLACE] }],
        note: expect.stringContaining('There is no model'),
      },
    });
    await opened.close();
  });

  it('understands a question with those before it, and says what it searched for', async () => {
    const opened = openHarness();
    opened.addVideo();
    const turns = [{ question: 'When does the rabbit wake up?', answer: 'At 0:00:01.' }];
    expect(await opened.send('POST', '/v1/ask', { question: 'And then?', turns, ground: true })).toMatchObject({
      body: { question: 'And then?', searched_for: 'rabbit wake', found: true },
    });
    expect(opened.asked).toEqual([{ query: 'rabbit wake', limit: 10, ground: true }]);
    await opened.close();
  });

  it('says what the model looked at, and what it said of it', async () => {
    const windows = [{ videoId: VIDEO_ID, start: 0, end: 16, found: 1 }];
    const searcher: Searcher = {
      search: async ({ query }) => ({
        ...{ query, took: 1, mode: 'words', results: [HIT], count: 1, noMatch: false },
        grounding: { model: 'scripted', complete: true, windows },
      }),
    };
    const opened = openHarness({ searcher });
    const { body } = await opened.send('POST', '/v1/ask', { ...QUESTION, ground: true });
    expect(body).toMatchObject({
      grounding: { model: 'scripted', windows: [{ video_id: VIDEO_ID, start_s: 0, end_s: 16, found: 1 }] },
      sentences: [{ citations: [{ ...PLACE, why: HIT.why }] }],
    });
    await opened.close();
  });

  it('says that the library does not show it', async () => {
    const opened = openHarness();
    const searching = openHarness({ searcher: createSearcher({ library: opened.library }) });
    expect(await searching.send('POST', '/v1/ask', QUESTION)).toMatchObject({
      status: 200,
      body: { found: false, by: 'search', sentences: [] },
    });
    await searching.close();
    await opened.close();
  });

  it.each([
    [{}, '/question'],
    [{ question: ' ' }, '/question'],
    [{ question: 'x'.repeat(1001) }, '/question'],
    [{ question: 'x', video_ids: [] }, '/video_ids'],
    [{ question: 'x', model: 'other' }, ''],
    [{ question: 'x', turns: [{ question: 'y' }] }, '/turns/0/answer'],
    [{ question: 'x', turns: [{ question: 'y'.repeat(1001), answer: '' }] }, '/turns/0/question'],
    [{ question: 'x', turns: Array.from({ length: 101 }, () => ({ question: 'y', answer: '' })) }, '/turns'],
    [{ question: 'x', ground: 'yes' }, '/ground'],
  ])('refuses %.40j', async (body, pointer) => {
    const opened = house();
    const answer = await opened.send('POST', '/v1/ask', body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_input', pointer } });
    await opened.close();
  });
});

describe('POST /v1/ask as a stream', () => {
  const accept = { accept: 'text/event-stream' };

  it('gives what was found, then each sentence, then the whole answer', async () => {
    const opened = house();
    const { status, headers, body } = await opened.send('POST', '/v1/ask', QUESTION, accept);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const sentence = { text: 'A rabbit does.', citations: [PLACE] };
    expect(eventsOf(body as string)).toEqual([
      ['found', { citations: [PLACE] }],
      ['sentence', sentence],
      ['answer', expect.objectContaining({ found: true, sentences: [sentence] })],
    ]);
    await opened.close();
  });

  it('says before each look how far it is', async () => {
    const searcher: Searcher = {
      async search({ query }, _, onLook) {
        onLook?.(0, 1);
        return { query, took: 1, mode: 'words', results: [HIT], count: 1, noMatch: false };
      },
    };
    const opened = openHarness({ searcher });
    const { body } = await opened.send('POST', '/v1/ask', { ...QUESTION, ground: true }, accept);
    expect(eventsOf(body as string).slice(0, 2)).toEqual([
      ['looking', { done: 0, total: 1 }],
      ['found', { citations: [PLACE] }],
    ]);
    await opened.close();
  });

  it('says what is wrong with the question by its status', async () => {
    const searcher: Searcher = {
      search: async () => {
        throw new LongwatchError('not_found', 'There is no video "0123".');
      },
    };
    const opened = openHarness({ searcher });
    const answer = await opened.send('POST', '/v1/ask', { question: 'x', video_ids: ['0123'] }, accept);
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    await opened.close();
  });

  it('says what failed later as an event', async () => {
    const opened = house(() => {
      throw new LongwatchError('bad_config', 'The key is wrong.');
    });
    const { status, body } = await opened.send('POST', '/v1/ask', QUESTION, accept);
    expect(status).toBe(200);
    expect(eventsOf(body as string)).toEqual([
      ['found', { citations: [PLACE] }],
      ['problem', expect.objectContaining({ code: 'bad_config', detail: 'The key is wrong.' })],
    ]);
    await opened.close();
  });

  it('shows that it lives while the model thinks, and stops it when the client leaves', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let stopped = false;
      const backend = Object.assign(new ScriptedBackend(() => ''), {
        ask: (_request: unknown, signal?: AbortSignal) =>
          new Promise<never>((_, reject) => {
            signal?.addEventListener('abort', () => {
              stopped = true;
              reject(new LongwatchError('cancelled', 'Cancelled.'));
            });
          }),
      });
      const opened = openHarness({ backend });
      opened.addVideo();
      const response = await opened.app.request('/v1/ask', {
        method: 'POST',
        body: JSON.stringify(QUESTION),
        headers: { 'content-type': 'application/json', ...accept },
      });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const text = async () => new TextDecoder().decode((await reader.read()).value);
      expect(await text()).toMatch(/^event: found/);
      for (let beat = 0; beat < 2; beat++) {
        const next = text();
        await vi.advanceTimersByTimeAsync(15_000);
        expect(await next).toBe(': still here\n\n');
      }
      await reader.cancel();
      expect(stopped).toBe(true);
      await opened.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
