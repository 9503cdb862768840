/** A model that knows nothing, held to the schema: every answer is understood, however early its room runs out. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrammarCompiler } from '../../../src/qwen/grammar/grammar.js';
import { seededRandom } from '../../../src/qwen/sampling.js';
import { fitValue } from '../../../src/tasks/schema.js';
import { anySchema } from '../qwen/schemas.js';
import { smallVocabulary, textOf } from '../qwen/vocabularies.js';
import { CASES } from './cases.js';

const compiler = new GrammarCompiler(smallVocabulary());

/** Any allowed token, one after the other; after `room` tokens the shortest end. */
function babble(schema: unknown, seed: number, room: number): string {
  const matcher = compiler.compile(schema as Parameters<GrammarCompiler['compile']>[0]).matcher();
  const random = seededRandom(seed);
  const ids: number[] = [];
  while (!matcher.ended && ids.length < room) {
    const mask = matcher.mask();
    const allowed = Array.from({ length: compiler.vocabulary.size }, (_, id) => id).filter(
      (id) => ((mask[id >>> 5] as number) >>> (id & 31)) & 1,
    );
    const id = allowed[Math.floor(random() * allowed.length)];
    // A number at its bound: nothing can be added, and nothing is missing.
    if (id === undefined) break;
    matcher.accept(id);
    ids.push(id);
  }
  return textOf(compiler.vocabulary, [...ids, ...matcher.finish()]);
}

describe.each(CASES.filter(({ name }) => name !== 'verify'))('$name', ({ task, input, problems, request }) => {
  it('understands every answer of a random model', () => {
    const { schema } = request();
    for (let seed = 0; seed < 40; seed++) {
      const text = babble(schema, seed, 12 * seed);
      const result = task.read({ text, finish: 'stop', promptTokens: 1, answerTokens: 1 }, input);
      expect(result, text).toBeDefined();
      expect(problems(result), text).toEqual([]);
    }
  });
});

it('whatever constrained decoding writes for a schema is a value of it', () => {
  fc.assert(
    fc.property(anySchema(), fc.nat(), fc.integer({ min: 0, max: 200 }), (schema, seed, room) => {
      const value: unknown = JSON.parse(babble(schema, seed, room));
      expect(fitValue(schema, value)).toBeDefined();
    }),
    { numRuns: 200 },
  );
});
