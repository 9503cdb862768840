/**
 * The form of an answer. `AnswerSchema` is the part of JSON Schema (2020-12) that every backend keeps:
 *
 * - `object` with `properties`: all of them are written, in this order; `required` and `additionalProperties: false` may be there
 * - `array` with `items`, `minItems`, `maxItems`; `string` with `minLength`, `maxLength` (code points)
 * - `number` and `integer` with `minimum`, `maximum`, `multipleOf` (1, 0.1, 0.01 …, so many decimals are written), and the keyword
 *   `greaterThan`, which is not of JSON Schema: the name of an earlier number of the same object that is smaller
 * - `boolean`, `null`, `enum`, `const`, and `anyOf` of a schema and `{"type": "null"}`
 */

import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import { type JsonSchema, parseSchema } from '../qwen/grammar/schema.js';
import type { Seconds } from '../time.js';
import { readNumber } from './json-text.js';
import { cleanText } from './words.js';

export type AnswerSchema = Plain<JsonSchema>;

/** The same members without a name, so that it is a `JsonSchema` of `src/backend.ts` too. */
type Plain<T> = { readonly [K in keyof T]: T[K] };

/** An object with all its properties required and no others: what strict servers want to see said. */
export function objectOf(properties: Readonly<Record<string, AnswerSchema>>): AnswerSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

export function listOf(items: AnswerSchema, maxItems: number, minItems = 0): AnswerSchema {
  return { type: 'array', items, minItems, maxItems };
}

/** A text of 1 to `maxLength` code points. */
export function textOf(maxLength: number): AnswerSchema {
  return { type: 'string', minLength: 1, maxLength };
}

/** Step of the times that a model writes. Finer than what it can tell, so rounding adds nothing to the error. */
export const TIME_STEP: Seconds = 0.1;

/** Times of a stretch of a window, in seconds from its start. The last step may reach beyond the end; readers cut it there. */
export function timesWithin(length: Seconds): { readonly start: AnswerSchema; readonly end: AnswerSchema } {
  const steps = Math.max(1, Math.ceil(length / TIME_STEP - 1e-6));
  const time = { type: 'number', minimum: 0, maximum: steps / 10, multipleOf: TIME_STEP } as const;
  return { start: time, end: { ...time, greaterThan: 'start' } };
}

const MAX_USER_SCHEMA = 20_000;

/**
 * A schema that a person gave, proved to be one that every backend keeps.
 * @throws {LongwatchError} `invalid_input` with a pointer to the place that cannot be kept
 */
export function checkedSchema(schema: unknown): AnswerSchema {
  const length = JSON.stringify(schema)?.length ?? 0;
  if (length > MAX_USER_SCHEMA)
    throw new LongwatchError('invalid_input', `The schema has ${length} characters; ${MAX_USER_SCHEMA} are possible.`, {
      hint: 'Ask for fewer things at once.',
    });
  parseSchema(schema);
  return schema as AnswerSchema;
}

/** Longest text where the schema names no limit. */
const DEFAULT_MAX_LENGTH = 10_000;

/**
 * A value of the schema, made from what a model wrote, or undefined when that is something else. Forgiving where nothing is lost:
 * numbers as text, missing values that may be null, properties that nobody asked for, items that do not fit in a list that may be
 * shorter. Texts are cleaned and cut to their length. Numbers are never moved into their bounds: they mean something.
 */
export function fitValue(schema: AnswerSchema, value: unknown): { readonly value: unknown } | undefined {
  if ('enum' in schema) return choiceOf(schema.enum, value);
  if ('const' in schema) return choiceOf([schema.const], value);
  if ('anyOf' in schema) {
    const inner = value === undefined || value === null ? undefined : fitValue(schema.anyOf[0], value);
    return inner ?? (value === undefined || value === null || value === '' ? { value: null } : undefined);
  }
  switch (schema.type) {
    case 'null':
      return value === null ? { value } : undefined;
    case 'boolean':
      return booleanOf(value);
    case 'string':
      return stringOf(schema.minLength ?? 0, schema.maxLength ?? DEFAULT_MAX_LENGTH, value);
    case 'number':
    case 'integer':
      return numberOf(schema, value);
    case 'array':
      return arrayOf(schema, value);
    case 'object':
      return objectOfValue(schema, value);
    default:
      return schema satisfies never;
  }
}

type SchemaOf<T extends string> = Extract<AnswerSchema, { readonly type: T }>;
type Found = { readonly value: unknown } | undefined;

function choiceOf(choices: readonly unknown[], value: unknown): Found {
  const text = JSON.stringify(value);
  const exact = choices.find((choice) => JSON.stringify(choice) === text);
  if (exact !== undefined) return { value: exact };
  if (typeof value !== 'string') return undefined;
  const alike = choices.find((choice) => String(choice).toLowerCase() === value.trim().toLowerCase());
  return alike === undefined ? undefined : { value: alike };
}

function booleanOf(value: unknown): Found {
  if (typeof value === 'boolean') return { value };
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (word === 'true' || word === 'yes') return { value: true };
  return word === 'false' || word === 'no' ? { value: false } : undefined;
}

function stringOf(minLength: number, maxLength: number, value: unknown): Found {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined;
  // Measured before it is cleaned: blanks were long enough for the schema, even though they say nothing.
  return [...String(value)].length >= minLength ? { value: cleanText(String(value), maxLength) } : undefined;
}

function numberOf(schema: SchemaOf<'number' | 'integer'>, value: unknown): Found {
  const number = readNumber(value);
  if (number === undefined || number < (schema.minimum ?? -1e9) || number > (schema.maximum ?? 1e9)) return undefined;
  if (schema.type === 'integer' && !Number.isInteger(number)) return undefined;
  return { value: number + 0 };
}

function arrayOf(schema: SchemaOf<'array'>, value: unknown): Found {
  if (!Array.isArray(value)) return undefined;
  const items = value
    .slice(0, schema.maxItems ?? Number.POSITIVE_INFINITY)
    .map((item) => fitValue(schema.items, item))
    .filter((item) => item !== undefined);
  if (items.length < (schema.minItems ?? 0) || (items.length === 0 && value.length > 0)) return undefined;
  return { value: items.map((item) => item.value) };
}

function objectOfValue(schema: SchemaOf<'object'>, value: unknown): Found {
  if (!isRecord(value)) return undefined;
  const entries: [string, unknown][] = [];
  for (const [key, property] of Object.entries(schema.properties)) {
    const found = fitValue(property, Object.hasOwn(value, key) ? value[key] : undefined);
    if (!found) return undefined;
    entries.push([key, found.value]);
  }
  const made = Object.fromEntries(entries);
  const ordered = Object.entries(schema.properties).every(([key, property]) => {
    const smaller = 'greaterThan' in property ? property.greaterThan : undefined;
    return smaller === undefined || (made[key] as number) > (made[smaller] as number);
  });
  return ordered ? { value: made } : undefined;
}
