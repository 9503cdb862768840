/** Caption and activities of a window in one ask: what an ingest needs, with the frames read once. */

import { isRecord } from '../json-value.js';
import type { ModelInput, WindowDescription } from '../model.js';
import { durationOf } from '../time.js';
import { fieldOf } from './json-text.js';
import { listOf, objectOf, textOf, timesWithin } from './schema.js';
import { aboutWindow, lengthWords, readJson, type Task } from './task.js';
import { checkWindow, shownRange, spanOf, timedTextsOf } from './window-time.js';
import { cleanValue } from './words.js';

const MAX_CAPTION = 600;
const MAX_TEXT = 300;
const MAX_EVENTS = 24;

export const describeTask: Task<ModelInput, WindowDescription> = {
  name: 'describe',

  request(input) {
    checkWindow(input);
    return {
      parts: aboutWindow(input, [
        lengthWords(input),
        'Describe what is visible in this video. Do not guess what is not.',
        '"caption": one to three sentences about the whole video: place, people, things, what happens.',
        '"events": the activities in it, by their start. For each one:',
        '- "start" and "end": when it begins and ends;',
        '- "text": one sentence about who or what does what.',
        'When nothing happens, "events" is empty.',
        'Answer with JSON only: {"caption": "...", "events": [{"start": seconds, "end": seconds, "text": "..."}]}',
      ]),
      schema: objectOf({
        caption: textOf(MAX_CAPTION),
        events: listOf(objectOf({ ...timesWithin(durationOf(shownRange(input))), text: textOf(MAX_TEXT) }), MAX_EVENTS),
      }),
      maxTokens: 1024,
    };
  },

  read(answer, input, positionStep) {
    return readJson(answer, (value) => {
      const caption = isRecord(value) ? fieldOf(value, ['caption', 'description']) : undefined;
      if (!isRecord(value) || typeof caption !== 'string') return undefined;
      const events = timedTextsOf(fieldOf(value, ['events', 'activities']), input, MAX_EVENTS, MAX_TEXT, positionStep);
      if (!events) return undefined;
      return {
        caption: cleanValue(caption, MAX_CAPTION),
        events,
        precision: spanOf(input, input.range, positionStep).precision,
        frames: input.pictures.map(({ pts, time }) => ({ pts, time })),
      };
    });
  },
};
