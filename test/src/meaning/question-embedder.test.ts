import { describe, expect, it } from 'vitest';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { questionEmbedder } from '../../../src/meaning/question-embedder.js';

/** Answers when it is told to; notes what it was asked. */
class SlowEmbedder implements Embedder {
  readonly id = 'slow';
  readonly dim = 2;
  readonly scale = undefined;
  readonly calls: string[][] = [];
  readonly #answers: (() => void)[] = [];
  fails = false;

  embed(texts: readonly string[]): Promise<Float32Array[]> {
    this.calls.push([...texts]);
    return new Promise((resolve, reject) => {
      this.#answers.push(() =>
        this.fails ? reject(new Error('it died')) : resolve(texts.map((text) => Float32Array.of(text.length, 1))),
      );
    });
  }

  async answer(): Promise<void> {
    this.#answers.shift()?.();
    await new Promise(setImmediate);
  }

  async close(): Promise<void> {}
}

describe('the embedder of questions', () => {
  it('embeds what waits together, equal questions once, and gives each its own vector', async () => {
    const slow = new SlowEmbedder();
    const embedder = questionEmbedder(slow);
    const asked = ['a', 'bb', 'ccc', 'bb', 'a'].map((text) => embedder.embed([text]));
    await slow.answer();
    await slow.answer();
    expect(slow.calls).toEqual([['a'], ['bb', 'ccc', 'a']]);
    expect((await Promise.all(asked)).map(([vector]) => vector?.[0])).toEqual([1, 2, 3, 2, 1]);
  });

  it('remembers what was asked, whatever becomes of the vector that it gave', async () => {
    const slow = new SlowEmbedder();
    const embedder = questionEmbedder(slow);
    const first = embedder.embed(['rabbit']);
    await slow.answer();
    (await first)[0]?.fill(0);
    expect(await embedder.embed(['rabbit'])).toEqual([Float32Array.of(6, 1)]);
    expect(slow.calls).toEqual([['rabbit']]);
  });

  it('does not begin what was given up, and forgets what failed', async () => {
    const slow = new SlowEmbedder();
    const embedder = questionEmbedder(slow);
    const abort = new AbortController();
    const kept = embedder.embed(['a']);
    const given = expect(embedder.embed(['b'], abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    abort.abort();
    await given;
    slow.fails = true;
    const failed = expect(kept).rejects.toThrow('it died');
    await slow.answer();
    await failed;
    slow.fails = false;
    const again = embedder.embed(['a']);
    await slow.answer();
    expect(await again).toEqual([Float32Array.of(1, 1)]);
    expect(slow.calls).toEqual([['a'], ['a']]);
    await expect(embedder.embed(['c'], abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });
});
