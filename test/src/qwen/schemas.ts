/** Schemas at random, and a slow obvious check of a value against one. */

import fc from 'fast-check';
import type { JsonSchema } from '../../../src/qwen/grammar/schema.js';

/** What an ingest asks for: a few events of a window of twelve seconds. */
export const EVENTS: JsonSchema = {
  type: 'object',
  properties: {
    events: {
      type: 'array',
      maxItems: 4,
      items: {
        type: 'object',
        properties: {
          start: { type: 'number', minimum: 0, maximum: 12.04, multipleOf: 0.1 },
          end: { type: 'number', minimum: 0, maximum: 12.04, multipleOf: 0.1, greaterThan: 'start' },
          text: { type: 'string', minLength: 1, maxLength: 60 },
        },
      },
    },
  },
};

const number = fc
  .record({
    decimals: fc.integer({ min: 0, max: 3 }),
    minimum: fc.integer({ min: -2000, max: 2000 }),
    span: fc.integer({ min: 1, max: 3000 }),
  })
  .map(
    ({ decimals, minimum, span }): JsonSchema => ({
      type: decimals === 0 ? 'integer' : 'number',
      minimum: minimum / 100,
      maximum: (minimum + span + 100) / 100,
      multipleOf: Number(`1e-${decimals}`),
    }),
  );

/** Start and end within one window. */
const timed = fc
  .record({
    length: fc.integer({ min: 1, max: 130 }),
    decimals: fc.integer({ min: 0, max: 2 }),
    text: fc.nat({ max: 12 }),
  })
  .map(
    ({ length, decimals, text }): JsonSchema => ({
      type: 'object',
      properties: {
        start: { type: 'number', minimum: 0, maximum: length, multipleOf: Number(`1e-${decimals}`) },
        text: { type: 'string', maxLength: text },
        end: {
          type: 'number',
          minimum: 0,
          maximum: length,
          multipleOf: Number(`1e-${decimals}`),
          greaterThan: 'start',
        },
      },
    }),
  );

const leaf = fc.oneof(
  number,
  timed,
  fc
    .record({ minLength: fc.nat({ max: 3 }), more: fc.nat({ max: 6 }) })
    .map(({ minLength, more }): JsonSchema => ({ type: 'string', minLength, maxLength: minLength + more })),
  fc.constantFrom<JsonSchema>(
    { type: 'string' },
    { type: 'boolean' },
    { type: 'null' },
    { type: 'integer' },
    { enum: ['blue', 'black', 'b"', null, 1, 12] },
    { const: { nested: [true, 'é😀'] } },
  ),
);

export function anySchema(): fc.Arbitrary<JsonSchema> {
  return fc.letrec<{ schema: JsonSchema }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc
        .dictionary(fc.string({ maxLength: 4 }), tie('schema'), { maxKeys: 3 })
        .map((properties): JsonSchema => ({ type: 'object', properties })),
      fc
        .record({ items: tie('schema'), minItems: fc.nat({ max: 2 }), more: fc.nat({ max: 2 }) })
        .map(
          ({ items, minItems, more }): JsonSchema => ({ type: 'array', items, minItems, maxItems: minItems + more }),
        ),
      tie('schema').map((schema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] })),
    ),
  })).schema;
}

/** How far a value is no multiple of a step because doubles are not decimals. */
const ROUNDING = 1e-9;

/** What is wrong with a value, by JSON Schema as it is written. */
export function problemsOf(schema: JsonSchema, value: unknown, at = ''): string[] {
  const wrong = (what: string) => [`${at}: ${JSON.stringify(value)} ${what}`];
  if ('enum' in schema)
    return schema.enum.some((choice) => JSON.stringify(choice) === JSON.stringify(value)) ? [] : wrong('is no choice');
  if ('const' in schema)
    return JSON.stringify(schema.const) === JSON.stringify(value) ? [] : wrong('is not the constant');
  if ('anyOf' in schema) return value === null ? [] : problemsOf(schema.anyOf[0], value, at);
  switch (schema.type) {
    case 'null':
      return value === null ? [] : wrong('is not null');
    case 'boolean':
      return typeof value === 'boolean' ? [] : wrong('is no boolean');
    case 'string': {
      if (typeof value !== 'string') return wrong('is no string');
      const length = [...value].length;
      return length >= (schema.minLength ?? 0) && length <= (schema.maxLength ?? Number.POSITIVE_INFINITY)
        ? []
        : wrong('has the wrong length');
    }
    case 'number':
    case 'integer': {
      if (typeof value !== 'number') return wrong('is no number');
      const steps = value / (schema.multipleOf ?? (schema.type === 'integer' ? 1 : 0.01));
      if (Math.abs(steps - Math.round(steps)) > ROUNDING * Math.max(1, Math.abs(steps))) return wrong('is no multiple');
      return value >= (schema.minimum ?? -1e9) && value <= (schema.maximum ?? 1e9) && !Object.is(value, -0)
        ? []
        : wrong('is out of bounds');
    }
    case 'array':
      if (!Array.isArray(value)) return wrong('is no array');
      if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY))
        return wrong('has the wrong length');
      return value.flatMap((item, i) => problemsOf(schema.items, item, `${at}/${i}`));
    case 'object': {
      if (typeof value !== 'object' || value === null) return wrong('is no object');
      const object = value as Record<string, unknown>;
      if (Object.keys(object).join() !== Object.keys(schema.properties).join()) return wrong('has other keys');
      return Object.entries(schema.properties).flatMap(([key, property]) => {
        const greaterThan = 'greaterThan' in property ? property.greaterThan : undefined;
        const inner = problemsOf(property, object[key], `${at}/${key}`);
        return greaterThan !== undefined && !((object[key] as number) > (object[greaterThan] as number))
          ? [...inner, `${at}/${key} is not greater`]
          : inner;
      });
    }
    default:
      return schema satisfies never;
  }
}
