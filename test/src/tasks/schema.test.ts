import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { parseSchema } from '../../../src/qwen/grammar/schema.js';
import { type AnswerSchema, checkedSchema, fitValue, objectOf, timesWithin } from '../../../src/tasks/schema.js';

const made = (schema: unknown, value: unknown) => fitValue(schema as AnswerSchema, value)?.value;

describe('a value of a schema', () => {
  it.each([
    ['a number that is text', { type: 'number' }, '12.5', 12.5],
    ['a text that is a number', { type: 'string' }, 12, '12'],
    ['a text that is too long', { type: 'string', maxLength: 3 }, 'abcdef', 'abc'],
    ['yes', { type: 'boolean' }, 'Yes', true],
    ['a choice in other letters', { enum: ['EUR', 'USD'] }, ' eur', 'EUR'],
    ['null where it may be', { anyOf: [{ type: 'number' }, { type: 'null' }] }, null, null],
    ['an empty text where null may be', { anyOf: [{ type: 'number' }, { type: 'null' }] }, '', null],
    ['a list with strangers', { type: 'array', items: { type: 'integer' } }, [1, 'x', 2.5, '3'], [1, 3]],
    ['a list that is too long', { type: 'array', items: { type: 'integer' }, maxItems: 2 }, [1, 2, 3], [1, 2]],
  ])('is made of %s', (_, schema, value, expected) => {
    expect(made(schema, value)).toEqual(expected);
  });

  it.each([
    ['a number out of bounds', { type: 'number', minimum: 0, maximum: 10 }, 11],
    ['a fraction for an integer', { type: 'integer' }, 1.5],
    ['a text that is no number', { type: 'number' }, 'many'],
    ['an object for a text', { type: 'string' }, { a: 1 }],
    ['a text for a list', { type: 'array', items: { type: 'string' } }, 'a'],
    ['a list of strangers', { type: 'array', items: { type: 'integer' } }, ['x', 'y']],
    ['a list that is too short', { type: 'array', items: { type: 'integer' }, minItems: 2 }, [1]],
    ['an unknown choice', { enum: ['EUR', 'USD'] }, 'CHF'],
    ['another constant', { const: 1 }, 2],
    ['a missing property', { type: 'object', properties: { a: { type: 'string' } } }, {}],
    ['an end before its start', objectOf(timesWithin(10)), { start: 5, end: 4 }],
  ])('is not made of %s', (_, schema, value) => {
    expect(fitValue(schema as AnswerSchema, value)).toBeUndefined();
  });

  it('has the properties of the schema in its order, and no others', () => {
    const schema = objectOf({ b: { type: 'string' }, a: { anyOf: [{ type: 'integer' }, { type: 'null' }] } });
    expect(JSON.stringify(made(schema, { extra: 1, b: 'x' }))).toBe('{"b":"x","a":null}');
  });
});

describe('a person’s schema', () => {
  it.each([
    [{ type: 'string', pattern: '^a$' }, '"pattern" is not supported', ''],
    [{ type: 'object', properties: { a: { type: 'date' } } }, 'the type "date" is not known', '/properties/a'],
    ['none', 'it is not an object', ''],
  ])('%j is refused with the place', (schema, why, pointer) => {
    const thrown = (() => {
      try {
        return checkedSchema(schema);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(LongwatchError);
    expect(thrown).toMatchObject({ code: 'invalid_input', pointer, message: expect.stringContaining(why) });
  });

  it('is refused when it is endless', () => {
    expect(() => checkedSchema({ enum: ['x'.repeat(30_000)] })).toThrow('The schema has 30013 characters');
  });
});

describe('times within a window', () => {
  it('are possible in windows of any length', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e5, noNaN: true }), (length) => {
        expect(() => parseSchema(objectOf(timesWithin(length)))).not.toThrow();
      }),
    );
  });

  it('reach the end of the window, and less than a step beyond', () => {
    expect(timesWithin(16).end).toMatchObject({ maximum: 16, greaterThan: 'start' });
    expect(timesWithin(16.016).end).toMatchObject({ maximum: 16.1 });
    expect(timesWithin(0.04).end).toMatchObject({ maximum: 0.1 });
  });
});
