/** Public suites of moments read tiny files in their form, and score answers whose figures can be worked out by hand. */

import { describe, expect, it } from 'vitest';
import { figuresOf, itemsOf } from './suite-case.js';

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
