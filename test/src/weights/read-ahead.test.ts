/** Bytes taken off a line before they are asked for. */

import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../../src/weights/read-ahead.js';

const MAX_BYTES = 10;

/** A line that brings pieces of four bytes and then ends or breaks; counts how often it was read. */
function line(pieces: number, failure?: Error) {
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent < pieces) controller.enqueue(new Uint8Array(4).fill(sent++));
        else if (failure) controller.error(failure);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return { reader: stream.getReader(), sent: () => sent };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await tick();
}

describe('a line that is read ahead', () => {
  it('is read before anyone asks, but not beyond the limit', async () => {
    const { reader, sent } = line(100);
    const ahead = new ReadAhead(reader, MAX_BYTES, () => undefined);
    await settle();
    expect(sent()).toBe(3);
    const pieces = ahead.pieces();
    await pieces.next();
    await settle();
    expect(sent()).toBe(4);
  });

  it('gives every piece in its order, then the end', async () => {
    let heard = 0;
    const ahead = new ReadAhead(line(50).reader, MAX_BYTES, () => heard++);
    const first: (number | undefined)[] = [];
    for await (const piece of ahead.pieces()) {
      first.push(piece[0]);
      if (first.length % 7 === 0) await tick();
    }
    expect(first).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(heard).toBe(50);
  });

  it('gives what had come before it broke, then the failure', async () => {
    const ahead = new ReadAhead(line(2, new Error('broken')).reader, MAX_BYTES, () => undefined);
    await settle();
    const came: number[] = [];
    const reading = (async () => {
      for await (const piece of ahead.pieces()) came.push(piece.length);
    })();
    await expect(reading).rejects.toThrow('broken');
    expect(came).toEqual([4, 4]);
  });

  it('without a body is at its end', async () => {
    const ahead = new ReadAhead(undefined, MAX_BYTES, () => undefined);
    expect(await ahead.pieces().next()).toEqual({ done: true, value: undefined });
  });
});
