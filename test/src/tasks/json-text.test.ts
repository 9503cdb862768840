import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonValues, readNumber } from '../../../src/tasks/json-text.js';

const READ: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['plain JSON', '{"a": [1, -2.5e1, "x"]}', [{ a: [1, -25, 'x'] }]],
  ['a scalar alone', '"x"', ['x']],
  ['a fence', '```json\n[{"a": 1}]\n```', [[{ a: 1 }]]],
  ['words around it', 'Here it is: {"a": 1}. Hope that helps!', [{ a: 1 }]],
  ['several values', '[1] and {"a": 2}', [[1], { a: 2 }]],
  ['brackets of prose before it', 'I see [a man] {smiling}: {"a": 1}', [{ a: 1 }]],
  ['trailing commas', '{"a": [1, 2,],}', [{ a: [1, 2] }]],
  ['Python words and quotes', "{'a': True, 'b': None, 'c': 'it\\'s'}", [{ a: true, b: null, c: "it's" }]],
  ['bare keys', '{start: 1, end_time: 2}', [{ start: 1, end_time: 2 }]],
  ['bare clock times', '{"start": 00:12.5}', [{ start: '00:12.5' }]],
  ['numbers that JSON cannot hold', '[NaN, -Infinity, 1e999]', [[null, null, null]]],
  ['line breaks in a text', '{"a": "one\ntwo"}', [{ a: 'one\ntwo' }]],
  ['escapes', 'x ["\\u00e9\\n\\"\\/"]', [['é\n"/']]],
  ['braces in texts', 'x {"a": "}{]["}', [{ a: '}{][' }]],
];

const REFUSED: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['prose', 'There is no list here.'],
  ['a list that breaks off', '[{"a": 1}, {"a": 2'],
  ['a text that breaks off', '{"a": "b'],
  ['an escape that breaks off', '{"a": "b\\u12'],
  ['a bracket that never closes', `${'['.repeat(100_000)}`],
  ['lists deeper than anybody asked for', `x${'['.repeat(1000)}${']'.repeat(1000)}`],
];

describe('JSON in a text', () => {
  it.each(READ)('is read from %s', (_, text, values) => {
    expect([...jsonValues(text)]).toEqual(values);
  });

  it.each(REFUSED)('is not found in %s', (_, text) => {
    expect([...jsonValues(text)]).toEqual([]);
  });

  it('is what was written, between any words without brackets', () => {
    const prose = fc.string().map((text) => text.replace(/[[{]/g, ''));
    const value = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(prose, value, prose, (before, written, after) => {
        expect([...jsonValues(`x${before}${JSON.stringify(written)} ${after}`)]).toEqual([
          JSON.parse(JSON.stringify(written)),
        ]);
      }),
    );
  });

  it('has no value once its end is cut off', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), fc.nat(), (value, cut) => {
        const text = JSON.stringify(value);
        expect([...jsonValues(text.slice(0, 1 + (cut % (text.length - 1))))]).toEqual([]);
      }),
    );
  });
});

describe('a number', () => {
  it.each([
    [1.5, 1.5],
    ['1.5', 1.5],
    [' -3 ', -3],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    ['', undefined],
    ['0x10', undefined],
    ['1e999', undefined],
    ['3 apples', undefined],
    [null, undefined],
    [true, undefined],
    [[1], undefined],
  ])('%j is read as %s', (value, number) => {
    expect(readNumber(value)).toBe(number);
  });
});
