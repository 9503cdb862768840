/** Tiny files in the public form of a suite, read and scored as a user's would be. */

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { evaluateFile } from '../../../src/eval/evaluate.js';
import { MediaFolder } from '../../../src/eval/media.js';
import { reportOf } from '../../../src/eval/report.js';
import { findSuite } from '../../../src/eval/suites/list.js';

/** A folder with these files; what is no text is written as JSON, and lists into `.jsonl` line by line. */
export function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-suite-'));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, textOf(name, content));
  }
  return folder;
}

function textOf(name: string, content: unknown): string {
  if (typeof content === 'string') return content;
  return /\.(jsonl|ndjson)$/.test(name)
    ? (content as unknown[]).map((line) => `${JSON.stringify(line)}\n`).join('')
    : JSON.stringify(content);
}

/** What a suite reads from these files. */
export async function itemsOf(suite: string, files: Readonly<Record<string, unknown>>) {
  return findSuite(suite).read(await MediaFolder.open(folderOf(files)));
}

/** Figures by name, rounded to four decimals, of answers in a file. */
export async function figuresOf(suite: string, files: Readonly<Record<string, unknown>>, answers: readonly unknown[]) {
  const folder = folderOf({ ...files, 'mine.ndjson': answers });
  const options = {
    suite: findSuite(suite),
    folder: await MediaFolder.open(folder),
    signal: new AbortController().signal,
  };
  const report = reportOf(options.suite, await evaluateFile(options, path.join(folder, 'mine.ndjson')));
  const rounded = (figures: typeof report.figures) =>
    Object.fromEntries(figures.map(({ name, value }) => [name, Math.round(value * 1e4) / 1e4]));
  return {
    figures: rounded(report.figures),
    groups: Object.fromEntries(report.groups.map(({ by, name, figures }) => [`${by} ${name}`, rounded(figures)])),
    report,
  };
}
