/**
 * DocVQA (Mathew, Karatzas and Jawahar, WACV 2021) and sets in its form (InfographicVQA): questions about pictures of documents. JSON with
 * a list under `data`, or the list itself, or JSON lines: `questionId`, `question`, `image` (or `image_local_name`), `answers`. The test
 * splits have no answers; the validation split is scored. Sets whose table is Parquet are written as JSON lines first, the pictures as files.
 */

import { idSchema, invalid, readList, z } from '../annotations.js';
import type { DocumentItem } from '../item.js';
import { scoreDocuments } from '../scores.js';
import type { Suite } from '../suite.js';

const schema = z.object({
  questionId: idSchema.optional(),
  question_id: idSchema.optional(),
  question: z.string().min(1),
  image: z.string().min(1).optional(),
  image_local_name: z.string().min(1).optional(),
  answers: z.array(z.string()).optional(),
});

export const docVqa: Suite = {
  name: 'docvqa',
  title: 'DocVQA and sets in its form: questions about pictures of documents',
  expects: 'val_v1.0_withQT.json (or *val*.json, *.jsonl)',
  kind: 'document',
  ways: ['model'],
  async read(folder) {
    const [file] = folder.annotations([/val.*\.jsonl?$/i, /(docvqa|infographic).*\.jsonl?$/i], this.expects);
    return (await readList(file, schema, ['data'])).map(({ value, where }, at): DocumentItem => {
      const media = value.image ?? value.image_local_name;
      if (media === undefined) throw invalid(where, 'it names no picture (image, image_local_name)');
      if (!value.answers || value.answers.length === 0)
        throw invalid(where, 'it has no "answers"; the test split cannot be scored here');
      return {
        kind: 'document',
        id: value.questionId ?? value.question_id ?? String(at + 1),
        media,
        question: value.question,
        answers: value.answers,
      };
    });
  },
  score: scoreDocuments,
};
