import { describe, expect, it } from 'vitest';
import { InOrder } from '../../src/in-order.js';

describe('work that is begun ahead', () => {
  it('ends in order whatever is ready first, with no more begun than was said', async () => {
    const said: string[] = [];
    let open = 0;
    let most = 0;
    const ready: (() => void)[] = [];
    const line = new InOrder<number>(3);
    const add = (number: number) =>
      line.add(
        async () => {
          most = Math.max(most, ++open);
          await new Promise<void>((resolve) => ready.push(resolve));
          return number;
        },
        async (result) => {
          open--;
          said.push(`ended ${result}`);
        },
      );
    await add(0);
    await add(1);
    const third = add(2);
    for (const number of [2, 1, 0]) ready[number]?.();
    await third;
    expect(said).toEqual(['ended 0']);
    await line.finish();
    expect([said, most]).toEqual([['ended 0', 'ended 1', 'ended 2'], 3]);
  });

  it('waits for each where one is begun at a time', async () => {
    const said: string[] = [];
    const line = new InOrder<void>(1);
    for (const number of [1, 2]) {
      await line.add(
        async () => void said.push(`begun ${number}`),
        async () => void said.push(`ended ${number}`),
      );
    }
    expect(said).toEqual(['begun 1', 'ended 1', 'begun 2', 'ended 2']);
  });

  it('fails in its turn, and what is behind it is not ended', async () => {
    const ended: number[] = [];
    const line = new InOrder<number>(4);
    const end = async (number: number) => void ended.push(number);
    await line.add(async () => 1, end);
    await line.add(() => Promise.reject(new Error('two')), end);
    await line.add(async () => 3, end);
    await expect(line.finish()).rejects.toThrow('two');
    await line.abandon();
    await line.finish();
    expect(ended).toEqual([1]);
  });
});
