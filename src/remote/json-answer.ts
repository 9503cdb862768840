/**
 * JSON in what a server wrote. Servers keep to a schema more or less, some know none at all, and an answer may break off. Only its shape
 * is looked at here, never what it says: texts and numbers go to whoever asked as they are.
 */

import type { JsonSchema } from '../backend.js';
import { isRecord } from '../json-value.js';

/** What the server is asked for: the schema without keywords of our own, and with every property required, as the local model writes it. */
export function schemaForServer(schema: JsonSchema): JsonSchema {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    // `greaterThan` is ours. Many grammars refuse `multipleOf`; rounding does its work as well.
    if (key === 'greaterThan' || key === 'multipleOf') continue;
    if (key === 'properties' && isRecord(value)) out[key] = mapValues(value, subschema);
    else if (key === 'items') out[key] = subschema(value);
    else if ((key === 'anyOf' || key === 'oneOf') && Array.isArray(value)) out[key] = value.map(subschema);
    else out[key] = value;
  }
  if (isRecord(schema['properties'])) {
    out['required'] = Object.keys(schema['properties']);
    out['additionalProperties'] = false;
  }
  return out;
}

function subschema(value: unknown): unknown {
  return isRecord(value) ? schemaForServer(value) : value;
}

/**
 * Whether a value has the shape that a schema asks for: kinds, properties, the words of an enumeration, the fewest items of a list. Bounds
 * of numbers and lengths are not looked at, since few servers keep them, and keywords that are not known here allow everything.
 */
export function conforms(value: unknown, schema: JsonSchema): boolean {
  if ('const' in schema) return sameJson(value, schema['const']);
  if (Array.isArray(schema['enum'])) return schema['enum'].some((one) => sameJson(value, one));
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return choices.some((choice) => !isRecord(choice) || conforms(value, choice));
  switch (schema['type']) {
    case 'object':
      return isRecord(value) && conformsInProperties(value, schema['properties']);
    case 'array':
      return Array.isArray(value) && conformsInItems(value, schema);
    case 'integer':
      return Number.isInteger(value);
    case 'null':
      return value === null;
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === schema['type'];
    default:
      return true;
  }
}

function conformsInProperties(value: Readonly<Record<string, unknown>>, properties: unknown): boolean {
  return Object.entries(isRecord(properties) ? properties : {}).every(
    ([key, property]) => Object.hasOwn(value, key) && (!isRecord(property) || conforms(value[key], property)),
  );
}

function conformsInItems(value: readonly unknown[], { items, minItems }: JsonSchema): boolean {
  if (typeof minItems === 'number' && value.length < minItems) return false;
  return !isRecord(items) || value.every((item) => conforms(item, items));
}

/** The JSON value in an answer that may have words, a code fence or thoughts around it; undefined when there is none. */
export function findJson(text: string): unknown {
  const thoughts = text.lastIndexOf(END_OF_THOUGHTS);
  const answer = thoughts < 0 ? text : text.slice(thoughts + END_OF_THOUGHTS.length);
  const opened = answer.search(/[[{]/);
  const closed = Math.max(answer.lastIndexOf('}'), answer.lastIndexOf(']'));
  return parse(answer) ?? parse(fenced(answer)) ?? (opened < 0 ? undefined : parse(answer.slice(opened, closed + 1)));
}

const END_OF_THOUGHTS = '</think>';
const FENCE = '```';

/** What stands in the first code fence, which may be open at its end; nothing when there is none. */
function fenced(text: string): string {
  const fence = text.indexOf(FENCE);
  const body = fence < 0 ? -1 : text.indexOf('\n', fence);
  if (body < 0) return '';
  const end = text.indexOf(FENCE, body);
  return text.slice(body, end < 0 ? text.length : end);
}

/** Ends of a cut answer that are tried at most. */
const MAX_ENDS = 64;
/** Lists and objects inside one another; no schema is deeper. */
const MAX_DEPTH = 64;
/** Characters; an answer that is longer than any that was asked for is not looked into. */
const MAX_CUT = 1_000_000;

/**
 * Values that an answer which was cut off can have meant, the longest first: what is incomplete at its end is left out, what is open is
 * closed. The last one keeps the text that was cut instead.
 */
export function* closings(cut: string): Generator<unknown> {
  const from = cut.search(/[[{]/);
  if (from < 0 || cut.length > MAX_CUT) return;
  const { ends, openText } = scan(cut.slice(from));
  for (const end of ends.toReversed()) {
    const value = parse(cut.slice(from, from + end.length) + end.closers);
    if (value !== undefined) yield value;
  }
  if (openText !== undefined) {
    const text = cut.slice(from).replace(/\\(u[0-9a-fA-F]{0,3})?$/, '');
    const value = parse(`${text}"${openText}`);
    if (value !== undefined) yield value;
  }
}

interface End {
  /** Characters up to here are a whole value inside what is open. */
  readonly length: number;
  /** What closes everything that is open there. */
  readonly closers: string;
}

/** Finds the last places where values end. An empty list is one; a number or a text is one only when something follows it. */
function scan(text: string): { readonly ends: readonly End[]; readonly openText: string | undefined } {
  const ends: End[] = [];
  let closers = '';
  let inText = false;
  const end = (length: number) => {
    ends.push({ length, closers });
    if (ends.length > MAX_ENDS) ends.shift();
  };
  for (let i = 0; i < text.length && closers.length <= MAX_DEPTH; i++) {
    const character = text[i];
    if (inText) {
      if (character === '\\') i++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === '{') closers = `}${closers}`;
    else if (character === '[') {
      closers = `]${closers}`;
      end(i + 1);
    } else if (character === '}' || character === ']') {
      closers = closers.slice(1);
      end(i + 1);
    } else if (character === ',') end(i);
  }
  return { ends, openText: inText ? closers : undefined };
}

/** Line ends and other control characters in a text are no JSON, and yet some grammars let a model write them (vLLM's xgrammar): as blanks they are. */
function parse(text: string): unknown {
  for (const form of [text, text.replace(/\p{Cc}/gu, ' ')]) {
    try {
      return JSON.parse(form);
    } catch {
      // The next form.
    }
  }
  return undefined;
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function mapValues(
  record: Readonly<Record<string, unknown>>,
  map: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
