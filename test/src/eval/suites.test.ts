/** Every suite reads tiny files in its public form, and scores answers whose figures can be worked out by hand. */

import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluateFile } from '../../../src/eval/evaluate.js';
import { MediaFolder } from '../../../src/eval/media.js';
import { reportOf } from '../../../src/eval/report.js';
import { findSuite, SUITES } from '../../../src/eval/suites/list.js';

/** A folder with these files; what is no text is written as JSON, and lists into `.jsonl` line by line. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-suite-'));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, textOf(name, content));
  }
  return folder;
}

function textOf(name: string, content: unknown): string {
  if (typeof content === 'string') return content;
  return /\.(jsonl|ndjson)$/.test(name)
    ? (content as unknown[]).map((line) => `${JSON.stringify(line)}\n`).join('')
    : JSON.stringify(content);
}

async function itemsOf(suite: string, files: Readonly<Record<string, unknown>>) {
  return findSuite(suite).read(await MediaFolder.open(folderOf(files)));
}

/** Figures by name, rounded to four decimals, of answers in a file. */
async function figuresOf(suite: string, files: Readonly<Record<string, unknown>>, answers: readonly unknown[]) {
  const folder = folderOf({ ...files, 'mine.ndjson': answers });
  const options = {
    suite: findSuite(suite),
    folder: await MediaFolder.open(folder),
    signal: new AbortController().signal,
  };
  const report = reportOf(options.suite, await evaluateFile(options, path.join(folder, 'mine.ndjson')));
  const rounded = (figures: typeof report.figures) =>
    Object.fromEntries(figures.map(({ name, value }) => [name, Math.round(value * 1e4) / 1e4]));
  return {
    figures: rounded(report.figures),
    groups: Object.fromEntries(report.groups.map(({ by, name, figures }) => [`${by} ${name}`, rounded(figures)])),
    report,
  };
}

describe('charades-sta', () => {
  const files = {
    'annotations/charades_sta_test.txt':
      '3MSZA 24.3 30.4##person turn a light on.\n\n3MSZA 0.0 10.0##a person ## writes notes.\nAO8RW 9.5 2.5##they open a door.\n',
  };

  it('reads lines, turns spans that are the wrong way round, and numbers queries of one video', async () => {
    expect(await itemsOf('charades-sta', files)).toEqual([
      {
        kind: 'grounding',
        id: '3MSZA#1',
        media: '3MSZA',
        query: 'person turn a light on.',
        spans: [{ start: 24.3, end: 30.4 }],
      },
      {
        kind: 'grounding',
        id: '3MSZA#2',
        media: '3MSZA',
        query: 'a person ## writes notes.',
        spans: [{ start: 0, end: 10 }],
      },
      {
        kind: 'grounding',
        id: 'AO8RW#3',
        media: 'AO8RW',
        query: 'they open a door.',
        spans: [{ start: 2.5, end: 9.5 }],
      },
    ]);
  });

  it('gives mIoU and R@1; a query without an answer counts as 0', async () => {
    const { figures, report } = await figuresOf('charades-sta', files, [
      { id: '3MSZA#2', spans: [[0, 6, 0.9]] },
      {
        id: 'AO8RW#3',
        spans: [
          [2.5, 9.5, 0.7],
          [0, 1],
        ],
      },
      { id: 'nobody', spans: [] },
    ]);
    expect(figures).toEqual({ mIoU: 0.5333, 'R1@0.3': 0.6667, 'R1@0.5': 0.6667, 'R1@0.7': 0.3333 });
    expect(report.items).toEqual({
      total: 3,
      scored: 3,
      answered: 2,
      failed: 0,
      missing_media: 0,
      unknown_predictions: 1,
    });
    // 0.9 and 0.7 were both right.
    expect(report.reliability?.expectedCalibrationError).toBeCloseTo(0.2, 12);
    expect(report.published[0]).toEqual({
      model: 'Qwen2.5-VL-3B',
      figure: 'mIoU',
      value: 0.388,
      source: 'Qwen2.5-VL README',
    });
  });
});

