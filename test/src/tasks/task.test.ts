import { describe, expect, it } from 'vitest';
import type { BackendRequest } from '../../../src/backend.js';
import { LongwatchError } from '../../../src/errors.js';
import { BackendModel } from '../../../src/tasks/backend-model.js';
import { eventsTask } from '../../../src/tasks/events.js';
import { runTask } from '../../../src/tasks/task.js';
import { describeWindow } from '../../../src/window-meaning.js';
import { INPUT, pictureAt, WINDOW } from './cases.js';
import { ScriptedBackend, wordsOf } from './scripted-backend.js';

const GOOD = '{"events":[{"start":2,"end":4,"text":"He kneels."}]}';

describe('a task', () => {
  it('asks once when the answer can be read', async () => {
    const backend = new ScriptedBackend(() => GOOD);
    await runTask(backend, eventsTask, INPUT);
    expect(backend.requests).toHaveLength(1);
  });

  it('asks once more when it cannot, and says why', async () => {
    const backend = new ScriptedBackend((_, turn) => (turn === 0 ? 'I see a man.' : GOOD));
    expect(await runTask(backend, eventsTask, INPUT)).toHaveLength(1);
    const [first, second] = backend.requests.map(wordsOf);
    expect(second).toBe(
      `${first}\n\nThe last answer was not JSON of this form. Answer again: JSON only, no other words, short enough to be complete.`,
    );
    expect(backend.requests[1]?.maxTokens).toBe(1024);
  });

  it('gives an answer that was cut twice the room', async () => {
    const backend = new ScriptedBackend((_, turn) =>
      turn === 0 ? { text: GOOD.slice(0, 30), finish: 'length' } : GOOD,
    );
    expect(await runTask(backend, eventsTask, INPUT)).toHaveLength(1);
    expect(backend.requests.map(({ maxTokens }) => maxTokens)).toEqual([1024, 2048]);
  });

  it('fails with the beginning of the second answer', async () => {
    const backend = new ScriptedBackend((_, turn) => `${turn === 0 ? 'first' : 'second'} ${'x'.repeat(5000)}`);
    await expect(runTask(backend, eventsTask, INPUT)).rejects.toMatchObject({
      code: 'model_failed',
      message: `The model's answer to "events" has not the form that was asked for, twice: "second ${'x'.repeat(193)}"`,
      hint: 'Use a server that keeps JSON schemas, or a larger model.',
    });
  });

  it('asks nobody once it is cancelled', async () => {
    const backend = new ScriptedBackend(() => GOOD);
    await expect(runTask(backend, eventsTask, INPUT, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    expect(backend.requests).toEqual([]);
  });

  it('passes on what the backend throws', async () => {
    const backend = new ScriptedBackend(() => {
      throw new Error('down');
    });
    await expect(runTask(backend, eventsTask, INPUT)).rejects.toThrow('down');
  });
});

describe('a model made of a backend', () => {
  const answer = {
    caption: 'A man at a door.',
    events: [
      { start: 2, end: 4, text: 'He kneels.' },
      { start: 3, end: 90, text: 'He stands.' },
    ],
  };

  it('describes a window in one ask', async () => {
    const backend = new ScriptedBackend(() => JSON.stringify(answer));
    const model = new BackendModel(backend);
    expect(await model.describe(INPUT)).toEqual({
      caption: 'A man at a door.',
      events: [
        { start: 122, end: 124, text: 'He kneels.', precision: 0.5 },
        { start: 123, end: 136, text: 'He stands.', precision: 0.5 },
      ],
      precision: 0.5,
      frames: INPUT.pictures.map(({ pts, time }) => ({ pts, time })),
    });
    expect(backend.requests).toHaveLength(1);
  });

  it('states of each event how precise it is: as dense as the frames around its edges', async () => {
    // Pairs at 120, 121, 122, 123 and then at 124, 128 and 132 seconds of a window that ends at 136.
    const times = [120, 121, 122, 123, 124, 128, 132].flatMap((time) => [time, time + 0.5]);
    const pictures = times.map((time) => pictureAt(time));
    const events = [
      { start: 1.5, end: 2.5, text: 'He kneels.' },
      { start: 2.5, end: 6, text: 'He stands.' },
    ];
    const model = new BackendModel(new ScriptedBackend(() => JSON.stringify({ ...answer, events })));
    const window = { ...WINDOW, index: 7, activity: 1, frames: [] };
    const said = await describeWindow(model, window, pictures);
    expect(said.events.map(({ kind, start, end, precision }) => [kind, start, end, precision])).toEqual([
      ['caption', 120, 136, 2],
      ['activity', 121.5, 122.5, 0.5],
      ['activity', 122.5, 126, 2],
    ]);
  });

  it('gives the pipeline events of its own id', async () => {
    const model = new BackendModel(new ScriptedBackend(() => JSON.stringify(answer)));
    const window = { ...WINDOW, index: 7, activity: 1, frames: [] };
    const { events } = await describeWindow(model, window, INPUT.pictures);
    expect(events.map(({ kind, start, end, model: said }) => [kind, start, end, said])).toEqual([
      ['caption', 120, 136, 'scripted'],
      ['activity', 122, 124, 'scripted'],
      ['activity', 123, 136, 'scripted'],
    ]);
  });

  it('has the sizes of its backend and closes it', async () => {
    const backend = new ScriptedBackend(() => '');
    const model = new BackendModel(backend);
    const size = model.pictureSize({ width: 1920, height: 1080 });
    expect(size).toEqual({ width: 980, height: 560 });
    expect(model.tokensPerPair(size)).toBe(700);
    await model.close();
    expect(backend.closed).toBe(true);
  });
});

describe('a window that is too much for the model', () => {
  const ANSWER = '{"caption":"A man at a door.","events":[{"start":2,"end":4,"text":"He kneels."}]}';
  const timesOf = ({ parts }: BackendRequest) =>
    parts.flatMap((part) => (part.kind === 'video' ? part.pictures.map(({ time }) => time - WINDOW.start) : []));
  const tooMuch = (frames: number, error: LongwatchError) =>
    new ScriptedBackend((request) => {
      if (timesOf(request).length > frames) throw error;
      return ANSWER;
    });
  const OVERLOADED = new LongwatchError('overloaded', '900 MB are needed.', { hint: 'Buy some.', retry: 'smaller' });

  it('is shown with half the pairs, whole and evenly thinned, until it is not', async () => {
    const backend = tooMuch(10, OVERLOADED);
    const said = await new BackendModel(backend).describe(INPUT);
    expect(backend.requests.map((request) => timesOf(request).length)).toEqual([32, 16, 8]);
    // The window has pairs at 0, 1, 2 … 15 s.
    expect(timesOf(backend.requests[1] as BackendRequest)).toEqual(
      [1, 3, 5, 7, 9, 11, 13, 15].flatMap((time) => [time, time + 0.5]),
    );
    expect(timesOf(backend.requests[2] as BackendRequest)).toEqual([2, 2.5, 6, 6.5, 10, 10.5, 14, 14.5]);
    expect(said.frames.map(({ time }) => time - WINDOW.start)).toEqual([2, 2.5, 6, 6.5, 10, 10.5, 14, 14.5]);
  });

  it('has the precision of the frames that were shown', async () => {
    const precise = async (frames: number) => {
      const { precision, events } = await new BackendModel(tooMuch(frames, OVERLOADED)).describe(INPUT);
      return [precision, events[0]?.precision];
    };
    // Of the window, whose edges lie half as far from a pair as two pairs from each other, and of an event from 2 s to 4 s in it.
    expect(await precise(32)).toEqual([0.5, 0.5]);
    expect(await precise(16)).toEqual([0.5, 1]);
    expect(await precise(8)).toEqual([1, 2]);
    // One pair in the middle of 16 s.
    expect(await precise(2)).toEqual([4, 4]);
  });

  it('is stored with those frames', async () => {
    const window = { ...WINDOW, index: 7, activity: 1, frames: INPUT.pictures.map(({ pts, time }) => ({ pts, time })) };
    const said = await describeWindow(new BackendModel(tooMuch(2, OVERLOADED)), window, INPUT.pictures);
    expect(said.window).toEqual({
      ...window,
      frames: [
        { pts: 128_000, time: 128 },
        { pts: 128_500, time: 128.5 },
      ],
    });
  });

  it('even with one pair is given up, with the advice', async () => {
    const backend = tooMuch(0, OVERLOADED);
    await expect(new BackendModel(backend).describe(INPUT)).rejects.toMatchObject({
      code: 'overloaded',
      message: '900 MB are needed. The window was shown with 32 frames, then with fewer, down to 2.',
      hint: 'Buy some.',
    });
    expect(backend.requests.map((request) => timesOf(request).length)).toEqual([32, 16, 8, 4, 2]);
  });

  it('and has one pair only is asked about once', async () => {
    const backend = tooMuch(0, OVERLOADED);
    const still = { ...INPUT, pictures: INPUT.pictures.slice(0, 2) };
    await expect(new BackendModel(backend).describe(still)).rejects.toBe(OVERLOADED);
    expect(backend.requests).toHaveLength(1);
  });

  it('is shown smaller too when this process itself has no room for it', async () => {
    const backend = new ScriptedBackend((request) => {
      if (timesOf(request).length > 16) new Float32Array(2 ** 50);
      return ANSWER;
    });
    expect((await new BackendModel(backend).describe(INPUT)).frames).toHaveLength(16);
  });

  it.each([
    ['a server that wants to be left alone', new LongwatchError('overloaded', 'Later.')],
    ['an answer that is none', new LongwatchError('model_failed', 'No.')],
    ['a wrong address', new LongwatchError('bad_config', 'No.')],
  ])('is not what %s means', async (_what, error) => {
    const backend = tooMuch(0, error);
    await expect(new BackendModel(backend).describe(INPUT)).rejects.toBe(error);
    expect(backend.requests).toHaveLength(1);
  });

  it('is not asked about again once it is cancelled', async () => {
    const abort = new AbortController();
    const backend = new ScriptedBackend(() => {
      abort.abort();
      throw OVERLOADED;
    });
    await expect(new BackendModel(backend).describe(INPUT, abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(backend.requests).toHaveLength(1);
  });
});
