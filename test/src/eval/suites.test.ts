/** What holds for every suite: broken files, predictions, and how files of a folder are found. */

import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MediaFolder } from '../../../src/eval/media.js';
import { SUITES } from '../../../src/eval/suites/list.js';
import { figuresOf, folderOf, itemsOf } from './suite-case.js';

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