describe('qvhighlights', () => {
  const row = { qid: 7, query: 'a boat', vid: 'abc_60.0_210.0', duration: 10 };
  const files = {
    'highlight_val_release.jsonl': [
      {
        ...row,
        relevant_windows: [
          [0, 4],
          [6, 8],
        ],
        relevant_clip_ids: [0, 3],
        saliency_scores: [
          [4, 4, 1],
          [2, 4, 3],
        ],
      },
    ],
    'highlight_test_release.jsonl': [row],
  };

  it('reads windows, and the saliency of every clip of 2 s by annotator', async () => {
    expect(await itemsOf('qvhighlights', files)).toEqual([
      {
        kind: 'grounding',
        id: '7',
        media: 'abc_60.0_210.0',
        query: 'a boat',
        spans: [
          { start: 0, end: 4 },
          { start: 6, end: 8 },
        ],
        saliency: [
          [4, 0, 0, 2, 0],
          [4, 0, 0, 4, 0],
          [1, 0, 0, 3, 0],
        ],
      },
    ]);
  });

  it('scores answers in the form in which they are submitted', async () => {
    const { figures } = await figuresOf('qvhighlights', files, [
      {
        qid: 7,
        vid: 'abc_60.0_210.0',
        pred_relevant_windows: [
          [6, 8, 0.4],
          [0, 3, 0.9],
        ],
        pred_saliency_scores: [0.5, 0.1, 0.1, 0.9, 0.1],
      },
    ]);
    expect(figures).toEqual({
      // The first span of the answer; the order is the submitter's.
      mIoU: 1,
      'R1@0.5': 1,
      'R1@0.7': 1,
      // By score [0, 3] comes first, IoU 0.75: both are right up to 0.75; above, precision is 1/2 at a recall of 1/2.
      mAP: 0.7,
      'mAP@0.5': 1,
      'mAP@0.75': 1,
      'HIT@1': 1,
      // Annotators: 1/2 (clip 0 ranks second), 1, and none.
      'highlight mAP': 0.5,
    });
  });

  it('says that a split without truth cannot be scored', async () => {
    await expect(itemsOf('qvhighlights', { 'highlight_val_release.jsonl': [row] })).rejects.toThrow(
      /highlight_val_release\.jsonl:1: it has no "relevant_windows"/,
    );
  });
});

describe('activitynet', () => {
  const files = {
    'val_1.json': {
      v_a: {
        duration: 40,
        timestamps: [
          [0, 10],
          [20, 30],
        ],
        sentences: ['He runs.', ' '],
      },
    },
    'val_2.json': { v_a: { duration: 40, timestamps: [[30, 40]], sentences: ['He rests.'] } },
  };

  it('joins the annotators of a video, and takes the better one', async () => {
    expect(await itemsOf('activitynet-captions', files)).toEqual([
      {
        kind: 'events',
        id: 'v_a',
        media: 'v_a',
        truths: [
          [
            { start: 0, end: 10 },
            { start: 20, end: 30 },
          ],
          [{ start: 30, end: 40 }],
        ],
      },
    ]);
    const { figures } = await figuresOf('activitynet-captions', files, [
      {
        id: 'v_a',
        spans: [
          [0, 8],
          [31, 40],
        ],
      },
    ]);
    expect(figures).toEqual({
      // 1/2 up to 0.7, none of 0.8 and 0.9 at 0.9.
      precision: 0.375,
      recall: 0.75,
      'precision@0.3': 0.5,
      'recall@0.3': 1,
      'precision@0.5': 0.5,
      'recall@0.5': 1,
      'precision@0.7': 0.5,
      'recall@0.7': 1,
      'precision@0.9': 0,
      'recall@0.9': 0,
    });
  });

  it('asks each sentence of the first annotator', async () => {
    expect(await itemsOf('activitynet-grounding', files)).toEqual([
      {
        kind: 'grounding',
        id: 'v_a#1',
        media: 'v_a',
        query: 'He runs.',
        spans: [{ start: 0, end: 10 }],
        groups: { length: 'to 90 s' },
      },
    ]);
  });
});

