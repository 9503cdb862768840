/** What constrained decoding understands of JSON Schema, and the rules that it becomes. */

import { LongwatchError } from '../../errors.js';
import { isRecord } from '../../json-value.js';
import { scaledAtLeast, scaledAtMost, scaledBelow } from './number-text.js';

type Annotations = {
  readonly title?: string;
  readonly description?: string;
};

/**
 * The part of JSON Schema (2020-12) that constrains what a model writes. Where it says less than JSON Schema it is stricter, never
 * looser: what is written is always valid for the schema in its ordinary reading.
 */
export type JsonSchema = Annotations &
  (
    | {
        readonly type: 'object';
        /** Every property is written, in this order. Names that look like integers come first, as in any JavaScript object. */
        readonly properties: Readonly<Record<string, JsonSchema>>;
        readonly required?: readonly string[];
        readonly additionalProperties?: false;
      }
    | {
        readonly type: 'array';
        readonly items: JsonSchema;
        /** @default 0 */
        readonly minItems?: number;
        /** @default no limit */
        readonly maxItems?: number;
      }
    | {
        readonly type: 'string';
        /** Unicode code points. @default 0 */
        readonly minLength?: number;
        /** Unicode code points. @default no limit */
        readonly maxLength?: number;
      }
    | {
        readonly type: 'number' | 'integer';
        /** @default -1e9 */
        readonly minimum?: number;
        /** @default 1e9 */
        readonly maximum?: number;
        /** A power of ten, 1 to 1e-9: all numbers are written with as many decimals. @default 0.01, for an integer 1 */
        readonly multipleOf?: number;
        /**
         * Not of JSON Schema: the name of a number that stands before this one in the same object and is smaller. The smaller one then
         * leaves room for this one, so an end after its start is always possible.
         */
        readonly greaterThan?: string;
      }
    | { readonly type: 'boolean' | 'null' }
    | { readonly enum: readonly unknown[] }
    | { readonly const: unknown }
    | { readonly anyOf: readonly [JsonSchema, { readonly type: 'null' }] }
  );

/** A number with `decimals` digits after its point, held as the integer number · 10^decimals. */
export interface NumberRule {
  readonly kind: 'number';
  readonly decimals: number;
  readonly lowest: number;
  readonly highest: number;
  readonly greaterThan: string | undefined;
}

export type Rule =
  | { readonly kind: 'object'; readonly fields: readonly { readonly key: string; readonly rule: Rule }[] }
  | { readonly kind: 'array'; readonly items: Rule; readonly minItems: number; readonly maxItems: number }
  | { readonly kind: 'string'; readonly minLength: number; readonly maxLength: number }
  | NumberRule
  /** One of these JSON texts; at least one. */
  | { readonly kind: 'options'; readonly texts: readonly string[] }
  | { readonly kind: 'nullable'; readonly rule: Rule };

const DEFAULT_BOUND = 1e9;
const DEFAULT_DECIMALS = 2;
const MAX_DECIMALS = 9;
const MAX_DEPTH = 64;
const MAX_LEAST_BYTES = 100_000;

/** @throws {LongwatchError} `invalid_input` with the place in the schema that cannot be kept, or that contradicts itself. */
export function parseSchema(schema: unknown): Rule {
  const rule = parse(schema, '', 0);
  if (leastBytes(rule) > MAX_LEAST_BYTES)
    throw refused('', `its shortest value has more than ${MAX_LEAST_BYTES} bytes`);
  return rule;
}

/** A lower bound of what a value takes. */
function leastBytes(rule: Rule): number {
  switch (rule.kind) {
    case 'object':
      return rule.fields.reduce((sum, field) => sum + field.key.length + leastBytes(field.rule), 2);
    case 'array':
      return 2 + rule.minItems * leastBytes(rule.items);
    case 'string':
      return 2 + rule.minLength;
    default:
      return 1;
  }
}

