/** The runtime against the reference implementation, over the committed goldens (fixtures/golden/README.md). */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaseReport, type Comparison, compareWithGolden } from '../../../src/qwen/compare.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/golden/', import.meta.url));
const SHAPES = ['tiny-tied', 'tiny-untied', 'tiny-broad', 'tiny-lora', 'tiny-wide'] as const;

const work = mkdtempSync(path.join(os.tmpdir(), 'longwatch-parity-'));
afterAll(() => rmSync(work, { recursive: true }));

function compare(shape: string, dtype: 'fp32' | 'fp16' | 'int8' | 'q4', golden = path.join(FIXTURES, shape)) {
  return compareWithGolden(path.join(FIXTURES, shape, 'checkpoint'), golden, { dtype, threads: 1, workFolder: work });
}

const of = ({ cases }: Comparison, kind: CaseReport['kind']) => cases.filter((report) => report.kind === kind);
/** What a failed expectation shows. */
const faults = (reports: readonly CaseReport[]) =>
  reports.filter(({ ok }) => !ok).map(({ kind, name, tensors, differences }) => ({ kind, name, tensors, differences }));

describe.each(SHAPES)('%s in float32', (shape) => {
  let comparison: Comparison;
  beforeAll(async () => {
    comparison = await compare(shape, 'fp32');
  });

  it.each<[CaseReport['kind'], number, string]>([
    ['text', 8, 'has the tokens of the reference'],
    ['chat', 3, 'renders and cuts conversations as the reference does'],
    ['positions', 20, 'numbers positions by the formula'],
    ['rotary', 2, 'has the rotary table of the reference'],
    ['vision', 10, 'encodes square, ragged, small and several pairs as the reference does'],
    ['logits', 6, 'has the logits and hidden states of the reference, with and without media'],
    ['continuation', 3, 'goes on over its cache as if all was read at once'],
    ['generation', 6, 'chooses the same tokens, penalty and end tokens included'],
  ])('%s: all %i cases agree: it %s', (kind, count) => {
    const reports = of(comparison, kind);
    expect(reports).toHaveLength(count);
    expect(faults(reports)).toEqual([]);
  });

  it('is nearer than 1e-4 wherever positions are not in the thousands', () => {
    const near = comparison.cases.filter(({ name }) => name !== 'an hour in' && name !== 'far');
    const relatives = near.flatMap(({ tensors }) => tensors.map(({ relative }) => relative));
    expect(relatives.length).toBeGreaterThan(20);
    expect(Math.max(...relatives)).toBeLessThan(1e-4);
  });
});

describe('with rounded weights', () => {
  it.each(SHAPES)('%s in float16 stays within 0.5 % and chooses the same tokens', async (shape) => {
    const comparison = await compare(shape, 'fp16');
    expect(faults(comparison.cases)).toEqual([]);
    expect(comparison.greedy).toEqual({ equal: 6, of: 6 });
  });

  it('a vision block that leaves the range of float16 does no harm in float16', async () => {
    const { widest_activation: widest } = JSON.parse(
      readFileSync(path.join(FIXTURES, 'tiny-wide/golden.json'), 'utf8'),
    );
    expect(widest).toBeGreaterThan(2 * 65_504);
    const vision = of(await compare('tiny-wide', 'fp16'), 'vision').flatMap(({ tensors }) => tensors);
    expect(vision).toHaveLength(10);
    for (const { spread } of vision) expect(spread).toBeLessThan(0.005);
  });

  // Random weights have no redundancy: 8 bits cost some per cent here, 4 bits a half. Wrong arithmetic would cost 1.4.
  it.each([
    ['int8', 0.2],
    ['q4', 0.8],
  ] as const)('%s has a spread below %d in every tensor', async (dtype, bound) => {
    const comparison = await compare('tiny-lora', dtype);
    expect(faults(comparison.cases)).toEqual([]);
    const spreads = of(comparison, 'logits').flatMap(({ tensors }) => tensors.map(({ spread }) => spread));
    expect(spreads).toHaveLength(12);
    expect(Math.max(...spreads)).toBeLessThan(bound);
    // It was rounded at all.
    expect(Math.min(...spreads)).toBeGreaterThan(1e-3);
  });
});