describe('timelens-bench and extreme-when-bench', () => {
  it('read videos with lists of queries and spans', async () => {
    const files = {
      'charades-timelens.json': {
        AAA: {
          duration: 30,
          queries: ['a', 'b'],
          spans: [
            [1, 2],
            [
              [3, 4],
              [5, 6],
            ],
          ],
        },
      },
      'activitynet-timelens.json': { v_b: { duration: 200, sentences: ['c'], timestamps: [[7, 8]] } },
    };
    expect((await itemsOf('timelens-bench', files)).map(({ id, groups }) => [id, groups])).toEqual([
      ['activitynet-timelens/v_b#1', { set: 'activitynet-timelens', length: 'to 15 min' }],
      ['charades-timelens/AAA#1', { set: 'charades-timelens', length: 'to 90 s' }],
      ['charades-timelens/AAA#2', { set: 'charades-timelens', length: 'to 90 s' }],
    ]);
  });

  it('read rows by several names of their fields', async () => {
    const rows = [
      {
        qid: 'q1',
        video: 'x.mp4',
        query: 'a',
        relevant_windows: [
          [1, 2],
          [5, 9],
        ],
        duration: 4000,
      },
      { id: 2, video_id: 'y', sentence: 'b', start: 3, end: 4 },
      { vid: 'z', question: 'c', timestamp: [5, 6], duration: 3600 },
    ];
    const expected = [
      [
        'q1',
        'x.mp4',
        'a',
        [
          [1, 2],
          [5, 9],
        ],
        'over 1 h',
      ],
      ['2', 'y', 'b', [[3, 4]], undefined],
      ['3', 'z', 'c', [[5, 6]], 'to 65 min'],
    ];
    for (const files of [{ 'test.jsonl': rows }, { 'test.json': rows }, { 'test.json': { version: 1, data: rows } }]) {
      const items = await itemsOf('extreme-when-bench', files);
      expect(
        items.map((item) =>
          item.kind === 'grounding'
            ? [
                item.id.replace('test/', ''),
                item.media,
                item.query,
                item.spans.map(({ start, end }) => [start, end]),
                item.groups?.['length'],
              ]
            : [],
        ),
      ).toEqual(expected);
    }
  });

  it('give figures by length', async () => {
    const rows = [
      { qid: 'a', vid: 'x', query: 'a', span: [0, 10], duration: 60 },
      { qid: 'b', vid: 'y', query: 'b', span: [0, 10], duration: 7200 },
    ];
    const { groups } = await figuresOf('extreme-when-bench', { 'test.jsonl': rows }, [
      { id: 'test/a', spans: [[0, 10]] },
      { id: 'test/b', spans: [[0, 1]] },
    ]);
    expect(groups).toMatchObject({ 'length to 90 s': { mIoU: 1 }, 'length over 1 h': { mIoU: 0.1 } });
  });

  it('name the row that says nothing', async () => {
    const rows = [
      { vid: 'x', query: 'a', span: [0, 1] },
      { vid: 'x', query: 'a' },
    ];
    await expect(itemsOf('extreme-when-bench', { 'test.jsonl': rows })).rejects.toThrow(
      /test\.jsonl:2: it has no list of spans/,
    );
  });
});

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

