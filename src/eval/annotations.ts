/** Annotation files of benchmarks: text, JSON lines and JSON, read entry by entry, so that an error names its line. Knows zod for the suites. */

import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import type { TimeRange } from '../time.js';

export { z };

/** The largest public annotation file of the suites has 30 MB. */
const MAX_BYTES = 256 * 1024 * 1024;

/** One value of a file, and where it stands, for errors: `file:12`, `file, entry 3`, `file, "v_abc"`. */
export interface Entry<T> {
  readonly value: T;
  readonly where: string;
  /** Of an object's entries. */
  readonly key?: string;
}

/** A stretch as `[start, end]`. Some public annotations have the two the wrong way round; they are turned. */
export const spanSchema = z
  .tuple([z.number().min(0), z.number().min(0)])
  .transform(([a, b]): TimeRange => ({ start: Math.min(a, b), end: Math.max(a, b) }));

/** An id that some exports write as text and others as a number. */
export const idSchema = z.union([z.string().min(1), z.number().int()]).transform(String);

/** @throws {LongwatchError} `file_not_found`, `unreadable_file`, `invalid_input` when it is too large for an annotation file */
async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw invalid(file, `it has ${size} bytes; ${MAX_BYTES} are possible`);
    return (await readFile(file, 'utf8')).replace(/^\ufeff/, '');
  } catch (error) {
    throw toLongwatchError(error, file);
  }
}

/** Lines that are not blank, with their numbers from 1. */
export async function readLines(file: string): Promise<Entry<string>[]> {
  const lines = (await readText(file)).split(/\r?\n/);
  return lines.flatMap((value, at) => (value.trim() === '' ? [] : [{ value, where: `${file}:${at + 1}` }]));
}

/**
 * A list of values of one shape: JSON lines (`.jsonl`, `.ndjson`), a JSON array, or an object that holds one under one of `names`.
 * @throws {LongwatchError} `invalid_input` with the line or entry that has another shape
 */
export async function readList<T>(
  file: string,
  schema: z.ZodType<T>,
  names: readonly string[] = [],
): Promise<Entry<T>[]> {
  if (/\.(jsonl|ndjson)$/i.test(file)) {
    return (await readLines(file)).map(({ value, where }) => ({
      value: checked(schema, parse(value, where), where),
      where,
    }));
  }
  const whole = parse(await readText(file), file);
  const name = names.find((candidate) => isRecord(whole) && Array.isArray(whole[candidate]));
  const list = name === undefined ? whole : (whole as Record<string, unknown>)[name];
  if (!Array.isArray(list)) throw invalid(file, 'it holds no list of entries');
  return list.map((value, at) => {
    const where = `${file}, entry ${at + 1}`;
    return { value: checked(schema, value, where), where };
  });
}

/**
 * Values of one shape by their keys: a JSON object.
 * @throws {LongwatchError} `invalid_input` with the key whose value has another shape
 */
export async function readMap<T>(file: string, schema: z.ZodType<T>): Promise<(Entry<T> & { readonly key: string })[]> {
  const whole = parse(await readText(file), file);
  if (!isRecord(whole)) throw invalid(file, 'it holds no object of entries');
  return Object.entries(whole).map(([key, value]) => {
    const where = `${file}, "${key}"`;
    return { key, value: checked(schema, value, where), where };
  });
}

/** One value. @throws {LongwatchError} `invalid_input` */
export async function readValue<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  return checked(schema, parse(await readText(file), file), file);
}

/** Whether the file is a JSON object rather than a list. Reads it. */
export async function holdsMap(file: string): Promise<boolean> {
  return !/\.(jsonl|ndjson)$/i.test(file) && isRecord(parse(await readText(file), file));
}

/** What is wrong in an annotation file, and where. */
export function invalid(where: string, problem: string): LongwatchError {
  return new LongwatchError('invalid_input', `${where}: ${problem}.`, {
    hint: 'Formats stand in docs/accuracy.md, "Repeating published figures".',
  });
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw invalid(where, `no JSON: ${(error as Error).message}`);
  }
}

/** A value in the shape of a schema. @param where its file and line. @throws {LongwatchError} `invalid_input` with the first thing that is wrong */
export function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue && issue.path.length > 0 ? `"${issue.path.join('.')}" ` : '';
  throw invalid(
    where,
    `${place}${issue?.message.toLowerCase().replace(/^invalid input: /, '') ?? 'has another shape'}`,
  );
}
