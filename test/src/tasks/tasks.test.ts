/** Every task: known words of a model in, known result out. */

import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend.js';
import { actTask } from '../../../src/tasks/act.js';
import { answerTask } from '../../../src/tasks/answer.js';
import { captionTask } from '../../../src/tasks/caption.js';
import { citeTask } from '../../../src/tasks/cite.js';
import { detectBoxesTask, detectPointsTask } from '../../../src/tasks/detect.js';
import { eventsTask } from '../../../src/tasks/events.js';
import { ground } from '../../../src/tasks/ground.js';
import { readFormTask, readLinesTask } from '../../../src/tasks/read.js';
import { runTask, type Task } from '../../../src/tasks/task.js';
import { INPUT, RECEIPT, STILL } from './cases.js';
import { ScriptedBackend, wordsOf } from './scripted-backend.js';

function told<Input, Output>(task: Task<Input, Output>, input: Input, answer: unknown): Promise<Output> {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  return runTask(new ScriptedBackend(() => text), task, input);
}

describe('caption', () => {
  it('gives the whole and its scenes at media time', async () => {
    const scenes = [{ start: 0, end: 6.5, text: 'A man looks for a key.' }];
    expect(await told(captionTask, INPUT, { caption: 'A man at a door.', scenes })).toEqual({
      caption: 'A man at a door.',
      scenes: [{ start: 120, end: 126.5, text: 'A man looks for a key.', precision: 0.5 }],
    });
  });
});

describe('events', () => {
  const expected = [{ start: 122, end: 124.5, text: 'He kneels.', precision: 0.5 }];

  it('are at media time', async () => {
    expect(await told(eventsTask, INPUT, { events: [{ start: 2, end: 4.5, text: 'He kneels.' }] })).toEqual(expected);
  });

  it('are read in the form that Qwen2.5-VL was trained on', async () => {
    const answer = '```json\n[{"start_time": "00:02.00", "end_time": "00:04.50", "description": "He kneels."}]\n```';
    expect(await told(eventsTask, INPUT, answer)).toEqual(expected);
  });

  it('may be none', async () => {
    expect(await told(eventsTask, INPUT, { events: [] })).toEqual([]);
  });
});

describe('ground', () => {
  const query = 'a man opens a door';
  const backend = (...odds: readonly (readonly number[] | undefined)[]) =>
    new ScriptedBackend((request, turn) => {
      if (!request.choices) return '{"spans":[{"start":2,"end":4},{"start":9,"end":10.5}]}';
      const choiceProbabilities = odds[turn - 1];
      return { text: 'yes', ...(choiceProbabilities ? { choiceProbabilities } : {}) };
    });

  it('scores each stretch with the probability of yes', async () => {
    const asked = backend([0.9, 0.1], [0.25, 0.75]);
    expect(await ground(asked, { ...INPUT, query })).toEqual([
      { start: 122, end: 124, precision: 0.5, score: 0.9 },
      { start: 129, end: 130.5, precision: 0.5, score: 0.25 },
    ]);
    expect(asked.requests.map(({ choices }) => choices)).toEqual([undefined, ['yes', 'no'], ['yes', 'no']]);
  });

  it('is as precise as the positions of its model, where the frames are dense', async () => {
    const dense = { range: { start: 120, end: 121 }, pictures: INPUT.pictures.slice(0, 8) };
    const pictures = dense.pictures.map((picture, index) => ({ ...picture, time: 120 + index / 8 }));
    const spans = (asked: Backend) => ground(asked, { ...dense, pictures, query }, { verify: false });
    const found = () => '{"spans":[{"start":0.3,"end":0.6}]}';
    expect(await spans(new ScriptedBackend(found))).toMatchObject([{ precision: 0.25 }]);
    const nano = Object.assign(new ScriptedBackend(found), { positionStep: 0.25 });
    expect(await spans(nano)).toMatchObject([{ precision: 0.125 }]);
  });

  it('shows only the frames of the stretch when it looks again', async () => {
    const asked = backend([0.9, 0.1], [0.25, 0.75]);
    await ground(asked, { ...INPUT, query });
    const shown = asked.requests.map(({ parts }) =>
      parts.flatMap((part) => (part.kind === 'video' ? part.pictures.map(({ time }) => time) : [])),
    );
    expect(shown[0]).toHaveLength(32);
    expect(shown[1]).toEqual([122, 122.5, 123, 123.5]);
    expect(shown[2]).toEqual([129, 129.5, 130, 130.5]);
  });

  it('leaves out what scores too low', async () => {
    const spans = await ground(backend([0.9, 0.1], [0.25, 0.75]), { ...INPUT, query }, { minScore: 0.5 });
    expect(spans.map(({ start }) => start)).toEqual([122]);
  });

  it('has no scores where the backend cannot tell', async () => {
    const spans = await ground(backend(undefined, [Number.NaN, 1]), { ...INPUT, query }, { minScore: 0.5 });
    expect(spans).toEqual([
      { start: 122, end: 124, precision: 0.5 },
      { start: 129, end: 130.5, precision: 0.5 },
    ]);
  });

  it('asks once when nobody wants a score, and once when there is nothing to score', async () => {
    const unscored = backend();
    await ground(unscored, { ...INPUT, query }, { verify: false });
    expect(unscored.requests).toHaveLength(1);
    const nothing = new ScriptedBackend(() => '{"spans":[]}');
    expect(await ground(nothing, { ...INPUT, query })).toEqual([]);
    expect(nothing.requests).toHaveLength(1);
  });
});