function parse(schema: unknown, pointer: string, depth: number): Rule {
  if (depth > MAX_DEPTH) throw refused(pointer, `it is nested more than ${MAX_DEPTH} deep`);
  if (!isRecord(schema)) throw refused(pointer, 'it is not an object');
  if ('enum' in schema) {
    onlyKeys(schema, pointer, ['enum', 'type']);
    return options(Array.isArray(schema['enum']) ? schema['enum'] : [], pointer);
  }
  if ('const' in schema) {
    onlyKeys(schema, pointer, ['const', 'type']);
    return options([schema['const']], pointer);
  }
  if ('anyOf' in schema) return nullable(schema, pointer, depth);
  switch (schema['type']) {
    case 'object':
      return object(schema, pointer, depth);
    case 'array':
      return array(schema, pointer, depth);
    case 'string':
      return string(schema, pointer);
    case 'number':
    case 'integer':
      return number(schema, pointer);
    case 'boolean':
      onlyKeys(schema, pointer, ['type']);
      return options([false, true], pointer);
    case 'null':
      onlyKeys(schema, pointer, ['type']);
      return options([null], pointer);
    default:
      throw refused(pointer, `the type ${JSON.stringify(schema['type'])} is not known`);
  }
}

function options(values: readonly unknown[], pointer: string): Rule {
  const texts = values.map((value) => JSON.stringify(value));
  if (texts.length === 0 || texts.some((text) => text === undefined))
    throw refused(pointer, 'it offers no JSON value to choose');
  return { kind: 'options', texts: [...new Set(texts)] };
}

function nullable(schema: Record<string, unknown>, pointer: string, depth: number): Rule {
  onlyKeys(schema, pointer, ['anyOf']);
  const choices = schema['anyOf'];
  if (!Array.isArray(choices) || choices.length !== 2 || !isRecord(choices[1]) || choices[1]['type'] !== 'null')
    throw refused(pointer, '"anyOf" must be a schema and {"type": "null"}');
  const rule = parse(choices[0], `${pointer}/anyOf/0`, depth + 1);
  if (rule.kind === 'nullable') return rule;
  if (rule.kind === 'options') return { kind: 'options', texts: [...new Set([...rule.texts, 'null'])] };
  return { kind: 'nullable', rule };
}

