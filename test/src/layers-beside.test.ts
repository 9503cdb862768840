/** A layer that reads while the windows are being made writes what it would write afterwards, wherever sound and picture end. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../api/export/formats.js';
import { ffmpegInMemory } from '../../fixtures/clips/ffmpeg-in-memory.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import { FilmClock } from '../../src/film-clock.js';
import { SoundLayer } from '../../src/layers/sound/sound-layer.js';
import { ingestVideo } from '../../src/pipeline.js';

class SoundAfterwards extends SoundLayer {
  override readonly readsBeside = false;
}

describe('a layer beside the windows', () => {
  let folder: string;
  let decoder: Decoder;
  const libraries: SqliteLibrary[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-beside-'));
    decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
  });
  afterEach(async () => {
    for (const library of libraries.splice(0)) await library.close();
    rmSync(folder, { recursive: true });
  });

  /** Knocks every 12 s, in a film of which picture and sound last as long as is said. */
  async function film(pictureSeconds: number, soundSeconds: number): Promise<string> {
    const file = path.join(folder, `${pictureSeconds}-${soundSeconds}.mkv`);
    const knocks = `aevalsrc='if(lt(mod(t,12),0.02),0.8,0)':s=8000:d=${soundSeconds}`;
    const command = ['-f', 'lavfi', '-i', `testsrc2=size=64x48:rate=5:duration=${pictureSeconds}`];
    command.push('-f', 'lavfi', '-i', knocks, '-c:v', 'mpeg4', '-c:a', 'pcm_s16le');
    writeFileSync(file, await ffmpegInMemory({}, command, 'film.mkv'));
    return file;
  }

  function newLibrary(): SqliteLibrary {
    const library = openLibrary(path.join(folder, `library-${libraries.length}`), { create: true });
    libraries.push(library);
    return library;
  }

  async function exported(library: SqliteLibrary, id: string): Promise<string> {
    let text = '';
    for await (const piece of EXPORT_FORMATS.json.render(library, library.findVideo(id), 'events')) text += piece;
    return text.replaceAll(folder, '');
  }

  it.each([
    [150, 150],
    [100, 150],
    [150, 70],
  ])('writes the same for %d s of picture and %d s of sound', async (pictureSeconds, soundSeconds) => {
    const file = await film(pictureSeconds, soundSeconds);
    const [beside, after] = await Promise.all(
      [new SoundLayer(), new SoundAfterwards()].map(async (layer) => {
        const library = newLibrary();
        const { video, parts } = await ingestVideo({ decoder, library, layers: [layer] }, file);
        return { text: await exported(library, video.id), parts };
      }),
    );
    expect(beside?.parts.map(({ name, beside }) => [name, beside])).toEqual([
      ['windows', undefined],
      ['sound', 'windows'],
    ]);
    expect(after?.parts.map(({ name, beside }) => [name, beside])).toEqual([
      ['windows', undefined],
      ['sound', undefined],
    ]);
    expect(beside?.text).toBe(after?.text);
    expect(beside?.text).toContain('bang');
  });

  it('is read on where it was when the windows were interrupted, and fails by itself', async () => {
    const file = await film(150, 150);
    const whole = newLibrary();
    const { video: undisturbed } = await ingestVideo({ decoder, library: whole, layers: [new SoundLayer()] }, file);
    const library = newLibrary();
    const stop = new AbortController();
    const halfway = ({ stage, progress }: { readonly stage: string; readonly progress: number }) => {
      if (stage === 'windows' && progress > 0.6) stop.abort();
    };
    const parts = { decoder, library, layers: [new SoundLayer()] };
    const interrupted = ingestVideo(parts, file, { signal: stop.signal, onProgress: halfway });
    await expect(interrupted).rejects.toMatchObject({ code: 'cancelled' });
    const deaf = new SoundLayer();
    deaf.read = async function* () {
      yield* [];
      throw new LongwatchError('model_failed', 'It hears nothing.');
    };
    const { video } = await ingestVideo({ ...parts, layers: [deaf] }, file);
    expect(video.state).toBe('ready');
    expect(video.stages['sound']).toEqual({ state: 'failed', note: 'It hears nothing.' });
    const again = await ingestVideo(parts, file);
    expect(again.video.stages['sound']?.state).toBe('done');
    expect(await exported(library, video.id)).toBe(await exported(whole, undisturbed.id));
  });
});

describe('the clock of a film that is being decoded', () => {
  it('lets those go on whose time has come, and tells the end to those behind it', async () => {
    const clock = new FilmClock();
    const order: string[] = [];
    const wait = async (time: number) => order.push(`${time}: ${await clock.reached(time)}`);
    const waiting = [wait(3), wait(1), wait(9)];
    expect(clock.duration).toBe(Number.POSITIVE_INFINITY);
    clock.begin(0.5);
    expect(await clock.begun()).toBe(0.5);
    clock.reach(2);
    await waiting[1];
    clock.reach(3);
    await waiting[0];
    clock.end(4);
    await Promise.all(waiting);
    expect(order).toEqual(['1: 1', '3: 3', '9: 4']);
    expect(await clock.reached(Number.POSITIVE_INFINITY)).toBe(4);
  });

  it('leaves nobody waiting when no more will be known', async () => {
    const clock = new FilmClock();
    const waiting = [clock.begun(), clock.reached(7)];
    clock.stop();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  });
});
