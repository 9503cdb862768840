/** One evaluation: items are asked one after the other, each answer is on the disk before the next question, and what is there is scored. */

import { LongwatchError, type StoredError, toLongwatchError, toStoredError } from '../errors.js';
import type { Asker } from './asking/asker.js';
import type { Item, Pair, Prediction } from './item.js';
import type { MediaFolder } from './media.js';
import { PredictionJournal, readPredictions } from './predictions.js';
import type { Suite } from './suite.js';

/** What was asked and answered, ready to be scored. */
export interface Evaluation {
  /** Who answered. */
  readonly by: string;
  /** Items of the annotations, `limit` aside. */
  readonly total: number;
  /** What counts: every item that was asked, or that somebody else was to answer. */
  readonly pairs: readonly Pair[];
  /** Items whose video or picture is not in the folder; they count nowhere. */
  readonly missing: readonly string[];
  /** Items whose question failed. They count as not answered, and are asked again by the next run. */
  readonly failures: readonly { readonly id: string; readonly error: StoredError }[];
  /** Predictions that belong to no item. */
  readonly strangers: number;
  /** The run was stopped: the items after that are not among the pairs. */
  readonly interrupted: boolean;
}

export interface EvaluateOptions {
  readonly suite: Suite;
  readonly folder: MediaFolder;
  /** Only the first so many items whose video is there. @default all */
  readonly limit?: number;
  readonly signal: AbortSignal;
}

/** Errors after which no other item would fare better. */
const FATAL: ReadonlySet<string> = new Set([
  'part_missing',
  'bad_config',
  'bad_weights',
  'disk_full',
  'library_not_found',
  'library_newer',
  'library_damaged',
  'library_busy',
  'licence_not_accepted',
]);
/** So many failures in a row are no accident: a server is down, or the folder holds other files than the annotations mean. */
const MOST_FAILURES_IN_A_ROW = 10;

/**
 * The suite's items; ids are unique.
 * @throws {LongwatchError} as `Suite.read`; `invalid_input` when there is none or two have one id
 */
async function itemsOf({ suite, folder }: EvaluateOptions): Promise<readonly Item[]> {
  const items = await suite.read(folder);
  const seen = new Set<string>();
  for (const { id } of items) {
    if (seen.has(id)) {
      throw new LongwatchError('invalid_input', `Two items of ${suite.name} have the id "${id}".`, {
        path: folder.directory,
        hint: 'Is an annotation file there twice?',
      });
    }
    seen.add(id);
  }
  if (items.length > 0) return items;
  throw new LongwatchError('invalid_input', `The annotations of ${suite.name} in ${folder.directory} are empty.`, {
    path: folder.directory,
  });
}

/**
 * Scores answers made elsewhere. No video is needed; an item without an answer counts as not answered.
 * @throws {LongwatchError} of the annotations and the file; `invalid_input` when it answers none of the items
 */
export async function evaluateFile(options: EvaluateOptions, file: string): Promise<Evaluation> {
  const items = await itemsOf(options);
  const predictions = await readPredictions(file, options.suite.kind);
  const known = new Set(items.map(({ id }) => id));
  const strangers = [...predictions.keys()].filter((id) => !known.has(id));
  if (strangers.length === predictions.size) {
    throw new LongwatchError('invalid_input', `${file} answers none of the ${items.length} items.`, {
      path: file,
      hint: `Ids of this suite look like "${items[0]?.id}".`,
    });
  }
  const pairs = items.slice(0, options.limit).map((item) => ({ item, prediction: predictions.get(item.id) }));
  const base = { missing: [], failures: [], interrupted: false };
  return { by: file, total: items.length, pairs, strangers: strangers.length, ...base };
}

/**
 * Asks every item that has no answer in `journalFile` yet. Stops without an error when `signal` aborts.
 * @param openAsker Called once, when there is something to ask.
 * @throws {LongwatchError} of the annotations; `file_not_found` when no video is there; `conflict` as `PredictionJournal.open`; an
 * error that would meet every item, with all answers so far kept
 */
export async function evaluateRun(
  options: EvaluateOptions,
  openAsker: () => Promise<Asker>,
  journalFile: string,
  onItem: (done: number, total: number) => void = () => undefined,
): Promise<Evaluation> {
  const { suite, folder, limit, signal } = options;
  const items = await itemsOf(options);
  const there = items.flatMap((item) => {
    const file = folder.find(item.media, item.folders);
    return file === undefined ? [] : [{ item, file }];
  });
  const missing = items.filter((item) => folder.find(item.media, item.folders) === undefined);
  if (there.length === 0) {
    throw new LongwatchError('file_not_found', `None of the videos of ${suite.name} lies in ${folder.directory}.`, {
      path: folder.directory,
      hint: `Put them there or name their folder with --videos; the first is called "${items[0]?.media}".`,
    });
  }
  const chosen = there.slice(0, limit);
  const asker = await openAsker();
  const journal = await PredictionJournal.open(journalFile, { suite: suite.name, by: asker.by }, suite.kind);
  const failures: { id: string; error: StoredError }[] = [];
  const pairs: Pair[] = [];
  let failedInARow = 0;
  let interrupted = false;
  try {
    for (const { item, file } of chosen) {
      onItem(pairs.length, chosen.length);
      if (signal.aborted) {
        interrupted = true;
        break;
      }
      try {
        pairs.push({
          item,
          prediction: journal.predictions.get(item.id) ?? (await ask(asker, item, file, journal, signal)),
        });
        failedInARow = 0;
      } catch (thrown) {
        const error = toLongwatchError(thrown, file);
        if (signal.aborted) continue;
        failedInARow += 1;
        if (FATAL.has(error.code) || failedInARow === MOST_FAILURES_IN_A_ROW) throw error;
        failures.push({ id: item.id, error: toStoredError(error) });
        pairs.push({ item, prediction: undefined });
      }
    }
  } finally {
    await journal.close();
  }
  const missingIds = missing.map(({ media }) => media);
  const known = new Set(items.map(({ id }) => id));
  const strangers = [...journal.predictions.keys()].filter((id) => !known.has(id)).length;
  return { by: asker.by, total: items.length, pairs, missing: missingIds, failures, strangers, interrupted };
}

async function ask(
  asker: Asker,
  item: Item,
  file: string,
  journal: PredictionJournal,
  signal: AbortSignal,
): Promise<Prediction> {
  const prediction = { id: item.id, ...(await asker.ask(item, file, signal)) };
  await journal.add(prediction);
  return prediction;
}
