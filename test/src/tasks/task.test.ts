import { describe, expect, it } from 'vitest';
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
