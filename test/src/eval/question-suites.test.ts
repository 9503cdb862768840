/** Public suites of questions and the drawn world read tiny files in their form, and score answers whose figures can be worked out by hand. */

import { describe, expect, it } from 'vitest';
import { figuresOf, itemsOf } from './suite-case.js';

describe('video-mme', () => {
  const question = { question_id: '001-1', task_type: 'Counting', question: 'How many?', answer: 'C' };
  const options = ['A. One.', 'B. Two.', 'C. Three.', 'D. C. elegans.'];
  const item = {
    kind: 'choice',
    id: '001-1',
    media: 'fFjv93ACGo8',
    question: 'How many?',
    options: ['One.', 'Two.', 'Three.', 'C. elegans.'],
    correct: 2,
    groups: { duration: 'short', task: 'Counting' },
  };

  it('reads rows of questions and rows of videos', async () => {
    const row = { video_id: '001', videoID: 'fFjv93ACGo8', duration: 'short', options, ...question };
    const nested = {
      video_id: '001',
      url: 'https://www.youtube.com/watch?v=fFjv93ACGo8',
      duration: 'short',
      questions: [{ ...question, options }],
    };
    expect(await itemsOf('video-mme', { 'video-mme.jsonl': [row] })).toEqual([item]);
    expect(await itemsOf('video-mme', { 'Video-MME.json': [nested] })).toEqual([item]);
    expect(await itemsOf('video-mme-subtitles', { 'video-mme.jsonl': [row] })).toEqual([
      { ...item, subtitles: 'fFjv93ACGo8.srt' },
    ]);
  });

  it('gives accuracy, also by duration and task', async () => {
    const row = (id: string, duration: string) => ({ video_id: id, duration, options, ...question, question_id: id });
    const rows = [row('1', 'short'), row('2', 'short'), row('3', 'long'), row('4', 'long')];
    const { figures, groups, report } = await figuresOf('video-mme', { 'video-mme.jsonl': rows }, [
      { id: '1', choice: 'c', confidence: 0.9 },
      { id: '2', choice: 'A', confidence: 0.4 },
      { id: '3', choice: 'C' },
    ]);
    expect(figures).toEqual({ accuracy: 0.5 });
    expect(groups).toEqual({
      'duration short': { accuracy: 0.5 },
      'duration long': { accuracy: 0.5 },
      'task Counting': { accuracy: 0.5 },
    });
    expect(report.reliability).toMatchObject({ count: 2, expectedCalibrationError: 0.25 });
  });

  it('refuses an answer that is none of the options', async () => {
    const row = { video_id: '1', duration: 'short', options: options.slice(0, 2), ...question };
    await expect(itemsOf('video-mme', { 'video-mme.jsonl': [row] })).rejects.toThrow(
      /video-mme\.jsonl:1: the answer C is none of 2 options/,
    );
  });
});

describe('mvbench', () => {
  const files = {
    'json/action_sequence.json': [
      { video: 'a.mp4', question: 'What first?', candidates: ['sit', 'run'], answer: 'run', start: 2.5, end: 9 },
      { video: 'b.mp4', question: 'What then?', candidates: ['sit', 'run', 'jump'], answer: 'sit' },
    ],
    'json/moving_count.json': [{ video: 'a.mp4', question: 'How many?', candidates: ['0', '1'], answer: '0' }],
    'json/notes.json': ['not a task'],
  };

  it('reads one file per task, and the stretch that is shown', async () => {
    const [first, , last] = await itemsOf('mvbench', files);
    expect(first).toEqual({
      kind: 'choice',
      id: 'action_sequence#1',
      media: 'a.mp4',
      folders: ['star'],
      question: 'What first?',
      options: ['sit', 'run'],
      correct: 1,
      groups: { task: 'action_sequence' },
      range: { start: 2.5, end: 9 },
    });
    expect(last?.id).toBe('moving_count#1');
  });

  it('is the mean of the tasks', async () => {
    const { figures } = await figuresOf('mvbench', files, [
      { id: 'action_sequence#1', choice: 'B' },
      { id: 'moving_count#1', choice: 'A' },
    ]);
    expect(figures).toEqual({ 'mean of tasks': 0.75, accuracy: 0.6667 });
  });
});