function object(schema: Record<string, unknown>, pointer: string, depth: number): Rule {
  onlyKeys(schema, pointer, ['type', 'properties', 'required', 'additionalProperties']);
  const properties = schema['properties'];
  if (!isRecord(properties)) throw refused(pointer, 'an object needs "properties"');
  if (schema['additionalProperties'] === true) throw refused(pointer, 'further properties cannot be written');
  const required = schema['required'] ?? [];
  if (!Array.isArray(required)) throw refused(pointer, '"required" must be a list');
  for (const key of required)
    if (typeof key !== 'string' || !Object.hasOwn(properties, key))
      throw refused(pointer, `"${String(key)}" is required but not described`);
  const fields = Object.entries(properties).map(([key, value]) => ({
    key,
    rule: parse(value, `${pointer}/properties/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1),
  }));
  return { kind: 'object', fields: withRoom(fields, pointer) };
}

/** Lowers what a smaller number may reach so that the greater one always finds a value. From the last to the first, for chains. */
function withRoom(fields: { key: string; rule: Rule }[], pointer: string): { key: string; rule: Rule }[] {
  for (let i = fields.length - 1; i >= 0; i--) {
    const greater = (fields[i] as { rule: Rule }).rule;
    if (greater.kind !== 'number' || greater.greaterThan === undefined) continue;
    const index = fields.findIndex(({ key }) => key === greater.greaterThan);
    const smaller = fields[index];
    if (!smaller || index >= i || smaller.rule.kind !== 'number')
      throw refused(
        `${pointer}/properties/${fields[i]?.key}`,
        `"${greater.greaterThan}" is no number that stands before it in the same object`,
      );
    const room = scaledBelow(greater.highest / 10 ** greater.decimals, smaller.rule.decimals);
    const highest = Math.min(smaller.rule.highest, room);
    if (highest < smaller.rule.lowest)
      throw refused(`${pointer}/properties/${smaller.key}`, 'no value leaves room for the greater one');
    fields[index] = { key: smaller.key, rule: { ...smaller.rule, highest } };
  }
  return fields;
}

function array(schema: Record<string, unknown>, pointer: string, depth: number): Rule {
  onlyKeys(schema, pointer, ['type', 'items', 'minItems', 'maxItems']);
  const minItems = count(schema, 'minItems', 0, pointer);
  const maxItems = count(schema, 'maxItems', Number.POSITIVE_INFINITY, pointer);
  if (minItems > maxItems) throw refused(pointer, `"minItems" ${minItems} is above "maxItems" ${maxItems}`);
  return { kind: 'array', items: parse(schema['items'], `${pointer}/items`, depth + 1), minItems, maxItems };
}

function string(schema: Record<string, unknown>, pointer: string): Rule {
  onlyKeys(schema, pointer, ['type', 'minLength', 'maxLength']);
  const minLength = count(schema, 'minLength', 0, pointer);
  const maxLength = count(schema, 'maxLength', Number.POSITIVE_INFINITY, pointer);
  if (minLength > maxLength) throw refused(pointer, `"minLength" ${minLength} is above "maxLength" ${maxLength}`);
  return { kind: 'string', minLength, maxLength };
}

function number(schema: Record<string, unknown>, pointer: string): NumberRule {
  onlyKeys(schema, pointer, ['type', 'minimum', 'maximum', 'multipleOf', 'greaterThan']);
  const decimals = decimalsOf(schema, pointer);
  const lowest = scaledAtLeast(bound(schema, 'minimum', -DEFAULT_BOUND, pointer), decimals);
  const highest = scaledAtMost(bound(schema, 'maximum', DEFAULT_BOUND, pointer), decimals);
  if (!Number.isSafeInteger(lowest) || !Number.isSafeInteger(highest))
    throw refused(pointer, `its bounds do not fit into a double with ${decimals} decimals`);
  if (lowest > highest)
    throw refused(
      pointer,
      `no number with ${decimals} decimals lies within [${schema['minimum']}, ${schema['maximum']}]`,
    );
  const greaterThan = schema['greaterThan'];
  if (greaterThan !== undefined && typeof greaterThan !== 'string')
    throw refused(pointer, '"greaterThan" must name another property');
  return { kind: 'number', decimals, lowest, highest, greaterThan };
}

function decimalsOf(schema: Record<string, unknown>, pointer: string): number {
  const step = schema['multipleOf'];
  if (step === undefined) return schema['type'] === 'integer' ? 0 : DEFAULT_DECIMALS;
  for (let decimals = 0; decimals <= MAX_DECIMALS; decimals++)
    if (typeof step === 'number' && step === Number(`1e-${decimals}`)) {
      if (decimals > 0 && schema['type'] === 'integer') break;
      return decimals;
    }
  throw refused(pointer, `"multipleOf" must be 1, 0.1, 0.01 and so on, not ${JSON.stringify(step)}`);
}

function bound(schema: Record<string, unknown>, key: string, byDefault: number, pointer: string): number {
  const value = schema[key] ?? byDefault;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refused(pointer, `"${key}" must be a finite number`);
  return value;
}

function count(schema: Record<string, unknown>, key: string, byDefault: number, pointer: string): number {
  const value = schema[key];
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw refused(pointer, `"${key}" must be a whole number, not ${JSON.stringify(value)}`);
  return value;
}

/** A keyword that is not kept would be a promise that is broken in silence. */
function onlyKeys(schema: Record<string, unknown>, pointer: string, known: readonly string[]): void {
  for (const key of Object.keys(schema))
    if (!known.includes(key) && key !== 'title' && key !== 'description')
      throw refused(pointer, `the keyword "${key}" is not supported here`);
}

function refused(pointer: string, why: string): LongwatchError {
  return new LongwatchError('invalid_input', `The schema at "${pointer || '/'}" cannot be kept: ${why}.`, {
    pointer,
    hint: 'See the type JsonSchema for what constrained decoding supports.',
  });
}
