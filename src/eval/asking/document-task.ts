/** A question about a picture of a document, answered in the document's own words: what ANLS compares. */

import { isRecord } from '../../json-value.js';
import { fieldOf } from '../../tasks/json-text.js';
import { aboutPicture, checkPicture, type PictureInput } from '../../tasks/picture-place.js';
import { objectOf, textOf } from '../../tasks/schema.js';
import { readJson, type Task } from '../../tasks/task.js';
import { checkedQuestion, cleanValue, quoted } from '../../tasks/words.js';

export interface DocumentInput extends PictureInput {
  readonly question: string;
}

const MAX_ANSWER = 300;

export const documentTask: Task<DocumentInput, string> = {
  name: 'document',

  request(input) {
    checkPicture(input);
    const question = checkedQuestion(input.question, 'question');
    return {
      parts: aboutPicture(input, [
        `Question: ${quoted(question, question.length)}`,
        'Answer with the words or the number that stand in the picture, as they are written there and no more.',
        'Answer with JSON only: {"answer": "..."}',
      ]),
      schema: objectOf({ answer: textOf(MAX_ANSWER) }),
      maxTokens: 128,
    };
  },

  read(answer) {
    return readJson(answer, (value) => {
      const said = isRecord(value) ? fieldOf(value, ['answer', 'text', 'value']) : undefined;
      const text = typeof said === 'number' ? String(said) : cleanValue(said, MAX_ANSWER);
      return text === '' ? undefined : text;
    });
  },
};
