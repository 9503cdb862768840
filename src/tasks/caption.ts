/** Dense captions: what a window shows as a whole, and scene by scene. */

import { isRecord } from '../json-value.js';
import type { ModelInput } from '../model.js';
import { durationOf } from '../time.js';
import { fieldOf } from './json-text.js';
import { listOf, objectOf, textOf, timesWithin } from './schema.js';
import { aboutWindow, lengthWords, readJson, type Task } from './task.js';
import { checkWindow, shownRange, type TimedText, timedTextsOf } from './window-time.js';
import { cleanValue } from './words.js';

export interface DenseCaption {
  /** One or two sentences about the whole window; empty when the model had no words. */
  readonly caption: string;
  /** In order, inside the window. */
  readonly scenes: readonly TimedText[];
}

const MAX_CAPTION = 600;
const MAX_SCENE = 400;
const MAX_SCENES = 16;

export const captionTask: Task<ModelInput, DenseCaption> = {
  name: 'caption',

  request(input) {
    checkWindow(input);
    return {
      parts: aboutWindow(input, [
        lengthWords(input),
        'Describe this video in detail.',
        '"caption": one or two sentences about the whole video.',
        '"scenes": what is seen, one part after the other, from the first second to the last. For each part:',
        '- "start" and "end": when it begins and ends;',
        '- "text": one or two sentences about the people, things, places and actions that are visible. Do not guess what is not.',
        'Answer with JSON only: {"caption": "...", "scenes": [{"start": seconds, "end": seconds, "text": "..."}]}',
      ]),
      schema: objectOf({
        caption: textOf(MAX_CAPTION),
        scenes: listOf(
          objectOf({ ...timesWithin(durationOf(shownRange(input))), text: textOf(MAX_SCENE) }),
          MAX_SCENES,
        ),
      }),
      maxTokens: 1024,
    };
  },

  read(answer, input, positionStep) {
    return readJson(answer, (value) => {
      const caption = isRecord(value) ? fieldOf(value, ['caption', 'summary']) : undefined;
      if (!isRecord(value) || typeof caption !== 'string') return undefined;
      const scenes = timedTextsOf(fieldOf(value, ['scenes', 'parts']), input, MAX_SCENES, MAX_SCENE, positionStep);
      return scenes && { caption: cleanValue(caption, MAX_CAPTION), scenes };
    });
  },
};