describe('a comparison', () => {
  const copies: string[] = [];
  /** A golden folder without its checkpoint, changed. */
  function changed(change: (golden: Golden, tensors: Buffer) => void, shape = 'tiny-wide'): string {
    const folder = mkdtempSync(path.join(work, 'golden-'));
    copies.push(folder);
    cpSync(path.join(FIXTURES, shape, 'golden.safetensors'), path.join(folder, 'golden.safetensors'));
    const golden = JSON.parse(readFileSync(path.join(FIXTURES, shape, 'golden.json'), 'utf8')) as Golden;
    const tensors = readFileSync(path.join(folder, 'golden.safetensors'));
    change(golden, tensors);
    writeFileSync(path.join(folder, 'golden.json'), JSON.stringify(golden));
    writeFileSync(path.join(folder, 'golden.safetensors'), tensors);
    return folder;
  }
  interface Golden {
    format: number;
    checkpoint: Record<string, string>;
    media: Record<string, { width: number }>;
    cases: { kind: string; name: string; ids?: unknown[]; next?: number; rows?: number[]; media?: string }[];
  }
  const only = (golden: Golden, kind: string, name: string) => {
    golden.cases = golden.cases.filter((entry) => entry.kind === kind && entry.name === name);
    expect(golden.cases).toHaveLength(1);
    return golden.cases[0] as Golden['cases'][number];
  };

  it('finds one token that is not the golden one, and names both', async () => {
    const folder = changed((golden) => {
      (only(golden, 'generation', 'an end token').ids as number[])[3] = 7;
    });
    const { ok, greedy, cases } = await compare('tiny-wide', 'fp32', folder);
    expect([ok, greedy]).toEqual([false, { equal: 0, of: 1 }]);
    expect(cases[0]?.differences[0]).toMatchObject({ name: 'ids' });
    expect(cases[0]?.differences[0]?.expected).not.toEqual(cases[0]?.differences[0]?.found);
  });

  it('finds one number of a tensor that is off by a thousandth of the largest', async () => {
    const folder = changed((golden, tensors) => {
      only(golden, 'vision', 'one window');
      const headerBytes = Number(tensors.readBigUInt64LE(0));
      const header = JSON.parse(tensors.toString('utf8', 8, 8 + headerBytes));
      const [start, end] = header['vision.one window.embeddings'].data_offsets as [number, number];
      const values = Array.from({ length: (end - start) / 4 }, (_, i) =>
        tensors.readFloatLE(8 + headerBytes + start + 4 * i),
      );
      const largest = Math.max(...values.map(Math.abs));
      const at = 8 + headerBytes + start + 4 * 100;
      tensors.writeFloatLE(tensors.readFloatLE(at) + largest / 1000, at);
    });
    const { ok, worst } = await compare('tiny-wide', 'fp32', folder);
    expect(ok).toBe(false);
    expect(worst).toMatchObject({ kind: 'vision', case: 'one window', name: 'embeddings', bound: 1e-4 });
    expect(worst?.relative).toBeCloseTo(1e-3, 4);
  });

  it('finds a position that is off by one', async () => {
    const folder = changed((golden) => {
      const entry = only(golden, 'positions', '1.97 fps');
      entry.next = (entry.next ?? 0) + 1;
    });
    expect((await compare('tiny-wide', 'fp32', folder)).cases[0]).toMatchObject({
      ok: false,
      differences: [{ name: 'next' }],
    });
  });

  it.each<[string, (golden: Golden) => void, string]>([
    ['another format', (golden) => Object.assign(golden, { format: 2 }), '"format"'],
    ['other weights', (golden) => Object.assign(golden.checkpoint, { 'model.safetensors': '0'.repeat(64) }), 'SHA-256'],
    ['a case of an unknown kind', (golden) => Object.assign(golden.cases[0] ?? {}, { kind: 'toString' }), 'toString'],
    [
      'a case that shows an unknown medium',
      (golden) => Object.assign(only(golden, 'vision', 'ragged'), { media: 'x' }),
      '"x"',
    ],
    ['a medium of another size', (golden) => Object.assign(golden.media['ragged'] ?? {}, { width: 200 }), '"ragged"'],
    [
      'a row inside a medium',
      (golden) => Object.assign(only(golden, 'logits', 'video first'), { rows: [40] }),
      'inside a medium',
    ],
    [
      'a row behind the prompt',
      (golden) => Object.assign(only(golden, 'logits', 'text only'), { rows: [4000] }),
      '4001',
    ],
    ['cases that are no list', (golden) => Object.assign(golden, { cases: {} }), '"cases"'],
  ])('refuses %s with what is wrong', async (_, change, evidence) => {
    await expect(compare('tiny-wide', 'fp32', changed(change))).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(evidence),
    });
  });

  it('leaves nothing behind, whether it ends well or not', () => {
    expect(readdirSync(work).filter((name) => name.startsWith('longwatch-compare-'))).toEqual([]);
    expect(copies.length).toBeGreaterThan(5);
  });

  it('ends with `cancelled` when it is aborted while the model is built', async () => {
    const abort = new AbortController();
    const ending = compareWithGolden(path.join(FIXTURES, 'tiny-wide/checkpoint'), path.join(FIXTURES, 'tiny-wide'), {
      workFolder: work,
      signal: abort.signal,
      onBuild: () => abort.abort(),
    });
    await expect(ending).rejects.toMatchObject({ code: 'cancelled' });
    expect(readdirSync(work).filter((name) => name.startsWith('longwatch-compare-'))).toEqual([]);
  });
});
