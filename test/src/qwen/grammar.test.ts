import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { GrammarCompiler, type Matcher } from '../../../src/qwen/grammar/grammar.js';
import {
  emptyNumber,
  isWhole,
  type NumberPrefix,
  shortestEnd,
  withByte,
} from '../../../src/qwen/grammar/number-text.js';
import type { JsonSchema } from '../../../src/qwen/grammar/schema.js';
import { Vocabulary } from '../../../src/qwen/grammar/vocabulary.js';
import { seededRandom } from '../../../src/qwen/sampling.js';
import { anySchema, EVENTS } from './schemas.js';
import { QWEN_EOS, QWEN_HEAD, qwenVocabulary, smallVocabulary, textOf, tokensOf } from './vocabularies.js';

const small = new GrammarCompiler(smallVocabulary());
let qwen: GrammarCompiler;
beforeAll(async () => {
  qwen = new GrammarCompiler(await qwenVocabulary());
});

function accepts(compiler: GrammarCompiler, schema: JsonSchema, text: string): boolean {
  const matcher = compiler.compile(schema).matcher();
  for (const byte of new TextEncoder().encode(text)) {
    if (!has(matcher.mask(), byte)) return false;
    matcher.accept(byte);
  }
  return matcher.complete;
}

function has(mask: Uint32Array, id: number): boolean {
  return (((mask[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
}

describe('a grammar accepts', () => {
  it.each<[string, JsonSchema, string, boolean]>([
    [
      'an object in the order of its keys',
      { type: 'object', properties: { b: { type: 'null' }, a: { type: 'boolean' } } },
      '{"b": null, "a": true}',
      true,
    ],
    [
      'no other order',
      { type: 'object', properties: { b: { type: 'null' }, a: { type: 'boolean' } } },
      '{"a": true, "b": null}',
      false,
    ],
    ['an object without keys', { type: 'object', properties: {} }, '{}', true],
    ['an empty array', { type: 'array', items: { type: 'integer' } }, '[]', true],
    ['no empty array where an item is due', { type: 'array', items: { type: 'integer' }, minItems: 1 }, '[]', false],
    ['as many items as are allowed', { type: 'array', items: { type: 'integer' }, maxItems: 2 }, '[1, 2]', true],
    ['not one more', { type: 'array', items: { type: 'integer' }, maxItems: 2 }, '[1, 2, 3]', false],
    [
      'arrays of arrays',
      { type: 'array', items: { type: 'array', items: { type: 'integer' }, maxItems: 2 } },
      '[[], [1, 2], [3]]',
      true,
    ],
    ['a string with escapes', { type: 'string' }, '"a \\"b\\" \\\\ \\n"', true],
    ['a string with four bytes a character', { type: 'string', maxLength: 1 }, '"😀"', true],
    ['no character more than allowed', { type: 'string', maxLength: 1 }, '"ab"', false],
    ['no character less than wanted', { type: 'string', minLength: 2 }, '"é"', false],
    ['an escape as one character', { type: 'string', maxLength: 1 }, '"\\n"', true],
    ['no line break inside a string', { type: 'string' }, '"a\nb"', false],
    ['no escape of a code unit', { type: 'string' }, '"\\u0041"', false],
    ['a number with all its decimals', { type: 'number', minimum: 0, maximum: 9, multipleOf: 0.01 }, '3.10', true],
    ['no number with fewer', { type: 'number', minimum: 0, maximum: 9, multipleOf: 0.01 }, '3.1', false],
    ['the maximum', { type: 'number', minimum: 12.5, maximum: 99.5, multipleOf: 0.1 }, '99.5', true],
    ['nothing above it', { type: 'number', minimum: 12.5, maximum: 99.5, multipleOf: 0.1 }, '99.6', false],
    [
      'nothing but a point for a point',
      { type: 'number', minimum: 12.5, maximum: 99.5, multipleOf: 0.1 },
      '12X5',
      false,
    ],
    ['a negative integer', { type: 'integer', minimum: -12, maximum: -3 }, '-12', true],
    ['no integer nearer to zero than allowed', { type: 'integer', minimum: -12, maximum: -3 }, '-2', false],
    ['no leading zero', { type: 'integer' }, '01', false],
    ['no minus zero', { type: 'integer' }, '-0', false],
    ['a choice that another begins with', { enum: [1, 12] }, '1', true],
    ['the longer choice', { enum: [1, 12] }, '12', true],
    ['a constant', { const: { a: [1, 'x'] } }, '{"a":[1,"x"]}', true],
    ['null for what may be null', { anyOf: [{ type: 'string' }, { type: 'null' }] }, 'null', true],
    ['a value for what may be null', { anyOf: [{ type: 'string' }, { type: 'null' }] }, '"null"', true],
    ['null beside a choice', { anyOf: [{ enum: ['a', null] }, { type: 'null' }] }, 'null', true],
  ])('%s', (_title, schema, text, expected) => {
    expect(accepts(small, schema, text)).toBe(expected);
  });

  it('an end after its start, and no other', () => {
    const end = (start: string, end: string) =>
      accepts(
        small,
        {
          type: 'object',
          properties: {
            start: { type: 'number', minimum: 0, maximum: 9, multipleOf: 0.1 },
            end: { type: 'number', minimum: 0, maximum: 9, multipleOf: 0.1, greaterThan: 'start' },
          },
        },
        `{"start": ${start}, "end": ${end}}`,
      );
    expect(end('3.0', '3.1')).toBe(true);
    expect(end('3.0', '3.0')).toBe(false);
    expect(end('3.0', '2.9')).toBe(false);
    expect(end('8.9', '9.0')).toBe(true);
    // The start leaves room for an end.
    expect(end('9.0', '9.0')).toBe(false);
  });

  it('a chain of growing numbers, with different decimals', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        a: { type: 'integer', minimum: 0, maximum: 5 },
        b: { type: 'number', minimum: 0, maximum: 5, multipleOf: 0.1, greaterThan: 'a' },
        c: { type: 'integer', minimum: 0, maximum: 5, greaterThan: 'b' },
      },
    };
    expect(accepts(small, schema, '{"a": 3, "b": 3.1, "c": 4}')).toBe(true);
    expect(accepts(small, schema, '{"a": 4, "b": 4.9, "c": 5}')).toBe(true);
    expect(accepts(small, schema, '{"a": 3, "b": 3.1, "c": 3}')).toBe(false);
    expect(accepts(small, schema, '{"a": 5, "b": 5.1, "c": 6}')).toBe(false);
  });
});

describe('a schema that cannot be kept is refused', () => {
  it.each<[string, unknown, string]>([
    ['no schema', 3, 'not an object'],
    ['an unknown type', { type: 'date' }, '"date"'],
    ['an unknown keyword', { type: 'string', pattern: 'a' }, '"pattern"'],
    ['an object without properties', { type: 'object' }, 'properties'],
    ['a required key that is not described', { type: 'object', properties: {}, required: ['x'] }, '"x"'],
    ['no choice', { enum: [] }, 'no JSON value'],
    ['bounds without a number between', { type: 'integer', minimum: 0.2, maximum: 0.8 }, 'no number'],
    ['a step that is no power of ten', { type: 'number', multipleOf: 0.25 }, '0.25'],
    ['less than no items', { type: 'array', items: { type: 'null' }, minItems: -1 }, '-1'],
    ['more items than allowed', { type: 'array', items: { type: 'null' }, minItems: 2, maxItems: 1 }, 'above'],
    [
      'a greater number without a smaller one',
      { type: 'object', properties: { end: { type: 'integer', greaterThan: 'start' } } },
      '"start"',
    ],
    [
      'a greater number before the smaller one',
      { type: 'object', properties: { end: { type: 'integer', greaterThan: 'start' }, start: { type: 'integer' } } },
      '"start"',
    ],
    [
      'a greater number without room',
      {
        type: 'object',
        properties: {
          start: { type: 'integer', minimum: 5 },
          end: { type: 'integer', maximum: 5, greaterThan: 'start' },
        },
      },
      'room',
    ],
    ['any of many', { anyOf: [{ type: 'string' }, { type: 'integer' }] }, 'anyOf'],
    ['a value that no answer could hold', { type: 'string', minLength: 1e9 }, 'bytes'],
  ])('%s', (_title, schema, evidence) => {
    const compile = () => small.compile(schema as JsonSchema);
    expect(compile).toThrow(LongwatchError);
    expect(compile).toThrow(evidence);
  });

  it('and the place is named', () => {
    const schema = { type: 'object', properties: { 'a/b': { type: 'array', items: { type: 'x' } } } };
    expect(() => small.compile(schema as unknown as JsonSchema)).toThrow('/properties/a~1b/items');
  });
});

describe('numbers', () => {
  /** All texts that the prefix can become, found by trying; the twin of the arithmetic. */
  const LIMIT = 150;
  const texts = (decimals: number, lowest: number, highest: number) => {
    const all: string[] = [];
    for (let scaled = Math.max(lowest, -LIMIT); scaled <= Math.min(highest, LIMIT); scaled++) {
      const digits = String(Math.abs(scaled)).padStart(decimals + 1, '0');
      const point = digits.length - decimals;
      all.push(
        `${scaled < 0 ? '-' : ''}${decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`}`,
      );
    }
    return all;
  };

  it('have exactly the prefixes of the numbers within their bounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: -LIMIT, max: LIMIT }),
        fc.integer({ min: 0, max: 2 * LIMIT }),
        (decimals, lowest, span) => {
          const highest = Math.min(LIMIT, lowest + span);
          const wanted = texts(decimals, lowest, highest);
          const prefixes = new Set(
            wanted.flatMap((text) => Array.from({ length: text.length + 1 }, (_, n) => text.slice(0, n))),
          );
          const found = new Set<string>();
          const whole: string[] = [];
          const visit = (prefix: NumberPrefix, text: string) => {
            found.add(text);
            if (isWhole(prefix)) whole.push(text);
            for (const character of '-.0123456789') {
              const longer = withByte(prefix, character.charCodeAt(0));
              if (longer) visit(longer, text + character);
            }
          };
          visit(emptyNumber(decimals, lowest, highest), '');
          expect(found).toEqual(prefixes);
          expect(whole.sort()).toEqual(wanted.sort());
        },
      ),
      { numRuns: 200 },
    );
  });

  it('end as shortly as they can', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: -LIMIT, max: LIMIT }),
        fc.integer({ min: 0, max: 2 * LIMIT }),
        (decimals, lowest, span) => {
          const highest = Math.min(LIMIT, lowest + span);
          const wanted = texts(decimals, lowest, highest);
          const visit = (prefix: NumberPrefix, text: string) => {
            const ended = text + shortestEnd(prefix);
            const candidates = wanted.filter((candidate) => candidate.startsWith(text));
            expect(wanted).toContain(ended);
            expect(ended.length).toBe(Math.min(...candidates.map((candidate) => candidate.length)));
            for (const character of '-.0123456789') {
              const longer = withByte(prefix, character.charCodeAt(0));
              if (longer) visit(longer, text + character);
            }
          };
          visit(emptyNumber(decimals, lowest, highest), '');
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the mask', () => {
  /** Every token is tried by itself. */
  const slowMask = (compiler: GrammarCompiler, schema: JsonSchema, ids: readonly number[]): number[] => {
    const { automaton } = compiler.compile(schema);
    const feed = (id: number, from: ReturnType<typeof automaton.start>) => {
      let state: typeof from | undefined = from;
      const bytes = compiler.vocabulary.bytesOf(id);
      if (!bytes?.length) return undefined;
      for (const byte of bytes) state = state && automaton.next(state, byte);
      return state;
    };
    const state = ids.reduce((at, id) => feed(id, at) as typeof at, automaton.start());
    return Array.from({ length: compiler.vocabulary.size }, (_, id) => id).filter((id) => feed(id, state));
  };
  const list = (mask: Uint32Array) =>
    Array.from({ length: mask.length * 32 }, (_, id) => id).filter((id) => has(mask, id));

  it('allows what trying each token by itself allows, wherever a text stands', () => {
    fc.assert(
      fc.property(anySchema(), fc.integer(), (schema, seed) => {
        const random = seededRandom(seed);
        const matcher = small.compile(schema).matcher();
        const ids: number[] = [];
        for (let step = 0; step < 12 && !matcher.ended; step++) {
          const allowed = list(matcher.mask());
          expect(allowed).toEqual(slowMask(small, schema, ids));
          const id = allowed[Math.floor(random() * allowed.length)];
          if (id === undefined) break;
          matcher.accept(id);
          ids.push(id);
        }
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    '{"events": [{"start": 1',
    '{"events": [{"start": 1.5, "end": 2.5, "text": "a',
    '{"events": [',
    '{"events": [{"start": 1.5, "end": 2.5, "text": "日',
  ])("is right for Qwen2.5's whole vocabulary after %s", (text) => {
    const matcher = qwen.compile(EVENTS).matcher();
    const ids = tokensOf(qwen.vocabulary, text);
    for (const id of ids) matcher.accept(id);
    expect(list(matcher.mask())).toEqual(slowMask(qwen, EVENTS, ids));
  });

  it('never allows a control token or a row of the head that is no token', () => {
    const mask = qwen.compile({ type: 'string' }).matcher();
    for (const id of tokensOf(qwen.vocabulary, '"a')) mask.accept(id);
    const allowed = list(mask.mask());
    expect(allowed.filter((id) => id >= 151_643)).toEqual([]);
    expect(allowed.length).toBeGreaterThan(100_000);
  });

  it('is refused to a token that it leaves out', () => {
    const matcher = small.compile({ type: 'boolean' }).matcher();
    expect(() => matcher.accept(0x78)).toThrow('120');
    matcher.accept(0x74);
    expect(matcher.finish()).toEqual(tokensOf(small.vocabulary, 'rue'));
  });
});

describe('what is forced', () => {
  const forcedText = (compiler: GrammarCompiler, matcher: Matcher) => textOf(compiler.vocabulary, matcher.forced());

  it('is written without asking the model, up to where a token could reach into a choice', () => {
    const matcher = qwen.compile(EVENTS).matcher();
    // ` [` could go on as ` [{` or ` []`, so the model chooses.
    expect(forcedText(qwen, matcher)).toBe('{"events":');
    for (const id of tokensOf(qwen.vocabulary, '{"events": [{')) matcher.accept(id);
    expect(forcedText(qwen, matcher)).toBe('"start": ');
  });

  it('is everything where there is no choice', () => {
    const matcher = qwen.compile({ const: { a: 'b', c: [1, 2] } }).matcher();
    expect(forcedText(qwen, matcher)).toBe('{"a":"b","c":[1,2]}');
  });

  it('is a mask with no other first byte', () => {
    fc.assert(
      fc.property(anySchema(), (schema) => {
        const matcher = small.compile(schema).matcher();
        for (const id of matcher.forced()) {
          const first = small.vocabulary.bytesOf(id)?.[0];
          const mask = matcher.mask();
          for (let byte = 0; byte < 256; byte++) expect(has(mask, byte)).toBe(byte === first);
          matcher.accept(id);
        }
      }),
    );
  });
});

describe('a vocabulary', () => {
  it('is cut into the longest tokens', () => {
    expect(tokensOf(qwen.vocabulary, 'the cats').map((id) => textOf(qwen.vocabulary, [id]))).toEqual(['the', ' cats']);
  });

  it('knows the bytes of every token of Qwen2.5', () => {
    expect(textOf(qwen.vocabulary, [14990, 1879])).toBe('hello world');
    expect(qwen.vocabulary.bytesOf(QWEN_EOS)).toBeUndefined();
    expect(qwen.vocabulary.bytesOf(QWEN_HEAD - 1)).toBeUndefined();
  });

  it('without a byte of JSON serves no grammar', () => {
    expect(() => new GrammarCompiler(new Vocabulary([Uint8Array.of(0x20)]))).toThrow('0x21');
  });
});
