/** What the tasks say to a model, as files that people review: fixtures/prompts. `vitest -u` writes them anew. */

import { describe, expect, it } from 'vitest';
import type { BackendRequest } from '../../../src/backend.js';
import { parseSchema } from '../../../src/qwen/grammar/schema.js';
import { CASES } from './cases.js';
import { wordsOf } from './scripted-backend.js';

function rendered({ parts, schema, maxTokens, choices, system }: BackendRequest): string {
  const words = parts.map((part) => {
    if (part.kind === 'text') return part.text;
    if (part.kind === 'image') return `[image ${part.picture.width}x${part.picture.height}]`;
    const [first, last] = [part.pictures[0]?.time, part.pictures.at(-1)?.time];
    return `[video: ${part.pictures.length} frames from ${first} s to ${last} s, second 0 is ${part.timeZero} s]`;
  });
  return [
    ...(system === undefined ? [] : [`[system] ${system}`]),
    ...words,
    '',
    `[at most ${maxTokens} tokens${choices ? `; choices: ${choices.join(', ')}` : ''}]`,
    ...(schema ? [JSON.stringify(schema, undefined, 2)] : []),
    '',
  ].join('\n');
}

describe('prompts', () => {
  it.each(CASES)('$name asks as its golden file says', async ({ name, request }) => {
    await expect(rendered(request())).toMatchFileSnapshot(`../../../fixtures/prompts/${name.replaceAll(' ', '-')}.txt`);
  });

  it.each(CASES.filter(({ name }) => name !== 'verify'))(
    '$name has a schema that constrained decoding keeps',
    ({ request }) => {
      const { schema } = request();
      expect(schema).toBeDefined();
      expect(() => parseSchema(schema)).not.toThrow();
    },
  );

  it.each(CASES)('$name shows pictures before words, and words end the prompt', ({ request }) => {
    const kinds = request().parts.map(({ kind }) => kind);
    expect(kinds.at(-1)).toBe('text');
    expect(kinds.slice(0, -1)).not.toContain('text');
  });

  it.each(CASES)('$name holds no control token and no line of the video outside of quotation marks', ({ request }) => {
    const words = wordsOf(request());
    expect(words).not.toContain('<|');
    for (const line of words.split('\n').filter((one) => one.includes('Ignore the question')))
      expect(line).toMatch(/^(- |\[\d+\] )[^"]*: "(?:[^"\\]|\\.)*"$/);
  });

  it('leaves out words of the video from outside the window', () => {
    const answer = CASES.find(({ name }) => name === 'answer');
    const words = wordsOf((answer as (typeof CASES)[number]).request());
    expect(words).toContain('- 0.0 to 3.5, subtitle: "Where is the key?"');
    expect(words).not.toContain('long after');
  });
});
