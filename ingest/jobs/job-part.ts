/** The parts that an ingest falls into. A worker may do some of them and leave the others to others. */

import { LongwatchError } from '../../src/errors.js';
import { LAYER_NAMES } from '../../src/layer-name.js';

/**
 * `decode` is what every video begins with: signals, plan and windows. `model` are the windows' captions: whoever does both asks the model while the
 * frames are at hand; otherwise workers with `model` share the windows. Then each layer.
 */
export const JOB_PARTS = ['decode', 'model', ...LAYER_NAMES] as const;
export type JobPart = (typeof JOB_PARTS)[number];

/**
 * Parts as a person lists them, with commas between. In the order of `JOB_PARTS`, each once.
 * @throws {LongwatchError} `invalid_input`
 */
export function parseJobParts(text: string): readonly JobPart[] {
  const named = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = named.find((name) => !JOB_PARTS.some((part) => part === name));
  if (unknown !== undefined || named.length === 0)
    throw new LongwatchError('invalid_input', `There is no part "${(unknown ?? text).slice(0, 100)}" of an ingest.`, {
      hint: `Give one or several of ${JOB_PARTS.join(', ')}, with commas between.`,
    });
  return JOB_PARTS.filter((part) => named.includes(part));
}
