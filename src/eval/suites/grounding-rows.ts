/**
 * Benchmarks of grounding that came after the classical ones: TimeLens-Bench (TencentARC/TimeLens: Charades-STA, ActivityNet Captions and
 * QVHighlights annotated anew) and ExtremeWhenBench (naver-ai, arXiv 2606.12300: moments in videos of an hour and more). The form by video is that of
 * TimeLens-Bench as VLMEvalKit reads it; files of ExtremeWhenBench could not be looked at, so rows are read too, with the names that such files have:
 *
 * - rows (JSON lines, a JSON array, or an array under `data`, `annotations`, `queries` or `questions`): a video, a query, and its spans or
 *   its `start` and `end`;
 * - videos (a JSON object by video): `duration`, lists of queries and of spans, one span (or list of spans) for each query.
 */

import path from 'node:path';
import { holdsMap, idSchema, invalid, readList, readMap, spanSchema, z } from '../annotations.js';
import { type GroundingItem, lengthGroup } from '../item.js';
import { scoreGrounding } from '../scores.js';
import type { Suite } from '../suite.js';

/** One span or several. */
const spansSchema = z.union([spanSchema.transform((span) => [span]), z.array(spanSchema)]);

const VIDEO = ['video', 'vid', 'video_id', 'video_name', 'video_path', 'video_file'] as const;
const QUERY = ['query', 'question', 'sentence', 'caption', 'text'] as const;
const SPANS = [
  'spans',
  'span',
  'relevant_windows',
  'windows',
  'timestamps',
  'timestamp',
  'segments',
  'segment',
  'answer',
] as const;
const START = ['start', 'start_time', 'start_s', 'start_sec'] as const;
const END = ['end', 'end_time', 'end_s', 'end_sec'] as const;
const ID = ['id', 'qid', 'query_id', 'question_id'] as const;

const rowSchema = z.record(z.string(), z.unknown());
const videoSchema = z
  .object({
    duration: z.number().positive().optional(),
    queries: z.array(z.string()).optional(),
    sentences: z.array(z.string()).optional(),
    spans: z.array(spansSchema).optional(),
    timestamps: z.array(spansSchema).optional(),
  })
  .transform((video) => ({
    duration: video.duration,
    queries: video.queries ?? video.sentences ?? [],
    spans: video.spans ?? video.timestamps ?? [],
  }));

async function readFileItems(file: string): Promise<GroundingItem[]> {
  const set = path.basename(file).replace(/\.\w+$/, '');
  const names = ['data', 'annotations', 'queries', 'questions'];
  if (await holdsMap(file)) {
    const holder = await readMap(file, z.unknown());
    if (!holder.some(({ key, value }) => names.includes(key) && Array.isArray(value))) return videosOf(file, set);
  }
  return (await readList(file, rowSchema, names)).map(({ value, where }, at) => rowItem(value, where, set, at));
}

async function videosOf(file: string, set: string): Promise<GroundingItem[]> {
  return (await readMap(file, videoSchema)).flatMap(({ key, value, where }) => {
    if (value.queries.length !== value.spans.length)
      throw invalid(where, `${value.queries.length} queries have ${value.spans.length} spans`);
    return value.queries.map(
      (query, at): GroundingItem => ({
        kind: 'grounding',
        id: `${set}/${key}#${at + 1}`,
        media: key,
        query,
        spans: value.spans[at] ?? [],
        groups: { set, ...lengthGroup(value.duration) },
      }),
    );
  });
}

function rowItem(row: Readonly<Record<string, unknown>>, where: string, set: string, at: number): GroundingItem {
  const field = <T>(what: string, names: readonly string[], schema: z.ZodType<T>): T => {
    const name = names.find((candidate) => row[candidate] !== undefined && row[candidate] !== null);
    if (name === undefined) throw invalid(where, `it has no ${what} (${names.join(', ')})`);
    const result = schema.safeParse(row[name]);
    if (!result.success) throw invalid(where, `"${name}" is no ${what}`);
    return result.data;
  };
  const has = (names: readonly string[]) => names.some((name) => row[name] !== undefined && row[name] !== null);
  const spans = has(START)
    ? [spanSchema.parse([field('start', START, z.number().min(0)), field('end', END, z.number().min(0))])]
    : field('list of spans', SPANS, spansSchema);
  const duration = has(['duration']) ? field('duration', ['duration'], z.number().positive()) : undefined;
  return {
    kind: 'grounding',
    id: `${set}/${has(ID) ? field('id', ID, idSchema) : at + 1}`,
    media: field('video', VIDEO, z.string().min(1)),
    query: field('query', QUERY, z.string().min(1)),
    spans,
    groups: { set, ...lengthGroup(duration) },
  };
}

async function readAll(files: readonly string[]): Promise<GroundingItem[]> {
  return (await Promise.all(files.map(readFileItems))).flat();
}

export const timeLensBench: Suite = {
  name: 'timelens-bench',
  title: 'TimeLens-Bench: Charades-STA, ActivityNet Captions and QVHighlights with cleaned annotations',
  expects: '*-timelens.json or *.jsonl',
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  groupedBy: ['set'],
  published: [
    { model: 'Qwen2.5-VL-7B, Charades', figure: 'mIoU', value: 0.393, source: 'TimeLens README' },
    { model: 'Qwen2.5-VL-7B, ActivityNet', figure: 'mIoU', value: 0.314, source: 'TimeLens README' },
    { model: 'Qwen2.5-VL-7B, QVHighlights', figure: 'mIoU', value: 0.316, source: 'TimeLens README' },
  ],
  read: async (folder) => readAll(folder.annotations([/timelens.*\.jsonl?$/i, /\.jsonl?$/i], '*-timelens.json')),
  score: scoreGrounding,
};

export const extremeWhenBench: Suite = {
  name: 'extreme-when-bench',
  title: 'ExtremeWhenBench: moments of seconds in videos of an hour and more',
  expects: '*.jsonl or *.json',
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  groupedBy: ['length'],
  published: [
    { model: 'Qwen3.5-9B, whole video', figure: 'mIoU', value: 0.11, source: 'arXiv 2606.12300' },
    { model: 'CLIP ViT-L/14-336 retrieval', figure: 'mIoU', value: 0.269, source: 'arXiv 2606.12300' },
  ],
  read: async (folder) => readAll(folder.annotations([/extreme.*\.jsonl?$/i, /\.jsonl?$/i], '*.jsonl')),
  score: scoreGrounding,
};
