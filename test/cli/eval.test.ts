/** `longwatch eval` as a user types it: predictions made elsewhere, and the product's own way over a real film. */

import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { encodeJpeg } from '../../src/remote/jpeg.js';
import { longwatch } from './run.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-eval-'));
const output = path.join(folder, 'answers');

/** Hand-timed as such files are: to a tenth of a second. */
const ANNOTATIONS = [
  'bunny 20.4 20.9##something falls on an animal',
  'bunny 0.5 2.0##a fade from black',
  'elsewhere 1.0 2.0##a dog barks',
];

beforeAll(() => {
  writeFileSync(path.join(folder, 'charades_sta_test.txt'), `${ANNOTATIONS.join('\n')}\n`);
  copyFileSync(FILM, path.join(folder, 'bunny.mp4'));
  copyFileSync(path.resolve('src/demo/big-buck-bunny.en.vtt'), path.join(folder, 'bunny.en.vtt'));
});

describe('longwatch eval list', () => {
  it('names the suites and the files that they read', async () => {
    const { exit, stdout } = await longwatch(['eval', 'list']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^charades-sta +library or model or grounded +.*charades_sta_test\.txt$/m);
    expect(stdout).toMatch(/^activitynet-captions +library or model +/m);
    const { suites } = JSON.parse((await longwatch(['eval', 'list', '--json'])).stdout);
    expect(suites.map(({ name }: { name: string }) => name)).toEqual([
      'drawn-world',
      'drawn-world-events',
      'charades-sta',
      'qvhighlights',
      'activitynet-captions',
      'activitynet-grounding',
      'timelens-bench',
      'extreme-when-bench',
      'video-mme',
      'video-mme-subtitles',
      'mvbench',
      'docvqa',
    ]);
  });
});

