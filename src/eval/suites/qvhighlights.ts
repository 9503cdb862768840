/**
 * QVHighlights (Lei, Berg and Bansal, NeurIPS 2021): all moments of a query in videos of 150 s, and how salient each clip of 2 s is. JSON
 * lines with `qid`, `query`, `vid`, `duration`, `relevant_windows`, and for highlights `relevant_clip_ids` with `saliency_scores` (three
 * annotators each). The test split has no truth; the validation split is scored. Longwatch finds moments and rates no clips: HIT@1
 * and highlight mAP are reported for predictions that carry `pred_saliency_scores`.
 */

import { idSchema, invalid, readList, spanSchema, z } from '../annotations.js';
import type { GroundingItem } from '../item.js';
import { scoreMoments } from '../scores.js';
import type { Suite } from '../suite.js';

const CLIP_SECONDS = 2;
const MOST_CLIPS = 10_000;

const schema = z.object({
  qid: idSchema,
  query: z.string().min(1),
  vid: z.string().min(1),
  duration: z
    .number()
    .positive()
    .max(MOST_CLIPS * CLIP_SECONDS),
  relevant_windows: z.array(spanSchema).optional(),
  relevant_clip_ids: z.array(z.number().int().min(0)).optional(),
  saliency_scores: z.array(z.array(z.number())).optional(),
});

export const qvHighlights: Suite = {
  name: 'qvhighlights',
  title: 'QVHighlights: all moments of a query, in videos of 150 s',
  expects: 'highlight_val_release.jsonl',
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  async read(folder) {
    const [file] = folder.annotations(
      [/^highlight_val_release\.jsonl$/i, /^(highlight|qvh).*val.*\.jsonl$/i],
      this.expects,
    );
    return (await readList(file, schema)).map(({ value, where }): GroundingItem => {
      if (!value.relevant_windows)
        throw invalid(where, 'it has no "relevant_windows"; the test split cannot be scored here');
      const saliency = saliencyOf(value, where);
      return {
        kind: 'grounding',
        id: value.qid,
        media: value.vid,
        query: value.query,
        spans: value.relevant_windows,
        ...(saliency === undefined ? {} : { saliency }),
      };
    });
  },
  score: scoreMoments,
};

/** One list per annotator over all clips of the video; clips that nobody rated have 0. */
function saliencyOf(row: z.infer<typeof schema>, where: string): number[][] | undefined {
  const { relevant_clip_ids: clips, saliency_scores: scores, duration } = row;
  if (!clips || !scores) return undefined;
  if (clips.length !== scores.length)
    throw invalid(where, `${clips.length} "relevant_clip_ids" have ${scores.length} "saliency_scores"`);
  const annotators = Math.max(0, ...scores.map((each) => each.length));
  return Array.from({ length: annotators }, (_, annotator) => {
    const rated = new Array<number>(Math.floor(duration / CLIP_SECONDS)).fill(0);
    for (const [at, clip] of clips.entries()) if (clip < rated.length) rated[clip] = scores[at]?.[annotator] ?? 0;
    return rated;
  });
}
