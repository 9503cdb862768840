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

  it('of a very long text are those of its beginning, wherever the reading stops', () => {
    const few = 'a rabbit ';
    // 16,384 characters are read first: short of the limit's worth of tokens, in the middle of a word, of a pair of surrogates.
    for (const filler of [' ', '\u0000', 'x'.repeat(3000).concat(' '), '🐰', '𠀀 '])
      for (const shift of [0, 1, 2]) {
        const text = '.'.repeat(shift) + filler.repeat(Math.ceil(20_000 / filler.length)) + few.repeat(300);
        const whole = [...wholeTextTokens(text)];
        expect(encode(text)).toEqual(whole);
      }
  });

  /** The slow twin: the same file with a limit beyond any text here, so that nothing is cut, then cut by hand. */
  let unlimited: Tokenizer;
  beforeAll(async () => {
    unlimited = await Tokenizer.open(file, 1_000_000);
  });
  function wholeTextTokens(text: string): Int32Array {
    const ids = unlimited.encode(text);
    return ids.length <= 256 ? ids : Int32Array.of(...ids.slice(0, 255), 102);
  }

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
