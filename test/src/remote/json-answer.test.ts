import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closings, conforms, findJson, schemaForServer } from '../../../src/remote/json-answer.js';

describe('JSON in an answer', () => {
  it.each([
    ['alone', '{"a":1}', { a: 1 }],
    ['in a fence', 'Here:\n```json\n{"a":[1]}\n```\nSee [2].', { a: [1] }],
    ['in a fence that stays open', '```\n[1]', [1]],
    ['between words', 'The answer is {"a":1}, I think.', { a: 1 }],
    ['after thoughts', '<think>maybe {"a":0}?</think>{"a":1}', { a: 1 }],
    ['as a bare number', ' 12.5 ', 12.5],
    ['with line ends in its texts', '{"a":"one\ntwo\u0000"}', { a: 'one two ' }],
    ['nowhere', 'no', undefined],
    ['broken', '{"a":', undefined],
    ['backwards', '} {', undefined],
    ['of nothing', '', undefined],
  ])('is found %s', (_, text, value) => {
    expect(findJson(text)).toEqual(value);
  });

  it('is looked for in time that grows with the length, not with its square', () => {
    for (const piece of ['[', '```\n', '{"', '</think>', '[]{'])
      expect(findJson(piece.repeat(400_000))).toBeUndefined();
  });
});

describe('a cut answer', () => {
  const closed = (text: string) => [...closings(text)];

  it.each([
    ['in a number', '[1,2', [[1], []]],
    ['after an item', '[{"a":1},', [[{ a: 1 }], [{ a: 1 }], []]],
    [
      'in a later item',
      '{"e":[{"a":1},{"a":"x',
      [{ e: [{ a: 1 }] }, { e: [{ a: 1 }] }, { e: [] }, { e: [{ a: 1 }, { a: 'x' }] }],
    ],
    ['in a text', '{"a":"so it', [{ a: 'so it' }]],
    ['in an escape', '{"a":"so\\u00', [{ a: 'so' }]],
    ['in a name', '{"a":1,"b', [{ a: 1 }]],
    ['before anything', 'well', []],
  ])('%s has these ends, the longest first', (_, text, values) => {
    expect(closed(text)).toEqual(values);
  });

  it('of any list, cut anywhere, closes to a list that begins it', () => {
    const item = fc.record({ t: fc.double({ noNaN: true, noDefaultInfinity: true }), s: fc.string() });
    const properties = { t: { type: 'number' }, s: { type: 'string' } };
    const schema = { type: 'array', items: { type: 'object', properties } };
    fc.assert(
      fc.property(fc.array(item), fc.nat(), (value, position) => {
        const text = JSON.stringify(value);
        const cut = text.slice(0, 1 + (position % text.length));
        const kept = closed(cut).find((end) => conforms(end, schema)) as unknown[];
        const shown = value.filter((_, i) => JSON.stringify(value.slice(0, i + 1)).length - 1 <= cut.length);
        expect(kept).toEqual(JSON.parse(JSON.stringify(shown)));
      }),
    );
  });

  it('of brackets only is given up in time', () => {
    expect(closed('['.repeat(900_000)).length).toBeLessThan(65);
    expect(closed('['.repeat(1_100_000))).toEqual([]);
  });
});

describe('the shape of an answer', () => {
  const schema = {
    type: 'object',
    properties: {
      kind: { enum: ['a', null] },
      times: { type: 'array', items: { type: 'number', maximum: 9 }, minItems: 1 },
      note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      count: { type: 'integer' },
    },
  };
  const good = { kind: 'a', times: [1.5], note: null, count: 2 };

  it.each([
    ['exactly it', good, true],
    ['with more than was asked', { ...good, more: 1 }, true],
    ['with a number beyond its bound', { ...good, times: [99] }, true],
    ['without a property', { kind: 'a', times: [1], note: '' }, false],
    ['with another word', { ...good, kind: 'b' }, false],
    ['with too few items', { ...good, times: [] }, false],
    ['with an item of another kind', { ...good, times: ['1'] }, false],
    ['with half a number', { ...good, count: 2.5 }, false],
    ['as a list', [good], false],
    ['as null', null, false],
  ])('%s', (_, value, fits) => {
    expect(conforms(value, schema)).toBe(fits);
  });

  it('is free where the schema uses keywords that are not known here', () => {
    expect(conforms({ any: 'thing' }, { $ref: '#/$defs/x' })).toBe(true);
  });
});

describe('a schema for servers', () => {
  it('requires every property and has no keywords of our own, at any depth', () => {
    const time = { type: 'number', multipleOf: 0.1, greaterThan: 'start' };
    const inner = { type: 'object', properties: { time, multipleOf: { type: 'string' } } };
    expect(schemaForServer({ type: 'array', items: { anyOf: [inner, { type: 'null' }] }, maxItems: 3 })).toEqual({
      type: 'array',
      maxItems: 3,
      items: {
        anyOf: [
          {
            type: 'object',
            properties: { time: { type: 'number' }, multipleOf: { type: 'string' } },
            required: ['time', 'multipleOf'],
            additionalProperties: false,
          },
          { type: 'null' },
        ],
      },
    });
  });
});
