/** The suites, in the order in which they are listed. */

import { LongwatchError } from '../../errors.js';
import type { Suite } from '../suite.js';
import { activityNetCaptions, activityNetGrounding } from './activitynet-captions.js';
import { charadesSta } from './charades-sta.js';
import { docVqa } from './docvqa.js';
import { drawnWorld, drawnWorldEvents } from './drawn-world.js';
import { extremeWhenBench, timeLensBench } from './grounding-rows.js';
import { mvBench } from './mvbench.js';
import { qvHighlights } from './qvhighlights.js';
import { videoMme, videoMmeSubtitles } from './video-mme.js';

export const SUITES: readonly Suite[] = [
  drawnWorld,
  drawnWorldEvents,
  charadesSta,
  qvHighlights,
  activityNetCaptions,
  activityNetGrounding,
  timeLensBench,
  extremeWhenBench,
  videoMme,
  videoMmeSubtitles,
  mvBench,
  docVqa,
];

/** @throws {LongwatchError} `invalid_input` for a name that is none */
export function findSuite(name: string): Suite {
  const suite = SUITES.find((candidate) => candidate.name === name);
  if (suite) return suite;
  throw new LongwatchError('invalid_input', `There is no suite "${name}".`, {
    hint: `There are: ${SUITES.map((candidate) => candidate.name).join(', ')}.`,
  });
}
