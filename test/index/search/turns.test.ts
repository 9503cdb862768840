import { describe, expect, it } from 'vitest';
import { Turns } from '../../../index/search/turns.js';

describe('turns of the event loop', () => {
  it('go to one caller each, first come, first served, and others run between them', async () => {
    const turns = new Turns();
    const order: string[] = [];
    let beat = 0;
    const tick = () => {
      order.push(`turn ${++beat}`);
      if (beat < 6) setImmediate(tick);
    };
    setImmediate(tick);
    await Promise.all(['a', 'b', 'c'].map((name) => turns.next().then(() => order.push(name))));
    expect(order.slice(0, 6)).toEqual(['turn 1', 'a', 'turn 2', 'b', 'turn 3', 'c']);
    await turns.next();
  });
});
