/** What only a decoder by itself shows of broken files; what an ingest makes of them is in `test/ingest/hostile.test.ts`. */

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zeroed } from '../../../fixtures/hostile/bytes.js';
import { HostileClips } from '../../../fixtures/hostile/clips.js';
import { drain } from './drain.js';
import { DECODERS } from './engines.js';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-bad-input-'));
let clips: HostileClips;

beforeAll(async () => {
  clips = await HostileClips.open();
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, data: Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, data);
  return file;
}

describe.each(DECODERS)('the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('decodes', () => {
    const decoder = open();

    it('a damaged transport stream so that every frame lies in the covered part', async () => {
      const { thumbnails, summary } = await drain(decoder, put('hole.ts', zeroed(clips.ts, 0.45, 0.55)));
      expect(summary.coverage.length).toBe(2);
      expect(
        thumbnails.filter(({ time }) => !summary.coverage.some(({ start, end }) => time >= start && time < end)),
      ).toEqual([]);
    });

    it('joined recordings whose clock starts anew, without a step back', async () => {
      const { thumbnails } = await drain(decoder, put('joined.ts', Buffer.concat([clips.ts, clips.ts])));
      const times = thumbnails.map(({ time }) => time);
      expect(times.length).toBe(60);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    });

    it('a sparse file of several gigabytes without loading it', async () => {
      const big = put('big.mp4', clips.web);
      truncateSync(big, 5 * 1024 ** 3);
      const before = process.memoryUsage().rss;
      const { summary } = await drain(decoder, big);
      expect(summary.frameCount).toBe(30);
      // The WebAssembly core alone takes about 150 MB; a loaded file would take 5,000.
      expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
      rmSync(big);
    });
  });
});