describe('longwatch eval --predictions', () => {
  const predictions = path.join(folder, 'mine.ndjson');

  it('scores a file without asking anybody, as a table and as JSON', async () => {
    writeFileSync(
      predictions,
      '{"id": "bunny#1", "spans": [[20.4, 20.9]]}\n{"id": "bunny#2", "spans": [[0.5, 3.5, 0.5]]}\n',
    );
    const args = ['eval', 'charades-sta', folder, '--predictions', predictions, '-o', path.join(folder, 'scored')];
    const { exit, stdout, stderr } = await longwatch(args);
    expect([exit, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^ {2}mIoU +50\.0 % +3 items$/m);
    expect(stdout).toMatch(/^ {2}R1@0\.7 +33\.3 % +3 items$/m);
    expect(stdout).toMatch(/^ {2}mIoU +38\.8 % +Qwen2\.5-VL-3B \(Qwen2\.5-VL README\)$/m);
    expect(stdout).toContain('3 of 3 items scored, 2 answered.');
    expect(existsSync(path.join(folder, 'scored/library'))).toBe(false);
    const report = JSON.parse((await longwatch([...args, '--json'])).stdout);
    expect(report).toEqual(JSON.parse(readFileSync(path.join(folder, 'scored/report.json'), 'utf8')));
    expect(report.figures).toEqual([
      { name: 'mIoU', value: 0.5, count: 3 },
      { name: 'R1@0.3', value: 2 / 3, count: 3 },
      { name: 'R1@0.5', value: 2 / 3, count: 3 },
      { name: 'R1@0.7', value: 1 / 3, count: 3 },
    ]);
  });

  it.each([
    [['eval', 'charades', folder], 2, /\[invalid_input\]\n {2}There are: drawn-world, .*docvqa/],
    [['eval', 'docvqa', folder], 1, /\[file_not_found\]/],
    [['eval', 'charades-sta', path.join(folder, 'none')], 1, /\[file_not_found\]/],
    [['eval', 'charades-sta', folder, '--limit', '0'], 2, /--limit cannot be "0"/],
    [['eval', 'video-mme', folder, '--by', 'library'], 2, /video-mme cannot be answered by the library/],
    [['eval', 'charades-sta', folder, '--by', 'model', '-o', path.join(folder, 'model')], 1, /\[part_missing\]/],
    [['eval', 'charades-sta', folder, '--by', 'grounded', '-o', path.join(folder, 'grounded')], 1, /\[part_missing\]/],
    [
      ['eval', 'docvqa', folder, '--by', 'grounded'],
      2,
      /docvqa cannot be answered by the library grounded by the model/,
    ],
    [['eval', 'charades-sta'], 2, /missing required argument/],
  ])('%j is refused with words', async (args, code, message) => {
    const { exit, stderr } = await longwatch(args, { cwd: folder });
    expect([exit, message.test(stderr), stderr]).toEqual([code, true, stderr]);
  });
});

describe('longwatch eval over a real film', () => {
  const args = ['eval', 'charades-sta', folder, '-o', output];

  it('ingests, searches and scores, with a library of its own', async () => {
    const { exit, stdout, stderr } = await longwatch(args, { cwd: folder });
    expect(exit).toBe(0);
    expect(stderr).toContain('1 items have no video in the folder and count nowhere, e.g. elsewhere.');
    expect(stdout).toContain('charades-sta, by library, no model, meaning');
    expect(stdout).toContain('2 of 3 items scored, 2 answered.');
    const report = JSON.parse(readFileSync(path.join(output, 'report.json'), 'utf8'));
    // Found are 20.417 to 20.917 s (a line of the description) and 0.4167 to 2.125 s (a measured fade).
    const values = report.figures.map(({ value }: { value: number }) => Math.round(value * 1e4) / 1e4);
    expect(values).toEqual([0.9061, 1, 1, 1]);
    expect(existsSync(path.join(folder, 'longwatch-library'))).toBe(false);
  });

  it('asks nothing twice', async () => {
    const before = readFileSync(path.join(output, 'predictions.ndjson'), 'utf8');
    expect(before.split('\n').length).toBe(4);
    expect((await longwatch(args, { cwd: folder })).exit).toBe(0);
    expect(readFileSync(path.join(output, 'predictions.ndjson'), 'utf8')).toBe(before);
  });
});

describe('longwatch eval by a model of random weights', () => {
  const models = path.join(folder, 'models');
  const run = (suite: string, directory: string, ...args: string[]) =>
    longwatch(['eval', suite, directory, '-o', path.join(folder, suite), '--json', ...args], {
      env: { LONGWATCH_MODELS: models },
      cwd: folder,
    });

  /** A folder of its own: its library is ingested with the model. */
  const grounding = mkdtempSync(path.join(os.tmpdir(), 'longwatch-grounding-'));

  beforeAll(async () => {
    copyFileSync(FILM, path.join(grounding, 'bunny.mp4'));
    const rows = { 'bunny.mp4': { duration: 30, queries: ['a bird sings'], spans: [[12, 15]] } };
    writeFileSync(path.join(grounding, 'timelens.json'), JSON.stringify(rows));
    const checkpoint = path.resolve('fixtures/golden/tiny-tied/checkpoint');
    const args = ['models', 'add', checkpoint, '--name', 'tiny', '--dtype', 'fp32', '--models', models];
    expect((await longwatch(args)).exit).toBe(0);
  });

  it('answers multiple choice with one of the letters and how probable it is', async () => {
    const task = [
      { video: 'bunny.mp4', question: 'Who sings?', candidates: ['a bird', 'a cat', 'nobody'], answer: 'a bird' },
      { video: 'bunny.mp4', question: 'And now?', candidates: ['a', 'b'], answer: 'b', start: 12, end: 15 },
    ];
    writeFileSync(path.join(folder, 'action_sequence.json'), JSON.stringify(task));
    const { exit, stdout, stderr } = await run('mvbench', folder, '--quiet');
    expect([exit, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      by: 'model, tiny, 4096 tokens',
      items: { total: 2, scored: 2, answered: 2 },
      reliability: { count: 2 },
    });
    const [, first, second] = readFileSync(path.join(folder, 'mvbench/predictions.ndjson'), 'utf8').split('\n');
    expect(JSON.parse(first ?? '').choice).toMatch(/^[ABC]$/);
    expect(JSON.parse(first ?? '').confidence).toBeGreaterThanOrEqual(1 / 3);
    expect(JSON.parse(second ?? '').choice).toMatch(/^[AB]$/);
  });

  it('grounds in the whole video', async () => {
    const { exit, stdout } = await run('charades-sta', folder, '--by', 'model', '--limit', '1', '--tokens', '512');
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      by: 'model, tiny, 512 tokens',
      items: { total: 3, scored: 1, answered: 1 },
    });
  });

  it('grounds in the windows that the search led to', async () => {
    const { exit, stdout } = await run('timelens-bench', grounding, '--by', 'grounded');
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      by: expect.stringMatching(/^grounded, tiny, (?:meaning|words only), 5 windows$/),
      items: { total: 1, scored: 1, answered: 1, failed: 0 },
    });
  });

  it('reads a document', async () => {
    const documents = mkdtempSync(path.join(os.tmpdir(), 'longwatch-documents-'));
    const rgb = new Uint8Array(120 * 80 * 3).fill(200);
    writeFileSync(path.join(documents, 'page.jpg'), await encodeJpeg({ width: 120, height: 80, rgb }));
    const data = [{ questionId: 1, question: 'Which year?', image: 'documents/page.jpg', answers: ['1998'] }];
    writeFileSync(path.join(documents, 'val.json'), JSON.stringify({ data }));
    const { exit, stdout } = await run('docvqa', documents);
    expect(exit).toBe(0);
    expect(JSON.parse(stdout).items).toMatchObject({ scored: 1, answered: 1, failed: 0 });
  });
});
