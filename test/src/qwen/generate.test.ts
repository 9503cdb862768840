import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decoder, type GenerateOptions, generateFrom } from '../../../src/qwen/generate.js';
import { GrammarCompiler } from '../../../src/qwen/grammar/grammar.js';
import { logProbability } from '../../../src/qwen/sampling.js';
import { SMALL_EOS, SMALL_SIZE, smallVocabulary, streamOf, textOf, tokensOf } from './vocabularies.js';

const vocabulary = smallVocabulary();
const tokenizer = streamOf(vocabulary);

/** A model that says these tokens, whatever it reads, and then ends; it writes down what it reads, step by step. */
function scripted(script: readonly number[], promptIds: readonly number[] = []) {
  const read: number[][] = [];
  let at = 0;
  const next = () => {
    const logits = new Float32Array(SMALL_SIZE);
    logits[script[at++] ?? SMALL_EOS] = 10;
    return logits;
  };
  const decoder: Decoder = {
    promptIds,
    logits: next(),
    append: async (ids) => {
      read.push([...ids]);
      at += ids.length - 1;
      return next();
    },
  };
  return { decoder, read };
}

const say = (text: string, options: Partial<GenerateOptions> = {}) =>
  generateFrom(scripted(tokensOf(vocabulary, text)).decoder, tokenizer, {
    maxNewTokens: 200,
    eos: [SMALL_EOS],
    ...options,
  });

describe('an answer', () => {
  it('ends with an end token, which counts as a token and not as text', async () => {
    const answer = await say('a cat');
    expect(answer).toEqual({ ids: [...tokensOf(vocabulary, 'a cat'), SMALL_EOS], text: 'a cat', finish: 'eos' });
  });

  it('ends with any of the end tokens', async () => {
    expect((await say('x!y', { eos: [SMALL_EOS, 0x21] })).text).toBe('x');
  });

  it('ends at its length, whatever is incomplete', async () => {
    const answer = await say('ab😀', { maxNewTokens: 1 });
    expect(answer).toEqual({ ids: tokensOf(vocabulary, 'ab'), text: 'ab', finish: 'length' });
    // Two of a character's four bytes.
    const half = await generateFrom(scripted([0xf0, 0x9f]).decoder, tokenizer, { maxNewTokens: 2, eos: [] });
    expect(half).toEqual({ ids: [0xf0, 0x9f], text: '\ufffd', finish: 'length' });
  });

  it('is read by the model token by token, but for the last one', async () => {
    const { decoder, read } = scripted([1, 2, 3]);
    await generateFrom(decoder, tokenizer, { maxNewTokens: 3, eos: [] });
    expect(read).toEqual([[1], [2]]);
  });

  it('leaves the logits of the prompt as they are', async () => {
    const { decoder } = scripted([65, 66]);
    const before = decoder.logits.slice();
    await generateFrom(decoder, tokenizer, { maxNewTokens: 2, eos: [], repetitionPenalty: 2 });
    expect(decoder.logits).toEqual(before);
  });

  it('counts prompt and answer as seen', async () => {
    // 5 is a little likelier than 6, and 6 than 7; each is penalised once it was seen.
    const logits = () => Float32Array.from({ length: SMALL_SIZE }, (_, id) => ({ 5: 3.2, 6: 3.1, 7: 3 })[id] ?? 0);
    const decoder: Decoder = { promptIds: [5], logits: logits(), append: async () => logits() };
    const answer = await generateFrom(decoder, tokenizer, { maxNewTokens: 3, eos: [], repetitionPenalty: 1.2 });
    expect(answer.ids).toEqual([6, 7, 5]);
  });

  it('is the same for the same seed and differs for another', async () => {
    const logits = () => Float32Array.from({ length: SMALL_SIZE }, (_, id) => Math.sin(id));
    const draw = (seed: number) =>
      generateFrom({ promptIds: [], logits: logits(), append: async () => logits() }, tokenizer, {
        maxNewTokens: 20,
        eos: [],
        temperature: 1,
        seed,
      });
    expect(await draw(1)).toEqual(await draw(1));
    expect((await draw(1)).ids).not.toEqual((await draw(2)).ids);
  });

  it('knows how likely each of its tokens was, before penalty and temperature', async () => {
    const { decoder } = scripted([65, 66]);
    const logits = decoder.logits.slice();
    const answer = await generateFrom(decoder, tokenizer, {
      maxNewTokens: 2,
      eos: [],
      logprobs: true,
      repetitionPenalty: 1.3,
      temperature: 0.1,
    });
    expect(answer.logprobs?.[0]).toBeCloseTo(logProbability(logits, 65), 12);
    expect(answer.logprobs).toHaveLength(2);
    expect(
      (await generateFrom(scripted([65]).decoder, tokenizer, { maxNewTokens: 1, eos: [] })).logprobs,
    ).toBeUndefined();
  });

  it.each<[string, Partial<GenerateOptions>, string]>([
    ['no length', { maxNewTokens: 0 }, '"maxNewTokens" cannot be 0'],
    ['half a token', { maxNewTokens: 1.5 }, '1.5'],
    ['a negative temperature', { temperature: -1 }, '"temperature" cannot be -1'],
    [
      'a grammar and a stop string',
      { stop: ['x'], grammar: new GrammarCompiler(vocabulary).compile({ type: 'null' }) },
      'exclude',
    ],
  ])('with %s is refused', async (_title, options, evidence) => {
    await expect(say('x', options)).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(evidence),
    });
  });
});

