import { describe, expect, it } from 'vitest';
import { joinWords, splitSentences, type TimedToken } from '../../../../src/layers/speech/words.js';

function tokens(...parts: readonly [text: string | Uint8Array, start: number][]): TimedToken[] {
  return parts.map(([text, start]) => ({
    bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text,
    start,
    limit: 1.5,
  }));
}

describe('words', () => {
  it('are tokens up to the next space, with the marks behind them', () => {
    expect(
      joinWords(tokens([' Un', 0], ['seen', 0.2], [',', 0.5], [' but', 0.6], [' there', 1], ['.', 1.4]), 'en'),
    ).toEqual([
      { text: ' Unseen,', start: 0, end: 0.5 },
      { text: ' but', start: 0.6, end: 1 },
      { text: ' there.', start: 1, end: 1.4 },
    ]);
  });

  it('may have characters that are spread over tokens', () => {
    const [first, second] = [Uint8Array.of(0x20, 0xc3), Uint8Array.of(0xa9, 0x74)];
    expect(joinWords(tokens([first, 0.1], [second, 0.3], [' a', 0.5]), 'fr')).toEqual([
      { text: ' ét', start: 0.1, end: 0.5 },
      { text: ' a', start: 0.5, end: 1.5 },
    ]);
  });

  it('are single characters where no spaces are written', () => {
    expect(joinWords(tokens(['你', 0], ['好', 0.5], ['。', 0.9]), 'zh').map(({ text }) => text)).toEqual([
      '你',
      '好。',
    ]);
  });
});

describe('sentences', () => {
  const words = (...texts: readonly string[]) =>
    texts.map((text, index) => ({ text: ` ${text}`, start: index, end: index + 0.9 }));
  const texts = (...parts: readonly string[]) =>
    splitSentences(words(...parts)).map((part) => part.map(({ text }) => text.trim()).join(' '));

  it('end behind their mark, and not behind a title or an initial', () => {
    expect(texts('Here', 'is', 'Mr.', 'J.', 'Dashwood.', 'Who?')).toEqual(['Here is Mr. J. Dashwood.', 'Who?']);
    expect(texts('“No!”', 'he', 'said…', 'then')).toEqual(['“No!”', 'he said…', 'then']);
  });

  it('end at a pause', () => {
    const [first, second] = [
      { text: ' one', start: 0, end: 1 },
      { text: ' two', start: 1.9, end: 2 },
    ];
    expect(splitSentences([first, second])).toEqual([[first], [second]]);
  });

  it('that never end are parted at a comma, at last at a word', () => {
    const long = Array.from({ length: 45 }, (_, index) => (index === 13 ? 'w,' : 'w'));
    expect(splitSentences(words(...long)).map(({ length }) => length)).toEqual([14, 21, 10]);
  });
});
