import { describe, expect, it } from 'vitest';
import type { MediaEvent } from '../../../src/event.js';
import { passages } from '../../../src/meaning/passages.js';

const line = (start: number, end: number, text: string, more: Partial<MediaEvent> = {}): MediaEvent => ({
  kind: 'speech',
  source: 'speech',
  start,
  end,
  precision: 0.2,
  text,
  attributes: {},
  ...more,
});

describe('the passage of a line', () => {
  it('is the sentence that it is a part of', () => {
    const said = [
      line(0, 2, 'We have to leave now.'),
      line(2, 4, 'Before the dam breaks and'),
      line(4, 6, 'the water reaches'),
      line(6, 8, 'the village.'),
      line(8, 9, 'Come!'),
    ];
    const sentence = 'Before the dam breaks and the water reaches the village.';
    expect(passages(said)).toEqual(['We have to leave now.', sentence, sentence, sentence, 'Come!']);
  });

  it('reaches two lines to each side, however long the sentence is', () => {
    const said = Array.from({ length: 7 }, (_, i) => line(i, i + 1, `w${i}`));
    expect(passages(said)[3]).toBe('w1 w2 w3 w4 w5');
    expect(passages(said)[0]).toBe('w0 w1 w2');
  });

  it('ends at a pause, at another language, and does not run through lines that lie on top of each other', () => {
    expect(passages([line(0, 1, 'we wait'), line(3, 4, 'for you')])).toEqual(['we wait', 'for you']);
    const french = { attributes: { language: 'fr' } };
    expect(passages([line(0, 1, 'we wait'), line(1, 2, 'for you', french)])).toEqual(['we wait', 'for you']);
    expect(passages([line(0, 1, 'left'), line(0, 1, 'right')])).toEqual(['left', 'right']);
  });

  it('of other kinds is the text itself, and they do not break a sentence', () => {
    const sign = line(0.5, 1, 'EXIT', { kind: 'text', source: 'text' });
    expect(passages([line(0, 1, 'this way'), sign, line(1, 2, 'to the door')])).toEqual([
      'this way to the door',
      'EXIT',
      'this way to the door',
    ]);
  });

  it.each(['"Stop!"', 'Really?', '止まれ。', 'And then…', '(He left.)'])('%s is a whole sentence', (text) => {
    expect(passages([line(0, 1, text), line(1, 2, 'more')])).toEqual([text, 'more']);
  });
});
