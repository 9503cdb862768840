/** A run: what is asked, what is kept, what a kill leaves, what a failure means. */

import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import type { Asker } from '../../../src/eval/asking/asker.js';
import { evaluateRun } from '../../../src/eval/evaluate.js';
import { MediaFolder } from '../../../src/eval/media.js';
import { reportOf } from '../../../src/eval/report.js';
import { findSuite } from '../../../src/eval/suites/list.js';

const suite = findSuite('charades-sta');

/** `count` queries, each about a video of its own; of those in `absent` there is no file. */
function world(count: number, absent: readonly number[] = []) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-run-'));
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  writeFileSync(path.join(folder, 'charades_sta_test.txt'), numbers.map((n) => `V${n} 0 10##query ${n}\n`).join(''));
  for (const n of numbers) if (!absent.includes(n)) writeFileSync(path.join(folder, `V${n}.mp4`), '');
  const journal = path.join(folder, 'out', 'predictions.ndjson');
  const asked: string[] = [];
  const run = async (
    answer: (id: string) => void = () => undefined,
    { by = 'me', limit, abort = new AbortController() }: { by?: string; limit?: number; abort?: AbortController } = {},
  ) => {
    const asker: Asker = {
      by,
      async ask(item) {
        asked.push(item.id);
        answer(item.id);
        return { spans: [{ start: 0, end: 10, score: 0.5 }] };
      },
    };
    const options = { suite, folder: await MediaFolder.open(folder), signal: abort.signal };
    return evaluateRun(limit === undefined ? options : { ...options, limit }, async () => asker, journal);
  };
  return { run, asked, journal };
}

describe('a run', () => {
  it('asks every item whose video is there, and tells the others', async () => {
    const { run, asked, journal } = world(3, [2]);
    const evaluation = await run();
    expect(asked).toEqual(['V1#1', 'V3#3']);
    expect(reportOf(suite, evaluation)).toMatchObject({
      items: { total: 3, scored: 2, answered: 2, failed: 0, missing_media: 1 },
      missing_media: ['V2'],
      figures: [{ name: 'mIoU', value: 1, count: 2 }, {}, {}, {}],
    });
    expect(readFileSync(journal, 'utf8')).toBe(
      '{"suite":"charades-sta","by":"me"}\n{"id":"V1#1","spans":[[0,10,0.5]]}\n{"id":"V3#3","spans":[[0,10,0.5]]}\n',
    );
  });

  it('goes on after the last whole line, whatever a kill has left behind it', async () => {
    const { run, asked, journal } = world(4);
    await run(undefined, { limit: 2 });
    appendFileSync(journal, '{"id":"V3#3","spa');
    const { pairs } = await run();
    expect(asked).toEqual(['V1#1', 'V2#2', 'V3#3', 'V4#4']);
    expect(pairs.map(({ prediction }) => prediction?.spans?.length)).toEqual([1, 1, 1, 1]);
    expect(
      readFileSync(journal, 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => JSON.parse(line).id),
    ).toEqual(asked);
    await run();
    expect(asked.length).toBe(4);
  });

  it('does not mix the answers of two models', async () => {
    const { run } = world(1);
    await run();
    await expect(run(undefined, { by: 'another' })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('counts an item that fails as not answered, and asks it again the next time', async () => {
    const { run, asked } = world(3);
    let broken = true;
    const answer = (id: string) => {
      if (broken && id === 'V2#2') throw new LongwatchError('model_failed', 'It died.');
    };
    const first = reportOf(suite, await run(answer));
    expect(first.items).toMatchObject({ scored: 3, answered: 2, failed: 1 });
    expect(first.figures[0]?.value).toBeCloseTo(2 / 3, 12);
    expect(first.failures).toEqual([{ id: 'V2#2', error: { code: 'model_failed', detail: 'It died.' } }]);
    broken = false;
    expect(reportOf(suite, await run(answer)).items).toMatchObject({ answered: 3, failed: 0 });
    expect(asked).toEqual(['V1#1', 'V2#2', 'V3#3', 'V2#2']);
  });

  it('ends when ten items fail in a row, and at once where no other item would fare better', async () => {
    const { run, asked } = world(15);
    const fail = (code: 'model_failed' | 'disk_full') => () => {
      throw new LongwatchError(code, 'No.');
    };
    await expect(run(fail('model_failed'))).rejects.toMatchObject({ code: 'model_failed' });
    expect(asked.length).toBe(10);
    await expect(run(fail('disk_full'))).rejects.toMatchObject({ code: 'disk_full' });
    expect(asked.length).toBe(11);
  });

  it('that is stopped keeps its answers and scores those alone', async () => {
    const { run } = world(5);
    const abort = new AbortController();
    const evaluation = await run(
      (id) => {
        if (id !== 'V3#3') return;
        abort.abort();
        throw new LongwatchError('cancelled', 'Cancelled.');
      },
      { abort },
    );
    expect(reportOf(suite, evaluation)).toMatchObject({ interrupted: true, items: { total: 5, scored: 2, failed: 0 } });
  });

  it('without any video says where they belong', async () => {
    await expect(world(1, [1]).run()).rejects.toMatchObject({ code: 'file_not_found' });
  });
});
