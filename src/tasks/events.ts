/** Activities in a window, each with its start and end. */

import { isRecord } from '../json-value.js';
import type { ModelInput } from '../model.js';
import { durationOf } from '../time.js';
import { fieldOf } from './json-text.js';
import { listOf, objectOf, textOf, timesWithin } from './schema.js';
import { aboutWindow, lengthWords, readJson, type Task } from './task.js';
import { checkWindow, shownRange, type TimedText, timedTextsOf } from './window-time.js';

const MAX_TEXT = 300;
const MAX_EVENTS = 30;

export const eventsTask: Task<ModelInput, readonly TimedText[]> = {
  name: 'events',

  request(input) {
    checkWindow(input);
    return {
      parts: aboutWindow(input, [
        lengthWords(input),
        'Find the activities and events in this video, each with the time at which it begins and ends.',
        'For each one:',
        '- "start" and "end": when it begins and ends;',
        '- "text": one sentence about who or what does what.',
        'List them by their start. Leave out what does not happen; when nothing happens, the list is empty.',
        'Answer with JSON only: {"events": [{"start": seconds, "end": seconds, "text": "..."}]}',
      ]),
      schema: objectOf({
        events: listOf(objectOf({ ...timesWithin(durationOf(shownRange(input))), text: textOf(MAX_TEXT) }), MAX_EVENTS),
      }),
      maxTokens: 1024,
    };
  },

  read(answer, input, positionStep) {
    return readJson(answer, (value) =>
      timedTextsOf(
        isRecord(value) ? fieldOf(value, ['events', 'activities']) : value,
        input,
        MAX_EVENTS,
        MAX_TEXT,
        positionStep,
      ),
    );
  },
};
