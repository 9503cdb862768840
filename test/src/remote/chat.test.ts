import { describe, expect, it } from 'vitest';
import { chatRequest, choiceProbabilities } from '../../../src/remote/chat.js';
import { FIRST_DIALECT, nextDialect } from '../../../src/remote/dialect.js';

const listed = (...entries: [string, number][]) => entries.map(([token, p]) => ({ token, logprob: Math.log(p) }));

describe('probabilities of choices', () => {
  it.each([
    [
      'add up over the tokens that stand for one',
      [
        ['yes', 0.3],
        [' yes', 0.3],
        ['no', 0.4],
      ],
      [0.6, 0.4],
    ],
    [
      'count a token that begins a choice',
      [
        ['ye', 0.3],
        ['n', 0.1],
      ],
      [0.75, 0.25],
    ],
    [
      'leave out other words, also those of another case',
      [
        ['Yes', 0.5],
        ['yes', 0.3],
        ['no', 0.1],
      ],
      [0.75, 0.25],
    ],
    [
      'give one that is not listed no more than the rarest listed',
      [
        ['yes', 0.8],
        ['x', 0.1],
      ],
      [8 / 9, 1 / 9],
    ],
    [
      'give one that is not listed no more than what is left',
      [
        ['yes', 0.5],
        ['x', 0.4],
      ],
      [5 / 6, 1 / 6],
    ],
    ['are certain when nothing is left', [['yes', 1]], [1, 0]],
  ] as [string, [string, number][], [number, number]][])('%s', (_, entries, [yes, no]) => {
    const probabilities = choiceProbabilities(listed(...entries), ['yes', 'no']);
    expect(probabilities?.[0]).toBeCloseTo(yes, 9);
    expect(probabilities?.[1]).toBeCloseTo(no, 9);
  });

  it('are unknown when the tokens do not tell the choices apart', () => {
    expect(choiceProbabilities(listed(['in', 0.9]), ['inside', 'into'])).toBeUndefined();
    expect(choiceProbabilities([], ['yes', 'no'])).toBeUndefined();
    expect(choiceProbabilities(listed([' ', 0.9]), ['yes', 'no'])).toBeUndefined();
  });

  it('belong to the choice itself where another begins with it', () => {
    expect(choiceProbabilities(listed(['in', 0.9], ['inside', 0.1]), ['in', 'inside'])?.[0]).toBeCloseTo(0.9, 9);
  });
});

describe('the next dialect', () => {
  it('comes to an end whatever a server refuses', () => {
    const refusal = 'logprobs, max_completion_tokens, temperature and response_format are unknown';
    const use = { schema: true, logprobs: true };
    let steps = 0;
    for (let dialect = nextDialect(FIRST_DIALECT, use, refusal); dialect; dialect = nextDialect(dialect, use, refusal))
      steps++;
    expect(steps).toBe(7);
  });

  it('is none for a question that uses nothing optional', () => {
    expect(nextDialect(FIRST_DIALECT, { schema: false, logprobs: false }, 'no such model')).toBeUndefined();
  });

  it('leaves out what the refusal names before it changes the schema', () => {
    expect(nextDialect(FIRST_DIALECT, { schema: true, logprobs: true }, 'unknown field logprobs')).toEqual({
      ...FIRST_DIALECT,
      logprobs: false,
    });
  });
});

it('neighbouring texts are one part, since servers put different things between two', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,' } } as const;
  const text = (words: string) => ({ type: 'text', text: words }) as const;
  const content = { parts: [text('Watch this. '), text('<0.0 s>'), image, text('What '), text('is it?')], fields: {} };
  const question = { model: 'm', system: undefined, maxTokens: 1, temperature: 0, logprobs: false, extra: {} };
  const asked = (schema: { type: string } | undefined) =>
    chatRequest({ ...question, content, schema }, { ...FIRST_DIALECT, schemaForm: 'words' })['messages'];
  expect(asked(undefined)).toEqual([
    { role: 'user', content: [text('Watch this. <0.0 s>'), image, text('What is it?')] },
  ]);
  expect(asked({ type: 'string' })).toEqual([
    {
      role: 'user',
      content: [
        text('Watch this. <0.0 s>'),
        image,
        text('What is it?\n\nAnswer with JSON and nothing else. It must match this JSON Schema:\n{"type":"string"}'),
      ],
    },
  ]);
});
