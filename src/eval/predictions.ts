/**
 * What was answered, one JSON line per item: `{"id": "…", "spans": [[start, end, score?], …]}`, `{"id": "…", "choice": "B"}` or
 * `{"id": "…", "answer": "…"}`, each with an optional `confidence`. Written as the evaluation goes on, so that a run that was
 * killed goes on after the last whole line; and read, so that answers made elsewhere can be scored. Lines in the form in which
 * QVHighlights is submitted (`qid`, `pred_relevant_windows`, `pred_saliency_scores`) are read too.
 */

import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { checked, idSchema, invalid, readLines, z } from './annotations.js';
import type { FoundSpan, ItemKind, Prediction } from './item.js';

/** Who answered which suite, the first line of a file that a run writes: answers of two models are never mixed. */
export interface PredictionHead {
  readonly suite: string;
  readonly by: string;
}

const found = z
  .union([z.tuple([z.number(), z.number()]), z.tuple([z.number(), z.number(), z.number()])])
  .transform(([start, end, score]): FoundSpan => (score === undefined ? { start, end } : { start, end, score }));

const headSchema = z.strictObject({ suite: z.string(), by: z.string() });

const lineSchema = z
  .object({
    id: idSchema.optional(),
    qid: idSchema.optional(),
    spans: z.array(found).optional(),
    pred_relevant_windows: z.array(found).optional(),
    saliency: z.array(z.number()).optional(),
    pred_saliency_scores: z.array(z.number()).optional(),
    choice: z
      .string()
      .regex(/^[A-Za-z]$/, 'must be the letter of an option')
      .transform((letter) => letter.toUpperCase())
      .optional(),
    answer: z.string().optional(),
    confidence: z.number().min(0).max(1).optional(),
  })
  .refine(({ id, qid }) => id !== undefined || qid !== undefined, { message: 'has no id' })
  .transform((line): Prediction => {
    const fields = {
      spans: line.spans ?? line.pred_relevant_windows,
      saliency: line.saliency ?? line.pred_saliency_scores,
      choice: line.choice,
      answer: line.answer,
      confidence: line.confidence,
    };
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    return { id: line.id ?? line.qid ?? '', ...given };
  });

/** The field that answers an item of each kind. */
const ANSWER_FIELD = {
  grounding: 'spans',
  events: 'spans',
  choice: 'choice',
  document: 'answer',
} as const satisfies Record<ItemKind, keyof Prediction>;

/**
 * Answers by id.
 * @throws {LongwatchError} `invalid_input` with the line that is no answer to an item of this kind, or answers one twice
 */
export async function readPredictions(file: string, kind: ItemKind): Promise<Map<string, Prediction>> {
  const predictions = new Map<string, Prediction>();
  for (const [at, { value, where }] of (await readLines(file)).entries()) {
    const json = parse(value, where);
    if (at === 0 && headSchema.safeParse(json).success) continue;
    const prediction = checked(lineSchema, json, where);
    const field = ANSWER_FIELD[kind];
    // Highlights alone are an answer of QVHighlights, to its other half.
    if (prediction[field] === undefined && prediction.saliency === undefined)
      throw invalid(where, `it has no "${field}"`);
    if (predictions.has(prediction.id)) throw invalid(where, `"${prediction.id}" is answered twice`);
    predictions.set(prediction.id, prediction);
  }
  return predictions;
}

/** The file that a run writes, and what stood in it before. */
export class PredictionJournal {
  private constructor(
    readonly file: string,
    readonly predictions: Map<string, Prediction>,
    readonly handle: FileHandle,
  ) {}

  /**
   * Opens or makes the file. A last line that a kill cut in two is taken away.
   * @throws {LongwatchError} `conflict` when the file holds answers of another model or suite; `invalid_input`
   */
  static async open(file: string, head: PredictionHead, kind: ItemKind): Promise<PredictionJournal> {
    try {
      await mkdir(path.dirname(file), { recursive: true });
      const before = await readFile(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return Buffer.alloc(0);
        throw error;
      });
      const whole = before.lastIndexOf('\n') + 1;
      const handle = await open(file, 'a');
      try {
        if (whole < before.length) await handle.truncate(whole);
        if (whole === 0) await handle.appendFile(`${JSON.stringify(head)}\n`);
        else refuseOthers(file, before.subarray(0, whole).toString('utf8'), head);
        return new PredictionJournal(file, await readPredictions(file, kind), handle);
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw toLongwatchError(error, file);
    }
  }

  /** Written to the disk when it returns. */
  async add(prediction: Prediction): Promise<void> {
    await this.handle.appendFile(`${JSON.stringify(lineOf(prediction))}\n`);
    await this.handle.datasync();
    this.predictions.set(prediction.id, prediction);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function refuseOthers(file: string, text: string, head: PredictionHead): void {
  const first = text.slice(0, text.indexOf('\n'));
  const known = headSchema.safeParse(parse(first, `${file}:1`));
  if (known.success && known.data.suite === head.suite && known.data.by === head.by) return;
  const whose = known.success ? `${known.data.suite}, answered by ${known.data.by}` : 'answers made elsewhere';
  throw new LongwatchError('conflict', `${file} holds ${whose}, not ${head.suite}, answered by ${head.by}.`, {
    path: file,
    hint: 'Give another folder with -o, or score that file with --predictions.',
  });
}

function lineOf({ spans, ...prediction }: Prediction): object {
  if (spans === undefined) return prediction;
  const rows = spans.map(({ start, end, score }) => (score === undefined ? [start, end] : [start, end, score]));
  return { ...prediction, spans: rows };
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw invalid(where, `no JSON: ${(error as Error).message}`);
  }
}