describe('answer', () => {
  const input = { ...INPUT, question: 'Where is the key?' };

  it('has the times that it rests on', async () => {
    const answer = { found: true, answer: 'Under the mat.', times: [{ start: 6, end: 8 }] };
    expect(await told(answerTask, input, answer)).toEqual({
      found: true,
      answer: 'Under the mat.',
      times: [{ start: 126, end: 128, precision: 0.5 }],
    });
  });

  it('has no times when nothing was found', async () => {
    const answer = { found: false, answer: 'No key is shown.', times: [{ start: 6, end: 8 }] };
    expect(await told(answerTask, input, answer)).toEqual({ found: false, answer: 'No key is shown.', times: [] });
  });

  it('is asked beside as many words of the video as have room', () => {
    const texts = Array.from({ length: 500 }, (_, i) => ({
      kind: 'subtitle',
      start: 121,
      end: 122,
      text: `Line ${i}.`,
    }));
    const lines = wordsOf(answerTask.request({ ...input, texts })).match(/^- 1\.0 to 2\.0, subtitle: "Line \d+\."$/gm);
    expect(lines?.length).toBeGreaterThan(50);
    expect(lines?.length).toBeLessThan(150);
  });

  it('without words has found nothing', async () => {
    const answer = { found: true, answer: ' ', times: [{ start: 6, end: 8 }] };
    expect(await told(answerTask, input, answer)).toEqual({ found: false, answer: '', times: [] });
  });
});

describe('cite', () => {
  const notes = ['A man finds a key.', 'A dog barks.', 'The man opens a door.'].map((text, i) => ({
    kind: 'caption',
    start: i * 10,
    end: i * 10 + 10,
    text,
  }));

  it('names the notes behind each sentence and drops sentences that rest on none', async () => {
    const sentences = [
      { notes: [3, 1, 3], text: 'The man with the key opens a door.' },
      { notes: [17], text: 'He is a thief.' },
    ];
    expect(await told(citeTask, { question: 'What does he do?', notes }, { found: true, sentences })).toEqual({
      found: true,
      sentences: [{ text: 'The man with the key opens a door.', notes: [0, 2] }],
    });
  });

  it('quotes as many notes as the budget holds, the first ones', () => {
    const many = Array.from({ length: 150 }, (_, i) => ({ kind: 'caption', start: i, end: i + 1, text: `note ${i}` }));
    const words = wordsOf(citeTask.request({ question: 'What?', notes: many, tokenBudget: 300 }));
    const numbers = [...words.matchAll(/^\[(\d+)\] .*"note (\d+)"$/gm)].map((match) => [
      Number(match[1]),
      Number(match[2]),
    ]);
    expect(numbers.length).toBeGreaterThan(5);
    expect(numbers.length).toBeLessThan(20);
    expect(numbers).toEqual(numbers.map((_, i) => [i + 1, i]));
  });
});

