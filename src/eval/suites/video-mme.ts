/**
 * Video-MME (Fu et al., arXiv 2405.21075): 900 videos of 11 s to an hour, three questions each with options A to D. Two forms are read, JSON
 * or JSON lines: one row per question, as the published table has it (`videoID`, `duration` short, medium or long, `question_id`,
 * `question`, `options`, `answer`), and one row per video with its `questions`, as the official evaluation takes answers. The
 * published table is Parquet, which is not read: write it as JSON lines first. `video-mme-subtitles` shows, beside the frames, the
 * lines of `VIDEOID.srt` that stand on screen in one of the shown frames.
 */

import { idSchema, invalid, readList, z } from '../annotations.js';
import type { ChoiceItem } from '../item.js';
import type { MediaFolder } from '../media.js';
import { scoreChoices } from '../scores.js';
import type { PublishedFigure, Suite } from '../suite.js';

const question = z.object({
  question_id: idSchema,
  task_type: z.string().optional(),
  question: z.string().min(1),
  options: z.array(z.string()).min(2).max(26),
  answer: z.string().regex(/^[A-Z]$/, 'must be the letter of an option'),
});
const video = z.object({
  video_id: idSchema.optional(),
  videoID: z.string().optional(),
  duration: z.string().optional(),
  duration_category: z.string().optional(),
  url: z.string().optional(),
});
const schema = z.union([
  video.extend(question.shape).transform((row) => ({ ...row, questions: [row] })),
  video.extend({ questions: z.array(question) }),
]);

/** The name of the file: the id at YouTube, which is in the address where it is no field of its own. */
function mediaOf({ videoID, video_id, url }: z.infer<typeof video>): string | undefined {
  return videoID ?? /[?&]v=([\w-]{11})/.exec(url ?? '')?.[1] ?? video_id;
}

async function readItems(folder: MediaFolder, subtitles: boolean): Promise<ChoiceItem[]> {
  const [file] = folder.annotations([/^video-?_?mme.*\.jsonl?$/i, /^test.*\.jsonl?$/i], EXPECTS);
  return (await readList(file, schema, ['data'])).flatMap(({ value, where }) => {
    const media = mediaOf(value);
    if (media === undefined) throw invalid(where, 'it names no video (videoID, url, video_id)');
    const duration = value.duration ?? value.duration_category;
    return value.questions.map((row): ChoiceItem => {
      const correct = row.answer.charCodeAt(0) - 'A'.charCodeAt(0);
      if (correct >= row.options.length)
        throw invalid(where, `the answer ${row.answer} is none of ${row.options.length} options`);
      return {
        kind: 'choice',
        id: row.question_id,
        media,
        question: row.question,
        // "A. A dog." in the published file; the letter is written anew for all suites.
        options: row.options.map((option) => option.replace(/^\s*\(?[A-Z][.):]\s+/, '').trim()),
        correct,
        groups: { ...(duration === undefined ? {} : { duration }), ...(row.task_type ? { task: row.task_type } : {}) },
        ...(subtitles ? { subtitles: `${media}.srt` } : {}),
      };
    });
  });
}

const EXPECTS = 'video-mme.jsonl (or .json)';

function suite(name: string, title: string, subtitles: boolean, published: readonly PublishedFigure[]): Suite {
  return {
    name,
    title,
    expects: EXPECTS,
    kind: 'choice',
    ways: ['model'],
    groupedBy: ['duration', 'task'],
    published,
    read: (folder) => readItems(folder, subtitles),
    score: scoreChoices,
  };
}

const published = (value: number, figure: string) => [
  { model: 'Qwen2.5-VL-3B', figure, value, source: 'Qwen2.5-VL README' },
];

export const videoMme = suite(
  'video-mme',
  'Video-MME: questions with four options about videos of up to an hour',
  false,
  published(0.615, 'accuracy'),
);
export const videoMmeSubtitles = suite(
  'video-mme-subtitles',
  'Video-MME with the subtitles of the shown frames',
  true,
  published(0.676, 'accuracy'),
);
