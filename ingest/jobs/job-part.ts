/** The parts that an ingest falls into. A worker may do some of them and leave the others to others. */

import { LongwatchError } from '../../src/errors.js';
import { LAYER_NAMES } from '../../src/layer-name.js';

/** `decode` is what every video begins with: signals, plan and windows, with the model's captions where there is a model. Then each layer. */
export const JOB_PARTS = ['decode', ...LAYER_NAMES] as const;
export type JobPart = (typeof JOB_PARTS)[number];

/** The model is asked while the frames are at hand, so its captions are no part of their own. */
const ALSO: Readonly<Record<string, JobPart>> = { model: 'decode' };

/**
 * Parts as a person lists them, with commas between; `model` means `decode`. In the order of `JOB_PARTS`, each once.
 * @throws {LongwatchError} `invalid_input`
 */
export function parseJobParts(text: string): readonly JobPart[] {
  const named = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const meant = named.map((name) => ALSO[name] ?? name);
  const unknown = meant.find((name) => !JOB_PARTS.some((part) => part === name));
  if (unknown !== undefined || named.length === 0)
    throw new LongwatchError('invalid_input', `There is no part "${(unknown ?? text).slice(0, 100)}" of an ingest.`, {
      hint: `Give one or several of ${JOB_PARTS.join(', ')}, with commas between.`,
    });
  return JOB_PARTS.filter((part) => meant.includes(part));
}
