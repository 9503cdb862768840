import { describe, expect, it } from 'vitest';
import { inContext } from '../../src/follow-up.js';

const asked = (...questions: readonly string[]) =>
  questions.map((question) => ({ question, answer: 'No words of this.' }));
const RABBIT = asked('When does the rabbit wake up?');

describe('a follow-up without a model', () => {
  it.each([
    ['and after that?', 'rabbit wake'],
    ['What does he do then?', 'rabbit wake'],
    ['what happens next?', 'rabbit wake'],
    ['why?', 'rabbit wake'],
    ['And what does it eat?', 'And what does it eat rabbit wake'],
    ['When does it jump over the fence', 'When does it jump over the fence rabbit wake'],
    ['its eyes', 'its eyes rabbit wake'],
    ['who comes in after that?', 'who comes in after that rabbit wake'],
    ['but the rabbit?', 'but the rabbit wake'],
  ])('%s searches for %s', (question, searched) => {
    expect(inContext(question, RABBIT)).toBe(searched);
  });

  it.each(['when does the apple fall?', 'a butterfly', 'Italian opera', 'show me the andes', 'wann schläft der Hase?'])(
    '%s stands by itself',
    (question) => {
      expect(inContext(question, RABBIT)).toBeUndefined();
    },
  );

  it('leans on the last question, and through it on those that it leaned on', () => {
    expect(inContext('and then?', asked('an owl', 'a rabbit', 'and its eyes?'))).toBe('eyes rabbit');
    expect(inContext('and then?', asked('a rabbit', 'an owl'))).toBe('owl');
  });

  it('keeps quotations whole', () => {
    expect(inContext('and then?', asked('who says "the white rabbit" twice'))).toBe('"the white rabbit" says twice');
  });

  it('stands by itself where nothing was said before', () => {
    expect(inContext('and then?', [])).toBeUndefined();
    expect(inContext('and then?', asked('what?'))).toBeUndefined();
  });

  it('takes along twelve words at most', () => {
    const words = Array.from({ length: 30 }, (_, i) => `word${i}`);
    expect(inContext('and then?', asked(words.join(' ')))?.split(' ')).toHaveLength(12);
  });
});
