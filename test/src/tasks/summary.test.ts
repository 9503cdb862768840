import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summarize, type TimedSentence } from '../../../src/tasks/summary.js';
import { estimateTokens } from '../../../src/tasks/words.js';
import { ScriptedBackend, wordsOf } from './scripted-backend.js';

/** Words of the prompt around the captions. */
const FRAME_TOKENS = 250;

/** The numbered texts of a prompt. */
function textsIn(words: string): string[] {
  return [...words.matchAll(/^\[\d+\] (".*")$/gm)].map((match) => JSON.parse(match[1] as string) as string);
}

/** Says one sentence about every `step` parts: the first words of each, so that nothing is lost on the way up. */
function scribe(): ScriptedBackend {
  return new ScriptedBackend((request) => {
    const words = wordsOf(request);
    const texts = textsIn(words);
    const most = Number(/at most (\d+) sentence/.exec(words)?.[1]);
    const step = Math.ceil(texts.length / most);
    const sentences = [];
    for (let first = 0; first < texts.length; first += step) {
      const last = Math.min(texts.length, first + step);
      sentences.push({ first: first + 1, last, text: `${texts[first]?.slice(0, 30)} and ${last - first - 1} more` });
    }
    return JSON.stringify({ sentences });
  });
}

const captionsOf = (count: number, text = (i: number) => `Scene ${i}: somebody walks along the road number ${i}.`) =>
  Array.from({ length: count }, (_, i): TimedSentence => ({ start: i * 10, end: i * 10 + 10, text: text(i) }));

describe('a summary', () => {
  it('of few captions is one ask', async () => {
    const backend = new ScriptedBackend(
      () => '{"sentences":[{"first":1,"last":2,"text":"He walks."},{"first":3,"last":3,"text":"He rests."}]}',
    );
    expect(await summarize(backend, { captions: captionsOf(3) })).toEqual([
      { start: 0, end: 20, text: 'He walks.' },
      { start: 20, end: 30, text: 'He rests.' },
    ]);
    expect(backend.requests).toHaveLength(1);
  });

  it('of no captions is none, and nobody is asked', async () => {
    const backend = scribe();
    expect(await summarize(backend, { captions: [] })).toEqual([]);
    expect(await summarize(backend, { captions: [{ start: 0, end: 1, text: ' ' }] })).toEqual([]);
    expect(backend.requests).toEqual([]);
  });

  it('of 10,000 captions keeps every prompt in its budget and every time in order', async () => {
    const backend = scribe();
    const captions = captionsOf(10_000);
    const summary = await summarize(backend, { captions, tokenBudget: 2000, maxSentences: 12 });
    expect(summary.length).toBeGreaterThan(5);
    expect(summary.length).toBeLessThanOrEqual(12);
    expect(summary[0]?.start).toBe(0);
    expect(summary.at(-1)?.end).toBe(100_000);
    summary.slice(1).forEach((sentence, i) => {
      expect(sentence.start).toBe(summary[i]?.end);
    });
    const longest = Math.max(...backend.requests.map((request) => estimateTokens(wordsOf(request))));
    expect(longest).toBeLessThan(2000 + FRAME_TOKENS);
    expect(longest).toBeGreaterThan(1800);
    expect(backend.requests.length).toBeLessThan(600);
  });

  it('shows every caption to the model once on the first level', async () => {
    const backend = scribe();
    const captions = captionsOf(500);
    await summarize(backend, { captions, tokenBudget: 1000 });
    const shown = backend.requests.flatMap((request) => textsIn(wordsOf(request))).filter((text) => text.endsWith('.'));
    expect(shown).toEqual(captions.map(({ text }) => text));
  });

  it('asks the same of the same captions', async () => {
    const prompts = [];
    for (const captions of [captionsOf(700), captionsOf(700).reverse()]) {
      const backend = scribe();
      await summarize(backend, { captions, tokenBudget: 1000 });
      prompts.push(backend.requests.map(wordsOf));
    }
    expect(prompts[0]).toEqual(prompts[1]);
  });

  it('reads equal neighbours once', async () => {
    const backend = new ScriptedBackend(() => '{"sentences":[{"first":1,"last":1,"text":"Nothing moves."}]}');
    expect(await summarize(backend, { captions: captionsOf(1000, () => 'A still picture.') })).toEqual([
      { start: 0, end: 10_000, text: 'Nothing moves.' },
    ]);
    expect(backend.requests).toHaveLength(1);
  });

  it('ends also when every caption is longer than its part of the budget', async () => {
    const backend = scribe();
    const captions = captionsOf(60, (i) => `${i} ${'1234567890 '.repeat(200)}`);
    await summarize(backend, { captions, tokenBudget: 500 });
    for (const request of backend.requests) expect(estimateTokens(wordsOf(request))).toBeLessThan(500 + FRAME_TOKENS);
    expect(backend.requests.length).toBeLessThan(30);
  });

  it('tells how far it is', async () => {
    const seen: { level: number; done: number; asks: number }[] = [];
    await summarize(scribe(), { captions: captionsOf(300), tokenBudget: 1000 }, { onProgress: (at) => seen.push(at) });
    expect(seen.map(({ done }) => done)).toEqual(seen.map((_, i) => i + 1));
    expect(seen.at(-1)?.asks).toBe(seen.length);
    expect(seen.at(-1)?.level).toBeGreaterThan(1);
  });

  it('refuses a budget that holds nothing and a length that is none', async () => {
    const captions = captionsOf(3);
    await expect(summarize(scribe(), { captions, tokenBudget: 100 })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(summarize(scribe(), { captions, tokenBudget: Number.NaN })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await expect(summarize(scribe(), { captions, maxSentences: 0 })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('stops between two asks when it is cancelled', async () => {
    const controller = new AbortController();
    const backend = scribe();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    await expect(summarize(backend, { captions: captionsOf(700), tokenBudget: 1000 }, options)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(backend.requests).toHaveLength(1);
  });

  it('ends with times inside the video, whatever the model says', async () => {
    const item = fc.record({
      first: fc.anything(),
      last: fc.oneof(fc.integer(), fc.anything()),
      text: fc.string({ minLength: 1 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(item, { maxLength: 40 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 200 }),
        async (answers, count) => {
          const backend = new ScriptedBackend((_, turn) => JSON.stringify(answers[turn % answers.length]));
          const summary = await summarize(backend, { captions: captionsOf(count), tokenBudget: 500 });
          expect(summary.length).toBeLessThanOrEqual(8);
          for (const { start, end, text } of summary) {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(start).toBeLessThan(end);
            expect(end).toBeLessThanOrEqual(count * 10);
            expect(text).not.toBe('');
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
