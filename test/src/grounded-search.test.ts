/** Search that lets a model look again: real pictures of a real clip, a library with lines at known times, and a model that says what a script says. */

import { statSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { renderClip } from '../../fixtures/clips/render.js';
import { createSearcher } from '../../index/search/searcher.js';
import type { SearchAnswer, SearchRequest } from '../../index/search/types.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import type { BackendRequest } from '../../src/backend.js';
import { LongwatchError } from '../../src/errors.js';
import type { MediaEvent } from '../../src/event.js';
import { groundedSearcher } from '../../src/grounded-search.js';
import { newVideo, signal, subtitle, temporaryLibrary, windowOf } from '../index/support.js';
import { ScriptedBackend, wordsOf } from './tasks/scripted-backend.js';

/** 60 s at 10 fps; the first frame stands at 5 s on the container's clock. Windows of 10 s lie over it. */
let clip: string;
let decoder: Decoder;
beforeAll(async () => {
  decoder = await chooseDecoder({ kind: 'wasm', searchPath: [] });
  clip = await renderClip({
    name: 'ground-minute',
    container: 'mkv',
    timeBase: { num: 1, den: 1000 },
    pts: Array.from({ length: 600 }, (_, i) => 5000 + 100 * i),
  });
});

const LINES: readonly MediaEvent[] = [
  subtitle(2, 4, 'The rabbit opens its eyes'),
  subtitle(34, 36, 'An apple falls on his head'),
  subtitle(52, 54, 'Another apple falls'),
  signal('cut', 33.4, 33.5, 'cut'),
  signal('black', 36.7, 37.7, 'black screen'),
];

type Span = readonly [start: number, end: number];
/** What the model sees in the window that begins at a time, in seconds from there, and how probable it finds each. */
type Sights = Readonly<Record<number, readonly { readonly span: Span; readonly yes?: number }[]>>;

function house(sights: Sights, fail: (request: BackendRequest, turn: number) => void = () => undefined) {
  const library = temporaryLibrary();
  const { size, mtimeMs } = statSync(clip);
  const { id } = library.addVideo({ ...newVideo('meadow'), path: clip, sizeBytes: size, modified: mtimeMs });
  library.updateVideo(id, { state: 'ready', duration: 60, firstFrameTime: 5, width: 160, height: 90 });
  for (let index = 0; index < 6; index++) {
    const inside = LINES.filter(({ start }) => Math.floor(start / 10) === index);
    library.writeWindow(
      id,
      windowOf(
        index,
        inside.map((event) => ({ event })),
      ),
    );
  }
  let verified: number | undefined;
  const queue: (number | undefined)[] = [];
  const backend = new ScriptedBackend((request, turn) => {
    fail(request, turn);
    if (request.choices) {
      verified = queue.shift();
      return verified === undefined ? 'yes' : { text: 'yes', choiceProbabilities: [verified, 1 - verified] };
    }
    const seen = sights[timeZeroOf(request)] ?? [];
    queue.push(...seen.map(({ yes }) => yes));
    return JSON.stringify({ spans: seen.map(({ span: [start, end] }) => ({ start, end })) });
  });
  const opened: string[] = [];
  const searcher = groundedSearcher({
    library,
    searcher: createSearcher({ library }),
    decoder: async () => {
      opened.push('decoder');
      return decoder;
    },
    model: async () => {
      opened.push('model');
      return { backend };
    },
  });
  const told: string[] = [];
  const ask = (query: string, more: Partial<SearchRequest> = {}, abort?: AbortSignal) =>
    searcher.search(
      { query, ground: true, ...(more.ground === false ? {} : { groundWindows: 2 }), ...more },
      abort,
      (done, total) => told.push(`${done} of ${total}`),
    );
  /** Second 0 of each window that was looked at. */
  const looks = () => backend.requests.filter(({ choices }) => !choices).map(timeZeroOf);
  return { id, library, backend, opened, told, ask, looks };
}

function videoOf({ parts }: BackendRequest) {
  const part = parts.find(({ kind }) => kind === 'video');
  if (part?.kind !== 'video') throw new Error('No video was shown.');
  return part;
}

const timeZeroOf = (request: BackendRequest) => videoOf(request).timeZero;
const timesOf = ({ results }: SearchAnswer) => results.map(({ start, end }) => [start, end]);
const places = (hits: SearchAnswer['nearMisses']) => hits?.map(({ start, end, why }) => [start, end, why.at(-1)]);

describe('a grounded search', () => {
  it('gives the times that the model names in the windows that the search led to', async () => {
    const { ask, id, looks } = house({ 30: [{ span: [1, 6.5], yes: 0.93 }] });
    const answer = await ask('an apple falls on his head');
    expect(looks()).toEqual([30, 50]);
    expect(answer).toMatchObject({ query: 'an apple falls on his head', mode: 'words', noMatch: false });
    expect(answer.results).toEqual([
      {
        videoId: id,
        path: clip,
        title: 'meadow',
        start: 31,
        end: 36.7,
        score: 0.93,
        kind: 'activity',
        source: 'model',
        text: 'An apple falls on his head',
        why: [
          'grounded by scripted, score 0.93',
          'end snapped to a black screen',
          'words: "apple", "falls", "head"',
          'subtitle',
        ],
        // The worse side: pairs of frames are 0.6 s apart, and the black screen is measured to 0.02 s.
        precision: expect.closeTo(0.3, 9),
        eventIds: [`${id}-3-0`],
      },
    ]);
    expect(answer.grounding).toEqual({
      model: 'scripted',
      complete: true,
      windows: [
        { videoId: id, start: 30, end: 40, found: 1 },
        { videoId: id, start: 50, end: 60, found: 0 },
      ],
    });
    expect(places(answer.nearMisses)).toEqual([[52, 54, 'not seen by scripted']]);
  });

  it('snaps both edges to what was measured there, and is then as precise as that', async () => {
    const { ask } = house({ 30: [{ span: [3.5, 6.5], yes: 0.8 }] });
    const [hit] = (await ask('apple falls on his head')).results;
    expect(hit).toMatchObject({ start: 33.4, end: 36.7, precision: 0.02 });
    expect(hit?.why.slice(0, 3)).toEqual([
      'grounded by scripted, score 0.80',
      'start snapped to a cut',
      'end snapped to a black screen',
    ]);
  });

  it('leaves the edges where the model says when it is asked to', async () => {
    const { ask } = house({ 30: [{ span: [3.5, 6.5], yes: 0.8 }] });
    const [hit] = (await ask('apple falls on his head', { snap: false })).results;
    expect(hit).toMatchObject({ start: 33.5, end: 36.5, precision: expect.closeTo(0.3, 9) });
    expect(hit?.why.join()).not.toContain('snapped');
  });

  it('keeps only what it sees where the question says, and asks for that alone', async () => {
    const { ask, backend } = house({ 30: [{ span: [1, 4], yes: 0.9 }], 50: [{ span: [2, 4], yes: 0.9 }] });
    const answer = await ask('the apple falls on his head for the last time');
    const asked = JSON.stringify(backend.requests);
    expect(asked).toContain('the apple falls on his head');
    expect(asked).not.toContain('for the last time');
    expect(timesOf(answer)).toEqual([[52, 54]]);
  });

  it('keeps the edges apart where both would be drawn to one cut', async () => {
    const { ask } = house({ 30: [{ span: [3.3, 3.6], yes: 0.8 }] });
    expect(timesOf(await ask('apple falls on his head'))).toEqual([[33.3, 33.6]]);
  });

  it('asks with the question itself, about every picture that the budget and the frame rate allow', async () => {
    const { ask, backend } = house({ 30: [{ span: [2, 4], yes: 0.9 }] });
    await ask('"apple falls" on his head');
    const [ground, verify] = backend.requests as [BackendRequest, BackendRequest];
    expect(wordsOf(ground)).toContain('Query: "apple falls on his head"');
    // Ten frames a second, at most one each 0.25 s: every third.
    const times = videoOf(ground).pictures.map(({ time }) => Math.round(time * 10) / 10);
    expect(times.slice(0, 4)).toEqual([30, 30.3, 30.6, 30.9]);
    expect([times.length, times.at(-1)]).toEqual([34, 39.9]);
    const verified = videoOf(verify).pictures.map(({ time }) => Math.round(time * 10) / 10);
    expect([verified[0], verified.at(-1), verify.choices]).toEqual([31.8, 33.9, ['yes', 'no']]);
    const calm = house({});
    Object.assign(calm.backend, { frameRate: 2 });
    await calm.ask('apple falls on his head');
    expect(videoOf(calm.backend.requests[0] as BackendRequest).pictures.map(({ time }) => time)).toHaveLength(20);
  });

  it('orders hits by how sure the model is, equal ones as the search does', async () => {
    const { ask } = house({
      30: [
        { span: [1, 2], yes: 0.6 },
        { span: [4, 5], yes: 0.7 },
      ],
      50: [
        { span: [2, 3], yes: 0.9 },
        { span: [5, 6], yes: 0.6 },
      ],
    });
    expect(timesOf(await ask('apple falls on his head'))).toEqual([
      [52, 53],
      [34, 35],
      [31, 32],
      [55, 56],
    ]);
    expect(timesOf(await ask('apple falls on his head', { limit: 1 }))).toEqual([[52, 53]]);
  });

  it('keeps the best of each video where that was asked for', async () => {
    const { ask } = house({ 30: [{ span: [1, 2], yes: 0.6 }], 50: [{ span: [2, 3], yes: 0.9 }] });
    expect(timesOf(await ask('apple falls', { groupBy: 'video' }))).toEqual([[52, 53]]);
  });

  it('looks in the next window where a sighting may go on, and joins what meets over the edge', async () => {
    const { ask, looks, told } = house({ 30: [{ span: [8.5, 10], yes: 0.8 }], 40: [{ span: [0.2, 1.5], yes: 0.7 }] });
    const answer = await ask('apple falls on his head');
    expect(looks()).toEqual([30, 50, 40]);
    expect(told).toEqual(['0 of 2', '1 of 3', '2 of 3']);
    expect(timesOf(answer)).toEqual([[38.5, 41.5]]);
    expect(answer.results[0]?.score).toBe(0.8);
  });

  it('follows a sighting through two more windows, and says that it may last longer', async () => {
    const yes = 0.9;
    const { ask, looks } = house({
      0: [{ span: [9, 10], yes }],
      10: [{ span: [0, 10], yes }],
      20: [{ span: [0, 10], yes }],
      30: [{ span: [0, 10], yes }],
    });
    const answer = await ask('rabbit opens its eyes', { groundWindows: 1 });
    expect(looks()).toEqual([0, 10, 20]);
    expect(timesOf(answer)).toEqual([[9, 30]]);
    expect(answer.results[0]?.why).toEqual([
      'grounded by scripted, score 0.90',
      'may last longer, where nothing was looked at',
    ]);
  });

  it('finds what no line says well enough to answer, in the words of the question', async () => {
    const { ask, looks } = house({ 30: [{ span: [1, 3], yes: 0.9 }] });
    const plain = await ask('girl eats green apple', { ground: false });
    expect(plain.noMatch).toBe(true);
    const answer = await ask('girl eats green apple');
    expect(looks()).toEqual([50, 30]);
    expect(answer).toMatchObject({ noMatch: false, nearMisses: [] });
    expect(answer.results).toMatchObject([
      { start: 31, end: 33, text: 'girl eats green apple', why: ['grounded by scripted, score 0.90'], eventIds: [] },
    ]);
  });

  it('keeps to the part of the video that is asked about', async () => {
    const { ask, backend } = house({ 33: [{ span: [1, 2], yes: 0.9 }] });
    const answer = await ask('apple falls', { range: { start: 33, end: 36 } });
    expect(answer.grounding?.windows).toMatchObject([{ start: 33, end: 36, found: 1 }]);
    expect(videoOf(backend.requests[0] as BackendRequest).pictures.every(({ time }) => time >= 33 && time < 36)).toBe(
      true,
    );
    expect(timesOf(answer)).toEqual([[34, 35]]);
  });

  it('takes the word of a model that cannot say how sure it is', async () => {
    const { ask } = house({ 30: [{ span: [1, 2] }], 50: [{ span: [1, 2], yes: 0.6 }] });
    const { results } = await ask('apple falls on his head');
    expect(results.map(({ start, score, why }) => [start, score, why[0]])).toEqual([
      [51, 0.6, 'grounded by scripted, score 0.60'],
      [31, 0.5, 'grounded by scripted, not scored'],
    ]);
  });
});

describe('what the model does not see', () => {
  it('is no match, and what the search found is offered as near misses', async () => {
    const { ask } = house({});
    const answer = await ask('apple falls on his head');
    expect(answer).toMatchObject({ noMatch: true, results: [] });
    expect(answer.note).toMatch(/^scripted looked at 2 windows and sees it in none of them\. Only words were compared/);
    expect(places(answer.nearMisses)).toEqual([
      [34, 36, 'not seen by scripted'],
      [52, 54, 'not seen by scripted'],
    ]);
  });

  it('and was not shown is told from what it was shown', async () => {
    const { ask } = house({ 30: [{ span: [3.5, 5], yes: 0.9 }] });
    const answer = await ask('apple falls on his head', { groundWindows: 1 });
    expect(timesOf(answer)).toEqual([[33.4, 35]]);
    expect(places(answer.nearMisses)).toEqual([[52, 54, 'not looked at']]);
  });

  it('or finds unlikely is a near miss with its score', async () => {
    const { ask } = house({ 30: [{ span: [1, 2], yes: 0.49 }], 50: [{ span: [1, 2], yes: 0.1 }] });
    const answer = await ask('apple falls on his head');
    expect(answer).toMatchObject({ noMatch: true, results: [] });
    expect(answer.note).toContain('scripted looked at 2 windows and is not sure enough of it in any of them.');
    expect(answer.nearMisses?.map(({ start, score }) => [start, score])).toEqual([
      [31, 0.49],
      [51, 0.1],
      [34, expect.any(Number)],
      [52, expect.any(Number)],
    ]);
  });

  it('surely enough for the question that was asked is a near miss too', async () => {
    const { ask } = house({ 30: [{ span: [1, 2], yes: 0.9 }] });
    const answer = await ask('apple falls on his head', { minScore: 0.95 });
    expect(answer).toMatchObject({ noMatch: true });
    expect(answer.nearMisses?.[0]).toMatchObject({ start: 31, score: 0.9 });
  });
});

describe('a search that cannot be grounded', () => {
  const plainOf = async ({ ask }: ReturnType<typeof house>) => {
    const { took: _, note, ...plain } = await ask('apple falls', { ground: false });
    return plain;
  };

  it('that leads nowhere opens nothing', async () => {
    const { ask, opened } = house({});
    const answer = await ask('stock market crash');
    expect(answer).toMatchObject({ noMatch: true, grounding: { complete: true, windows: [] }, nearMisses: [] });
    expect(answer.note).toMatch(/Nothing was looked at, since nothing in the library leads anywhere\.$/);
    expect(opened).toEqual([]);
  });

  it('and does not want to be is plain', async () => {
    const { ask, opened } = house({});
    expect(await ask('apple', { ground: false })).not.toHaveProperty('grounding');
    expect(opened).toEqual([]);
  });

  it('without a model is plain, and says so', async () => {
    const opened = house({});
    const searcher = groundedSearcher({
      library: opened.library,
      searcher: createSearcher({ library: opened.library }),
      decoder: async () => decoder,
      model: async () => ({ missing: 'No model is built here.' }),
    });
    const answer = await searcher.search({ query: 'apple falls', ground: true });
    expect(answer).toMatchObject(await plainOf(opened));
    expect(answer).not.toHaveProperty('grounding');
    expect(answer.note).toMatch(/Not looked at again: there is no model to look with\. No model is built here\.$/);
  });

  it('with a model that fails is plain, and says so', async () => {
    const opened = house({}, () => {
      throw new LongwatchError('model_failed', 'It died.', { hint: 'Try another.' });
    });
    const answer = await opened.ask('apple falls');
    expect(answer).toMatchObject(await plainOf(opened));
    expect(answer.note).toMatch(/Not looked at again: It died\. Try another\.$/);
  });

  it('with another file than was ingested is plain, and says so', async () => {
    const opened = house({});
    opened.library.addVideo({ ...newVideo('meadow'), path: clip, modified: 1 });
    const answer = await opened.ask('apple falls');
    expect(answer).toMatchObject(await plainOf(opened));
    expect(answer.note).toContain('is not the file that was ingested any more. Ingest it again.');
    expect(opened.looks()).toEqual([]);
  });

  it('to its end keeps what was seen', async () => {
    const { ask } = house({ 30: [{ span: [1, 2], yes: 0.9 }] }, (_, turn) => {
      if (turn === 2) throw new LongwatchError('overloaded', 'Too much.');
    });
    const answer = await ask('apple falls on his head');
    expect(timesOf(answer)).toEqual([[31, 32]]);
    expect(answer.grounding).toMatchObject({ complete: false, windows: [{ start: 30 }] });
    expect(places(answer.nearMisses)).toEqual([
      [34, 36, 'not seen by scripted'],
      [52, 54, 'not looked at'],
    ]);
    expect(answer.note).toContain('The look ended after 1 window: Too much.');
  });

  it('to its end and saw nothing until then leaves the rest to the search', async () => {
    const { ask } = house({}, (_, turn) => {
      if (turn === 1) throw new LongwatchError('overloaded', 'Too much.');
    });
    const answer = await ask('apple falls on his head');
    expect(answer.noMatch).toBe(false);
    expect(places(answer.results)).toEqual([[52, 54, 'not looked at']]);
    expect(places(answer.nearMisses)).toEqual([[34, 36, 'not seen by scripted']]);
  });

  it('because it was cancelled is cancelled', async () => {
    const abort = new AbortController();
    const { ask } = house({}, () => {
      abort.abort();
      throw new LongwatchError('model_failed', 'It was stopped.');
    });
    await expect(ask('apple falls', {}, abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    await expect(ask('apple falls', {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('because of a fault in the program says so', async () => {
    const { ask } = house({}, () => {
      throw new TypeError('undefined is not a function');
    });
    await expect(ask('apple falls')).rejects.toMatchObject({ code: 'internal' });
  });

  it.each<[Partial<SearchRequest>, string]>([
    [{ groundWindows: 0 }, '0 windows are not possible.'],
    [{ groundWindows: 21 }, '21 windows are not possible.'],
    [{ groundWindows: 1.5 }, '1.5 windows are not possible.'],
    [{ ground: false, groundWindows: 3 }, 'Windows to look at are named, and nobody is asked to look.'],
  ])('%j is refused', async (more, message) => {
    const { ask } = house({});
    await expect(ask('apple', more)).rejects.toMatchObject({
      code: 'invalid_input',
      pointer: '/ground_windows',
      message,
    });
  });
});