describe('detect', () => {
  const input = { ...STILL, what: 'every button' };

  it('gives boxes in pixels of the source', async () => {
    // 560x308 shows 1920x1080: 24/7 times wider and 270/77 times higher.
    expect(await told(detectBoxesTask, input, [{ bbox_2d: [70, 77, 140, 154], label: 'OK' }])).toEqual([
      { label: 'OK', place: { left: 240, top: 270, right: 480, bottom: 540 } },
    ]);
  });

  it('cuts boxes to the picture, drops those outside, and says equal ones once', async () => {
    const answer = [
      { bbox_2d: [-10, -10, 9000, 9000], label: 'screen' },
      { bbox_2d: [600, 10, 700, 20], label: 'beyond' },
      { bbox_2d: [140, 77, 70, 154], label: 'reversed' },
      { bbox_2d: [0, 0, 560, 308], label: 'Screen' },
    ];
    expect(await told(detectBoxesTask, input, answer)).toEqual([
      { label: 'Screen', place: { left: 0, top: 0, right: 1920, bottom: 1080 } },
    ]);
  });

  it('gives points in pixels of the source, and none for points outside', async () => {
    const answer = [
      { point_2d: [280, 154], label: 'OK' },
      { point_2d: [560, 308], label: 'corner' },
      { point_2d: [600, 20], label: 'beyond' },
    ];
    expect(await told(detectPointsTask, input, answer)).toEqual([
      { label: 'OK', place: { x: 960, y: 540 } },
      { label: 'corner', place: { x: 1919, y: 1079 } },
    ]);
  });

  it('refuses a picture that has not its pixels', async () => {
    const broken = { ...input, picture: { ...STILL.picture, rgb: new Uint8Array(3) } };
    await expect(told(detectBoxesTask, broken, [])).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('read', () => {
  it('gives the lines without empty ones', async () => {
    expect(await told(readLinesTask, STILL, { lines: ['EXIT', ' ', 'Gate\u00005'] })).toEqual(['EXIT', 'Gate 5']);
  });

  it('gives a value of a person’s schema', async () => {
    const answer =
      'Here: {"shop": "Corner", "total": "12.50", "currency": "eur", "items": [{"name": "Tea", "count": 2}]}';
    expect(await told(readFormTask, { ...STILL, schema: RECEIPT }, answer)).toEqual({
      shop: 'Corner',
      total: 12.5,
      currency: 'EUR',
      items: [{ name: 'Tea', count: 2 }],
    });
  });

  it('gives null where the schema is null, which is an answer', async () => {
    expect(await told(readFormTask, { ...STILL, schema: { type: 'null' } }, 'null')).toBeNull();
  });

  it('refuses a schema that cannot be kept before anybody is asked', async () => {
    const backend = new ScriptedBackend(() => '{}');
    const input = { ...STILL, schema: { type: 'string', format: 'date' } };
    await expect(runTask(backend, readFormTask, input)).rejects.toMatchObject({ code: 'invalid_input', pointer: '' });
    expect(backend.requests).toEqual([]);
  });
});

describe('act', () => {
  const input = { ...STILL, goal: 'Save the file' };
  const step = { thought: 'It saves.', coordinate: [280, 154], to: null, text: null, pixels: 0 };

  it.each([
    [{ action: 'click' }, { kind: 'click', at: { x: 960, y: 540 } }],
    [
      { action: 'drag', to: [0, 308] },
      { kind: 'drag', at: { x: 960, y: 540 }, to: { x: 0, y: 1079 } },
    ],
    [
      { action: 'scroll', pixels: 154 },
      { kind: 'scroll', at: { x: 960, y: 540 }, pixels: 540 },
    ],
    [
      { action: 'scroll', pixels: -99999 },
      { kind: 'scroll', at: { x: 960, y: 540 }, pixels: -4320 },
    ],
    [
      { action: 'type', text: 'hello' },
      { kind: 'type', text: 'hello' },
    ],
    [
      { action: 'key', text: 'Ctrl + S' },
      { kind: 'key', text: 'ctrl+s' },
    ],
    [
      { action: 'key', text: 'rm -rf /' },
      { kind: 'fail', text: 'The model named no keys.' },
    ],
    [{ action: 'type' }, { kind: 'fail', text: 'The model did not say what to type.' }],
    [{ action: 'drag' }, { kind: 'fail', text: 'The model did not say where to drag.' }],
    [{ action: 'wait' }, { kind: 'wait' }],
    [
      { action: 'done', text: 'Saved.' },
      { kind: 'done', text: 'Saved.' },
    ],
  ])('%j is %j', async (answer, action) => {
    expect(await told(actTask, input, { ...step, ...answer })).toEqual({ thought: 'It saves.', action });
  });
});