describe('a stop string', () => {
  it('ends the answer before itself, wherever it lies between tokens', async () => {
    // "a cat" is a token: the stop string begins in its middle and ends in the next ones.
    expect(await say('one a cat: two', { stop: ['at: t'] })).toMatchObject({ text: 'one a c', finish: 'stop' });
    expect(await say('one two', { stop: ['', 'two', 'one'] })).toMatchObject({ text: '', finish: 'stop' });
  });

  it('that only begins changes nothing', async () => {
    expect(await say('ababab', { stop: ['abac'] })).toMatchObject({ text: 'ababab', finish: 'eos' });
  });

  it('is found where a search in the whole text finds it', async () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '😀', ' '), maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        letters,
        fc.array(
          letters.filter((text) => text.length > 0 && text.length < 5),
          { maxLength: 3 },
        ),
        async (text, stop) => {
          const found = stop.map((wanted) => text.indexOf(wanted)).filter((at) => at >= 0);
          const answer = await say(text, { stop });
          expect(answer.text).toBe(found.length > 0 ? text.slice(0, firstToEnd(text, stop)) : text);
          expect(answer.finish).toBe(found.length > 0 ? 'stop' : 'eos');
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Where the answer ends: tokens come one by one, so the stop string that is complete first wins, and of several the one that starts first. */
function firstToEnd(text: string, stop: readonly string[]): number {
  let shown = '';
  for (const id of tokensOf(vocabulary, text)) {
    shown = Buffer.concat([Buffer.from(shown, 'latin1'), Buffer.from(vocabulary.bytesOf(id) as Uint8Array)]).toString(
      'latin1',
    );
    const whole = Buffer.from(shown, 'latin1').toString('utf8');
    const starts = stop.map((wanted) => whole.indexOf(wanted)).filter((at) => at >= 0);
    if (starts.length > 0) return Math.min(...starts);
  }
  return text.length;
}

describe('streaming', () => {
  it('shows the whole text and never takes anything back, whatever the stop strings are', async () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '😀', ' '), maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        letters,
        fc.array(
          letters.filter((text) => text.length > 0),
          { maxLength: 2 },
        ),
        fc.integer({ min: 1, max: 30 }),
        async (text, stop, maxNewTokens) => {
          let shown = '';
          const ids: number[] = [];
          const answer = await say(text, {
            stop,
            maxNewTokens,
            onToken: (token) => {
              shown += token.text;
              ids.push(token.id);
            },
          });
          expect(shown).toBe(answer.text);
          expect(ids.slice(0, answer.ids.length)).toEqual(answer.ids);
        },
      ),
    );
  });

  it('shows a character when its last byte is there, and text that may be a stop string when it is none', async () => {
    const pieces: string[] = [];
    const { decoder } = scripted([0x78, 0xf0, 0x9f, 0x98, 0x80, 0x61, 0x7a]);
    await generateFrom(decoder, tokenizer, {
      maxNewTokens: 20,
      eos: [SMALL_EOS],
      stop: ['ab'],
      onToken: ({ text }) => pieces.push(text),
    });
    expect(pieces).toEqual(['x', '', '', '', '😀', '', 'az', '']);
  });

  it('shows at the end what was held back', async () => {
    const pieces: string[] = [];
    await say('xa', { stop: ['ab'], onToken: ({ text }) => pieces.push(text) });
    expect(pieces).toEqual(['x', '', '', 'a']);
  });
});

describe('a grammar', () => {
  const compiler = new GrammarCompiler(vocabulary);
  const grammar = compiler.compile({
    type: 'object',
    properties: { name: { type: 'string', maxLength: 3 }, seen: { type: 'boolean' } },
  });

  it('writes what is forced without asking, and the model reads it in one step', async () => {
    const { decoder, read } = scripted([]);
    const answer = await generateFrom(decoder, tokenizer, {
      maxNewTokens: 60,
      grammar,
      eos: [SMALL_EOS],
      logprobs: true,
    });
    expect(answer.finish).toBe('grammar');
    expect(Object.keys(JSON.parse(answer.text))).toEqual(['name', 'seen']);
    // All at once, up to the quote, which the vocabulary has alone and with the text's first letters.
    expect(textOf(vocabulary, read[0] ?? [])).toBe('{"name": ');
    const asked = answer.logprobs?.filter((logprob) => logprob !== null).length as number;
    expect(asked).toBe(read.length);
    expect(asked).toBeLessThan(answer.ids.length);
  });

  it('takes what the model says where it may', async () => {
    const logits = () => {
      const all = new Float32Array(SMALL_SIZE);
      for (const byte of [0x78, 0x66]) all[byte] = 10;
      return all;
    };
    const answer = await generateFrom({ promptIds: [], logits: logits(), append: async () => logits() }, tokenizer, {
      maxNewTokens: 60,
      grammar,
      eos: [SMALL_EOS],
    });
    expect(JSON.parse(answer.text)).toEqual({ name: 'fff', seen: false });
  });

  it('lets the model end a number that could go on', async () => {
    const integer = compiler.compile({ type: 'integer', minimum: 0, maximum: 999 });
    const { decoder } = scripted([0x37, SMALL_EOS]);
    const answer = await generateFrom(decoder, tokenizer, { maxNewTokens: 9, grammar: integer, eos: [SMALL_EOS] });
    expect(answer).toMatchObject({ text: '7', finish: 'eos' });
  });
});
