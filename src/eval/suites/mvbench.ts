/**
 * MVBench (Li et al., CVPR 2024): twenty tasks on short videos, 200 questions each. One JSON file per task, named after it, with a list of
 * `video`, `question`, `candidates`, `answer` (the text of a candidate), and in some tasks `start` and `end` of the stretch that is
 * shown. The published figure is the mean of the tasks. Videos are named alike in several tasks; the folder that lies deeper in the
 * task's own data set is preferred. One task (`episodic_reasoning`) comes as folders of pictures, which are no videos: counted as missing.
 */

import path from 'node:path';
import { invalid, readList, z } from '../annotations.js';
import type { ChoiceItem } from '../item.js';
import { mean } from '../metrics/grounding.js';
import { scoreChoices } from '../scores.js';
import type { Suite } from '../suite.js';

const schema = z.object({
  video: z.string().min(1),
  question: z.string().min(1),
  candidates: z.array(z.string()).min(2).max(26),
  answer: z.string(),
  start: z.number().min(0).optional(),
  end: z.number().positive().optional(),
});

const TASKS =
  `action_antonym action_count action_localization action_prediction action_sequence character_order counterfactual_inference
  egocentric_navigation episodic_reasoning fine_grained_action fine_grained_pose moving_attribute moving_count moving_direction
  object_existence object_interaction object_shuffle scene_transition state_change unexpected_action`.split(/\s+/);

/** Where the published archive keeps the videos of a task. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  action_antonym: ['ssv2_video'],
  action_count: ['perception'],
  action_localization: ['sta'],
  action_prediction: ['star'],
  action_sequence: ['star'],
  character_order: ['perception'],
  counterfactual_inference: ['clevrer', 'video_validation'],
  egocentric_navigation: ['vlnqa'],
  episodic_reasoning: ['tvqa'],
  fine_grained_action: ['Moments_in_Time_Raw'],
  fine_grained_pose: ['nturgbd'],
  moving_attribute: ['clevrer', 'video_validation'],
  moving_count: ['clevrer', 'video_validation'],
  moving_direction: ['clevrer', 'video_validation'],
  object_existence: ['clevrer', 'video_validation'],
  object_interaction: ['star'],
  object_shuffle: ['perception'],
  scene_transition: ['scene_qa'],
  state_change: ['perception'],
  unexpected_action: ['FunQA_test'],
};

export const mvBench: Suite = {
  name: 'mvbench',
  title: 'MVBench: twenty tasks of multiple choice on short videos',
  expects: 'one JSON file per task, e.g. action_sequence.json',
  kind: 'choice',
  ways: ['model'],
  groupedBy: ['task'],
  published: [{ model: 'Qwen2.5-VL-3B', figure: 'mean of tasks', value: 0.67, source: 'Qwen2.5-VL model card' }],
  async read(folder) {
    const files = folder.annotations([new RegExp(`^(${TASKS.join('|')})\\.json$`)], this.expects);
    const items = await Promise.all(files.map(readTask));
    return items.flat();
  },
  score(pairs) {
    const tasks = new Map<string, typeof pairs>();
    for (const pair of pairs) {
      const task = pair.item.groups?.['task'] ?? '';
      tasks.set(task, [...(tasks.get(task) ?? []), pair]);
    }
    const each = [...tasks.values()].map((task) => scoreChoices(task)[0]?.value ?? 0);
    return [{ name: 'mean of tasks', value: mean(each), count: pairs.length }, ...scoreChoices(pairs)];
  },
};

async function readTask(file: string): Promise<ChoiceItem[]> {
  const task = path.basename(file, '.json');
  return (await readList(file, schema)).map(({ value, where }, at): ChoiceItem => {
    const correct = value.candidates.indexOf(value.answer);
    if (correct < 0) throw invalid(where, `the answer "${value.answer}" is none of the candidates`);
    return {
      kind: 'choice',
      id: `${task}#${at + 1}`,
      media: value.video,
      folders: FOLDERS[task] ?? [],
      question: value.question,
      options: value.candidates,
      correct,
      groups: { task },
      ...(value.start !== undefined && value.end !== undefined && value.end > value.start
        ? { range: { start: value.start, end: value.end } }
        : {}),
    };
  });
}
