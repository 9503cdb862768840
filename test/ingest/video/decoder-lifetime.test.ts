import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CLIPS } from '../../../fixtures/clips/recipes.js';
import { renderClip } from '../../../fixtures/clips/render.js';
import type { Decoder } from '../../../ingest/video/decoder.js';
import { FfmpegDecoder } from '../../../ingest/video/ffmpeg-decoder.js';
import { NativeEngine } from '../../../ingest/video/native-engine.js';
import { expectNothingAlive } from './alive.js';
import { DECODERS } from './engines.js';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-lifetime-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The largest request that the clip can make: every frame as a picture of 2.8 MB, 207 MB in all. */
const GREEDY = { pictures: { width: 1280, height: 720, interval: 0 } };

describe.each(DECODERS)('the $id decoder', ({ id, skipped, open }) => {
  describe.skipIf(skipped)('leaves no process and no thread behind', () => {
    const decoder = open();

    it.each([
      [
        'a whole decode',
        async (decode: ReturnType<Decoder['decode']>) => {
          for await (const _ of decode);
        },
      ],
      [
        'a decode that is left early',
        async (decode: ReturnType<Decoder['decode']>) => {
          for await (const _ of decode) break;
        },
      ],
      [
        'a decode that was never begun',
        async (decode: ReturnType<Decoder['decode']>) => {
          await decode.return(undefined as never);
        },
      ],
    ])('after %s', async (_what, use) => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      await use(decoder.decode(file, await decoder.probe(file), GREEDY));
      await expectNothingAlive();
    });

    it('after a cancellation in the middle', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      const probe = await decoder.probe(file);
      const abort = new AbortController();
      const decode = decoder.decode(file, probe, GREEDY, { signal: abort.signal });
      await decode.next();
      abort.abort();
      await expect(drainRest(decode)).rejects.toMatchObject({ code: 'cancelled' });
      await expectNothingAlive();
    });

    it('after a cancellation while it waits', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      const probe = await decoder.probe(file);
      const abort = new AbortController();
      const first = decoder.decode(file, probe, {}, { signal: abort.signal }).next();
      setImmediate(() => abort.abort());
      await expect(first).rejects.toMatchObject({ code: 'cancelled' });
      await expectNothingAlive();
    });

    it('when it was cancelled before it began', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      await expect(decoder.probe(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
      await expectNothingAlive();
    });

    it('when it takes longer than its limit', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      const probe = await decoder.probe(file);
      // No engine starts within a tenth of a millisecond.
      await expect(drainRest(decoder.decode(file, probe, {}, { stallLimit: 1e-4 }))).rejects.toMatchObject({
        code: 'decode_timeout',
      });
      await expectNothingAlive();
    });

    it('so that a program ends by itself after its last frame', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      const compiled = fileURLToPath(new URL('../../../dist/ingest/video/choose.js', import.meta.url));
      const program = `
        import { chooseDecoder } from ${JSON.stringify(compiled)};
        const decoder = await chooseDecoder({ kind: '${id}', searchPath: ${JSON.stringify((process.env['PATH'] ?? '').split(path.delimiter))} });
        const probe = await decoder.probe(${JSON.stringify(file)});
        for await (const frame of decoder.decode(${JSON.stringify(file)}, probe, {})) { console.log(frame.index); break; }
      `;
      expect(
        execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 50_000 }),
      ).toBe('0\n');
    });
  });

  describe.skipIf(skipped)('with a slow reader', () => {
    const decoder = open();

    it('holds the engine up rather than piling frames up', async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      const decode = decoder.decode(file, await decoder.probe(file), GREEDY);
      await decode.next();
      const before = process.memoryUsage().rss;
      await sleep(1500);
      // 75 pictures would be 207 MB; what may wait is 4 MB and one write of the engine.
      expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
      let pictures = 0;
      for await (const frame of decode) if (frame.kind === 'picture') pictures++;
      expect(pictures).toBe(75);
    });

    it("does not take the reader's pause for a stall", async () => {
      const file = await renderClip(CLIPS.constantRate.recipe);
      // Longer than a busy machine takes to start an engine.
      const stallLimit = 6;
      let frames = 0;
      for await (const _ of decoder.decode(file, await decoder.probe(file), GREEDY, { stallLimit })) {
        if (frames++ === 0) await sleep(1000 * stallLimit + 500);
      }
      expect(frames).toBe(150);
    });
  });
});

describe('the native decoder', () => {
  it('ends a program that hangs', async () => {
    const hanging = path.join(folder, 'hanging');
    writeFileSync(hanging, '#!/bin/sh\nexec sleep 1000\n');
    chmodSync(hanging, 0o755);
    const decoder = new FfmpegDecoder(new NativeEngine({ ffmpeg: hanging, ffprobe: hanging, version: '0' }));
    await expect(decoder.probe(await renderClip(CLIPS.constantRate.recipe), { stallLimit: 0.2 })).rejects.toMatchObject(
      { code: 'decode_timeout' },
    );
    await expectNothingAlive();
  });

  it('says so when the program cannot be run', async () => {
    const missing = path.join(folder, 'missing');
    const decoder = new FfmpegDecoder(new NativeEngine({ ffmpeg: missing, ffprobe: missing, version: '0' }));
    await expect(decoder.probe(await renderClip(CLIPS.constantRate.recipe))).rejects.toMatchObject({
      code: 'decode_failed',
    });
  });
});

async function drainRest(decode: ReturnType<Decoder['decode']>): Promise<void> {
  for await (const _ of decode);
}
