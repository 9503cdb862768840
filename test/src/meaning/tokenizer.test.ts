import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMiniLm } from '../../../src/meaning/minilm-package.js';
import { padTogether, Tokenizer } from '../../../src/meaning/tokenizer.js';
import { GOLDEN } from './golden.js';

const directory = findMiniLm();
const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.skipIf(!directory && !process.env['CI'])('the tokens of MiniLM', () => {
  const file = path.join(directory ?? '', 'tokenizer.json');
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await Tokenizer.open(file, GOLDEN.maxTokens);
  });
  const encode = (text: string) => [...tokenizer.encode(text)];

  it.each(GOLDEN.sentences)('equal the reference for: $name', ({ text, ids }) => {
    expect(encode(text)).toEqual(ids);
  });

  it('of an empty text are the start and the end', () => {
    expect(encode('')).toEqual([101, 102]);
  });

  it('of a text too long are as many as the limit, the last of them the end', () => {
    const ids = encode('rabbit '.repeat(1000));
    expect(ids.length).toBe(256);
    expect(ids[0]).toBe(101);
    expect(new Set(ids.slice(1, 255))).toEqual(new Set([10442]));
    expect(ids[255]).toBe(102);
  });

  describe('of a text longer than the 16,384 characters that are read first', () => {
    const [start, end, unknown, a, rabbit] = [101, 102, 100, 1037, 10442];
    const words = 'a rabbit '.repeat(300);
    const firstWords = (count: number) => Array.from({ length: count }, (_, i) => (i % 2 === 0 ? a : rabbit));

    it.each([
      ['blanks', ' '.repeat(20_000), []],
      ['characters that are dropped', '\u0000'.repeat(20_000), []],
      ['words beyond any vocabulary', `${'x'.repeat(3000)} `.repeat(7), new Array(7).fill(unknown)],
      ['pairs of surrogates, cut in the middle of one', `.${'🐰'.repeat(10_000)} `, [1012, unknown]],
    ])('are right where it begins with %s', (_, beginning, tokens) => {
      expect(encode(beginning + words)).toEqual([start, ...tokens, ...firstWords(254 - tokens.length), end]);
    });

    it('are right where the reading stops inside a word that is known only as a whole', () => {
      // 90 of the word's 150 letters are read first, in more pieces than the limit has left.
      const before = 'a '.repeat(240).padEnd(16_384 - 90);
      const text = `${before}${'qz'.repeat(75)} ${'rabbit '.repeat(300)}`;
      expect(encode(text)).toEqual([start, ...new Array(240).fill(a), unknown, ...new Array(13).fill(rabbit), end]);
    });
  });

  it('of ten million characters without a word do not take for ever', () => {
    expect(encode(' '.repeat(10_000_000))).toEqual([101, 102]);
  });
});

describe('a tokenizer', () => {
  it.each([
    ['not JSON', '{'],
    ['a number', '1'],
    ['without a model', '{}'],
    [
      'of an unknown kind',
      '{"model":{"type":"Magic"},"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null}',
    ],
  ])('that is %s is bad weights', async (_, text) => {
    const file = path.join(scratch, 'tokenizer.json');
    writeFileSync(file, text);
    await expect(Tokenizer.open(file, 256)).rejects.toMatchObject({ code: 'bad_weights', path: file });
  });

  it('that is not there is not found', async () => {
    await expect(Tokenizer.open(path.join(scratch, 'none'), 256)).rejects.toMatchObject({ code: 'file_not_found' });
  });
});

describe('padding', () => {
  it('fills up to the longest text and masks what it filled', () => {
    expect(padTogether([Int32Array.of(1, 2, 3), Int32Array.of(4)])).toEqual({
      shape: [2, 3],
      ids: Int32Array.of(1, 2, 3, 4, 0, 0),
      mask: Int32Array.of(1, 1, 1, 1, 0, 0),
    });
  });

  it('of nothing is nothing', () => {
    expect(padTogether([])).toEqual({ shape: [0, 0], ids: new Int32Array(0), mask: new Int32Array(0) });
  });
});
