import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClipDesk } from '../../api/clip-desk.js';
import { type Harness, JPEG, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
  harness.addVideo();
});
afterEach(() => harness.close());

describe('a clip over HTTP', () => {
  const address = `/v1/videos/${VIDEO_ID}/clip`;

  it('comes as a file that says its times, and HEAD says them without it', async () => {
    const response = await harness.app.request(`${address}?from=0:01&to=2.5`);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'video/mp4',
      'content-disposition': expect.stringContaining('filename="Bunny 0.00.01.000-0.00.02.500.mp4"'),
      'longwatch-clip-start': '1.000',
      'longwatch-clip-end': '2.500',
      'longwatch-clip-cut': 'copy',
    });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(JPEG);
    const head = await harness.app.request(`${address}?from=1&to=2&cut=encode`, { method: 'HEAD' });
    expect([head.headers.get('longwatch-clip-cut'), (await head.arrayBuffer()).byteLength]).toEqual(['encode', 0]);
  });

  it('needs both times', async () => {
    expect((await harness.get(`${address}?from=1`)).status).toBe(422);
    expect(await harness.get(`${address}?from=x&to=2`)).toMatchObject({ status: 422, body: { code: 'bad_time' } });
  });
});

describe('the desk for clips', () => {
  async function* endless(): AsyncGenerator<Uint8Array, void> {
    for (;;) yield JPEG;
  }

  it('makes two at once, and gives a place back when a client leaves or the making fails', async () => {
    const desk = new ClipDesk();
    const first = await desk.open(endless());
    await desk.open(endless());
    await expect(desk.open(endless())).rejects.toMatchObject({ code: 'overloaded' });
    await first.cancel();
    // biome-ignore lint/correctness/useYield: it fails before its first byte.
    async function* failing(): AsyncGenerator<Uint8Array, void> {
      throw new Error('no');
    }
    await expect(desk.open(failing())).rejects.toThrow('no');
    async function* failingToEnd(): AsyncGenerator<Uint8Array, void> {
      try {
        for (;;) yield JPEG;
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: it is given up, and that fails.
        throw new Error('no end');
      }
    }
    await expect((await desk.open(failingToEnd())).cancel()).rejects.toThrow('no end');
    await desk.open(endless());
  });
});
