/** What every backend keeps, wherever its model runs. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { Backend, PromptPart } from '../../../src/backend.js';

const QUESTION: PromptPart = { kind: 'text', text: 'When does the rabbit wake up?' };

function picture(time: number): Picture {
  const rgb = Uint8Array.from({ length: 56 * 84 * 3 }, (_, i) => (i * 31 + time * 17) % 256);
  return { kind: 'picture', index: 0, pts: time, time, width: 84, height: 56, rgb };
}

export function backendContract(name: string, open: () => Promise<Backend>, close: () => Promise<void>): void {
  describe(`a backend: ${name}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });
    afterAll(async () => {
      await backend.close();
      await close();
    });

    it.each([
      [1920, 1080],
      [1080, 1920],
      [640, 480],
      [320, 180],
      [3840, 1600],
    ])('wants pictures of %i×%i in whole tokens, and says what a pair costs', (width, height) => {
      const size = backend.pictureSize({ width, height });
      expect([size.width % 28, size.height % 28]).toEqual([0, 0]);
      const tokens = backend.tokensPerPair(size);
      expect(Number.isSafeInteger(tokens) && tokens > 0).toBe(true);
      // One step per side is what rounding to whole tokens may change.
      expect(Math.abs(size.width / size.height - width / height)).toBeLessThan(
        (28 / size.height) * (1 + width / height),
      );
    });

    it('answers words with words, and counts the tokens', async () => {
      const answer = await backend.ask({ system: 'Be brief.', parts: [QUESTION], maxTokens: 5 });
      expect(typeof answer.text).toBe('string');
      expect(['stop', 'length']).toContain(answer.finish);
      expect(answer.promptTokens).toBeGreaterThan(0);
      expect(answer.answerTokens).toBeGreaterThan(0);
      expect(answer.answerTokens).toBeLessThanOrEqual(5);
      expect(answer).not.toHaveProperty('choiceProbabilities');
    });

    it('gives the same answer to the same question', async () => {
      const request = { parts: [{ kind: 'image' as const, picture: picture(0) }, QUESTION], maxTokens: 8 };
      expect(await backend.ask(request)).toEqual(await backend.ask(request));
    });

    it('looks at frames and stills', async () => {
      const video: PromptPart = { kind: 'video', pictures: [0, 1, 2, 3].map(picture), timeZero: 0 };
      const still: PromptPart = { kind: 'image', picture: picture(9) };
      const bare = await backend.ask({ parts: [QUESTION], maxTokens: 3 });
      const shown = await backend.ask({ parts: [video, still, QUESTION], maxTokens: 3 });
      expect(shown.promptTokens).toBeGreaterThan(bare.promptTokens);
    });

    it('answers a schema with JSON of its shape', async () => {
      const number = { type: 'number', minimum: 0, maximum: 10, multipleOf: 0.1 };
      const event = {
        type: 'object',
        properties: { start: number, end: { ...number, greaterThan: 'start' }, text: { type: 'string', maxLength: 8 } },
      };
      const schema = { type: 'object', properties: { events: { type: 'array', items: event, maxItems: 2 } } };
      const { text } = await backend.ask({ parts: [QUESTION], maxTokens: 120, schema });
      const { events } = JSON.parse(text) as { events: { start: number; end: number; text: string }[] };
      for (const { start, end, text } of events)
        expect([typeof start, typeof end, typeof text]).toEqual(['number', 'number', 'string']);
    });

    it('says how probable each choice is, or that it does not know', async () => {
      const { choiceProbabilities } = await backend.ask({ parts: [QUESTION], maxTokens: 1, choices: ['yes', 'no'] });
      if (choiceProbabilities === undefined) return;
      expect(choiceProbabilities).toHaveLength(2);
      expect(choiceProbabilities.every((p) => p >= 0 && p <= 1)).toBe(true);
      expect(choiceProbabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
    });

    it('answers several questions that are asked at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => backend.ask({ parts: [QUESTION], maxTokens: 2 })),
      );
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    });

    it('is cancelled by a signal, before and while it answers, and is well afterwards', async () => {
      const request = { parts: [QUESTION], maxTokens: 64 };
      await expect(backend.ask(request, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
      const abort = new AbortController();
      const asking = backend.ask(request, abort.signal);
      abort.abort();
      await expect(asking).rejects.toMatchObject({ code: 'cancelled' });
      expect((await backend.ask({ ...request, maxTokens: 1 })).answerTokens).toBe(1);
    });
  });
}