describe('docvqa', () => {
  const data = [
    { questionId: 337, question: 'Which year?', image: 'documents/xn_1.png', docId: 1, answers: ['1998', "'98"] },
    { questionId: 338, question: 'Who?', image_local_name: '2.jpeg', answers: ['Mary Poppins'] },
  ];

  it('reads the official file, a bare list and lines', async () => {
    const expected = [
      { kind: 'document', id: '337', media: 'documents/xn_1.png', question: 'Which year?', answers: ['1998', "'98"] },
      { kind: 'document', id: '338', media: '2.jpeg', question: 'Who?', answers: ['Mary Poppins'] },
    ];
    expect(await itemsOf('docvqa', { 'val_v1.0_withQT.json': { dataset_name: 'docvqa', data } })).toEqual(expected);
    expect(await itemsOf('docvqa', { 'val.json': data })).toEqual(expected);
    expect(await itemsOf('docvqa', { 'infographicsVQA_val.jsonl': data })).toEqual(expected);
  });

  it('gives ANLS', async () => {
    const { figures } = await figuresOf('docvqa', { 'val.json': { data } }, [
      { id: '337', answer: '1998' },
      { id: '338', answer: 'Mary Popins' },
    ]);
    expect(figures).toEqual({ ANLS: 0.9583, exact: 0.5 });
  });
});

describe('drawn-world', () => {
  const truth = {
    seed: 4,
    duration_s: 60,
    events: [
      { start_s: 1, end_s: 4, text: 'a red ball falls', boxes: [] },
      { start_s: 10, end_s: 12, text: 'the lights go off' },
    ],
    questions: [
      { text: 'a red ball falls', spans: [[1, 4]] },
      {
        text: 'a ball',
        spans: [
          [1, 4],
          [30, 40],
        ],
      },
      { text: 'a green dog', spans: [] },
      { text: 'a blue cat', spans: [] },
    ],
  };

  it('reads one film, or many in folders of their own', async () => {
    const items = await itemsOf('drawn-world', { 'truth.json': truth });
    expect(items.map(({ id, groups }) => [id, groups])).toEqual([
      ['film#1', { length: 'to 90 s' }],
      ['film#2', { length: 'to 90 s' }],
      ['film#3', { length: 'to 90 s' }],
      ['film#4', { length: 'to 90 s' }],
    ]);
    const many = await itemsOf('drawn-world-events', { 'one/truth.json': truth, 'two/truth.json': truth });
    expect(many.map(({ id }) => id)).toEqual(['one', 'two']);
    expect(many[0]).toMatchObject({
      truths: [
        [
          { start: 1, end: 4 },
          { start: 10, end: 12 },
        ],
      ],
    });
  });

  it('counts what is found where nothing is, and what is not found where something is', async () => {
    const { figures } = await figuresOf('drawn-world', { 'truth.json': truth }, [
      {
        id: 'film#1',
        spans: [
          [1, 3],
          [50, 60],
        ],
      },
      { id: 'film#2', spans: [] },
      { id: 'film#3', spans: [[5, 6]] },
      { id: 'film#4', spans: [] },
    ]);
    expect(figures).toEqual({
      mIoU: 0.3333,
      'R1@0.3': 0.5,
      'R1@0.5': 0.5,
      'R1@0.7': 0,
      // 2 s shared of 13 s, and nothing.
      'set IoU': 0.0769,
      'F1@0.5': 0.3333,
      'precision@0.5': 0.3333,
      'recall@0.5': 0.3333,
      'false-hit rate': 0.5,
      'false "no match"': 0.5,
    });
  });

  it('does not take silence for a "no"', async () => {
    const { figures } = await figuresOf('drawn-world', { 'truth.json': truth }, [{ id: 'film#3', spans: [] }]);
    expect(figures).toMatchObject({ 'false-hit rate': 0, 'false "no match"': 0, mIoU: 0 });
  });

  it('scores events one to one', async () => {
    const { figures } = await figuresOf('drawn-world-events', { 'truth.json': truth }, [
      {
        id: 'film',
        spans: [
          [1, 4],
          [1, 3.9],
          [10, 13],
        ],
      },
    ]);
    expect(figures).toMatchObject({ 'F1@0.5': 0.8, 'precision@0.5': 0.6667, 'recall@0.5': 1, 'F1@0.9': 0.4 });
  });
});