describe('any suite', () => {
  it.each(SUITES.map(({ name }) => name))('%s says which file it looks for', async (name) => {
    await expect(itemsOf(name, { 'README.md': 'nothing' })).rejects.toMatchObject({ code: 'file_not_found' });
  });

  it.each([
    [
      'charades-sta',
      'charades_sta_test.txt',
      'A 1 2##fine\nA one 2##not\n',
      /charades_sta_test\.txt:2: it is not "VIDEO START/,
    ],
    ['qvhighlights', 'highlight_val_release.jsonl', '{"qid": 1}\n', /highlight_val_release\.jsonl:1: "query"/],
    ['qvhighlights', 'highlight_val_release.jsonl', '{"qid": \n', /highlight_val_release\.jsonl:1: no JSON/],
    [
      'activitynet-captions',
      'val_1.json',
      { v_a: { duration: 1, timestamps: [[0]], sentences: ['x'] } },
      /val_1\.json, "v_a": "timestamps\.0"/,
    ],
    [
      'activitynet-captions',
      'val_1.json',
      { v_a: { duration: 1, timestamps: [], sentences: ['x'] } },
      /val_1\.json, "v_a": 0 "timestamps" have 1/,
    ],
    [
      'mvbench',
      'state_change.json',
      [{ video: 'a', question: 'q', candidates: ['x', 'y'], answer: 'z' }],
      /state_change\.json, entry 1: the answer "z"/,
    ],
    ['docvqa', 'val.json', { data: [{ question: 'q', image: 'a.png' }] }, /val\.json, entry 1: it has no "answers"/],
    ['docvqa', 'val.json', { rows: [] }, /val\.json: it holds no list/],
    ['docvqa', 'val.json', { data: [] }, /are empty/],
    [
      'drawn-world',
      'truth.json',
      { events: [], questions: [{ text: 'x', spans: [[-1, 2]] }] },
      /truth\.json: "questions\.0\.spans\.0\.0"/,
    ],
    ['charades-sta', 'charades_sta_test.txt', 'A 1 2##fine\n', /answers none of the 1 items/],
  ])('%s refuses what is wrong in %s, and says where', async (name, file, content, message) => {
    const answers = [{ id: 'someone', spans: [], choice: 'A', answer: 'x' }];
    await expect(figuresOf(name, { [file]: content }, answers)).rejects.toThrow(message);
  });
});

describe('predictions', () => {
  const files = { 'charades_sta_test.txt': 'A 1 2##fine\n' };
  it.each([
    [[{ id: 'A#1' }], /mine\.ndjson:1: it has no "spans"/],
    [
      [
        { id: 'A#1', spans: [] },
        { id: 'A#1', spans: [] },
      ],
      /mine\.ndjson:2: "A#1" is answered twice/,
    ],
    [[{ spans: [] }], /mine\.ndjson:1: has no id/],
    [[{ id: 'A#1', spans: [[1]] }], /mine\.ndjson:1: "spans\.0/],
    [[{ id: 'A#1', spans: [], confidence: 70 }], /mine\.ndjson:1: "confidence"/],
  ])('%j are refused', async (answers, message) => {
    await expect(figuresOf('charades-sta', files, answers)).rejects.toThrow(message);
  });
});

describe('files of a folder', () => {
  it('are found by path, name and name without extension, also behind links, nearest to what is named first', async () => {
    const videos = folderOf({ 'deep/er/v_a.webm': 'x', 'star/one.mp4': 'x', 'sta/one.mp4': 'x', 'one.json': 'x' });
    const folder = folderOf({ 'val_1.json': {} });
    symlinkSync(videos, path.join(folder, 'videos'));
    symlinkSync(folder, path.join(folder, 'round'));
    symlinkSync('/nowhere', path.join(folder, 'broken.mp4'));
    const media = await MediaFolder.open(folder);
    const found = (name: string, folders?: readonly string[]) =>
      media.find(name, folders)?.replace(`${path.join(folder, 'videos')}${path.sep}`, '');
    expect(found('v_a')).toBe('deep/er/v_a.webm');
    expect(found('er/v_a.webm')).toBe('deep/er/v_a.webm');
    expect(found('one.mp4', ['star'])).toBe('star/one.mp4');
    expect(found('one', ['sta'])).toBe('sta/one.mp4');
    expect(found('star/one.mp4', ['sta'])).toBe('star/one.mp4');
    expect([found('broken'), found('none'), found('')]).toEqual([undefined, undefined, undefined]);
  });
});
