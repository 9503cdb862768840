import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory } from '../../../../fixtures/clips/ffmpeg-in-memory.js';
import {
  chords,
  memoryDecoder,
  noise,
  silence,
  soundProbe,
  wavSamples,
} from '../../../../fixtures/clips/memory-sound.js';
import { RECORDED_SENTENCES, realSpeech } from '../../../../fixtures/real/speech.js';
import { type Decoder, SOUND_RATE } from '../../../../ingest/video/decoder.js';
import { FfmpegDecoder } from '../../../../ingest/video/ffmpeg-decoder.js';
import { WasmEngine } from '../../../../ingest/video/wasm-engine.js';
import type { MediaEvent } from '../../../../src/event.js';
import type { Layer, LayerStretch, LayerVideo } from '../../../../src/layers/layer.js';
import { openSpeechLayer } from '../../../../src/layers/speech/speech-layer.js';
import { installedWhisper } from '../../../../src/layers/speech/speech-package.js';

const speech = await realSpeech();
if (process.env['CI'] && 'missing' in speech) throw new Error(speech.missing);
const without = 'missing' in speech || !installedWhisper().includes('tiny');

describe('the speech layer without its weights', () => {
  it('is a missing part, with the command that installs it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-no-whisper-'));
    await expect(openSpeechLayer({ model: folder })).rejects.toMatchObject({ code: 'part_missing' });
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(without && !process.env['CI'])('the speech layer', () => {
  let layer: Layer;
  let recording: Buffer;
  let spoken: Float32Array;
  beforeAll(async () => {
    layer = await openSpeechLayer({ threads: 1 });
    recording = await readFile('recording' in speech ? speech.recording : '');
    spoken = wavSamples(recording);
  });
  afterAll(() => layer.close());

  async function read(decoder: Decoder, video: Partial<LayerVideo>, from = 0): Promise<LayerStretch[]> {
    const whole = { path: 'memory', probe: soundProbe('eng'), duration: 60, firstFrameTime: 0, ...video };
    const stretches: LayerStretch[] = [];
    for await (const stretch of layer.read(decoder, whole, { from })) stretches.push(stretch);
    return stretches;
  }

  function eventsOf(stretches: readonly LayerStretch[]): MediaEvent[] {
    return stretches.flatMap(({ events }) => events.map(({ event }) => event));
  }

  /** Words, since where one sentence ends and the next begins is told apart by 8-bit weights differently on each processor. */
  function wordsOf(sentences: readonly { readonly text: string }[]): string[] {
    return sentences.flatMap(({ text }) => text.toLowerCase().match(/[a-z]+/g) ?? []);
  }

  function expectSentences(events: readonly MediaEvent[], offset: number): void {
    expect(wordsOf(events)).toEqual(wordsOf(RECORDED_SENTENCES));
    for (const event of events)
      for (const edge of ['start', 'end'] as const) {
        const distances = RECORDED_SENTENCES.map((sentence) => Math.abs(offset + sentence[edge] - event[edge]));
        expect(Math.min(...distances)).toBeLessThan(0.2);
      }
  }

  it('says who speaks for it, and of what it has nothing to say', () => {
    expect(layer.identity).toBe('speech 1, whisper-tiny-q8, silero-vad-v5');
    expect(layer.skips({ ...soundProbe(), audio: [] })).toBe('it has no sound');
    expect(layer.skips(soundProbe())).toBeUndefined();
  });

  it('hears a recording in a video, sentence by sentence, with times', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-speech-'));
    const file = path.join(folder, 'spoken.mp4');
    const picture = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', '32x32', '-framerate', '5', '-i', 'frames'];
    const files = { frames: new Uint8Array(32 * 32 * 60), 'sound.wav': recording };
    const coding = ['-c:v', 'mpeg4', '-c:a', 'aac', '-b:a', '96k', '-metadata:s:a:0', 'language=eng'];
    await writeFile(
      file,
      await ffmpegInMemory(files, [...picture, '-itsoffset', '1.5', '-i', 'sound.wav', ...coding], 'spoken.mp4'),
    );
    const decoder = new FfmpegDecoder(new WasmEngine());
    const stretches = await read(decoder, { path: file, probe: await decoder.probe(file), duration: 12 });
    rmSync(folder, { recursive: true });
    expect(stretches.at(-1)?.end).toBe(12);
    const events = eventsOf(stretches);
    expectSentences(events, 1.5);
    expect(events[0]).toMatchObject({
      kind: 'speech',
      source: 'speech',
      precision: 0.2,
      model: 'whisper-tiny-q8',
      attributes: { language: 'en' },
    });
    expect(events[0]).not.toHaveProperty('confidence');
  });

  it('hears the same from where a stretch ended, and on both sides of a gap', async () => {
    const decoder = memoryDecoder([spoken, silence(25), spoken, 7, spoken.slice(0, 5 * SOUND_RATE)]);
    const length = spoken.length / SOUND_RATE;
    const stretches = await read(decoder, { duration: 70 });
    const events = eventsOf(stretches);
    const [second, third] = [length + 25, 2 * length + 32];
    expectSentences(
      events.filter(({ start }) => start < second),
      0,
    );
    expectSentences(
      events.filter(({ start }) => start >= second && start < third),
      second,
    );
    const last = events.filter(({ start }) => start >= third);
    expect(wordsOf(last).slice(0, 4)).toEqual(['ever', 'tried', 'ever', 'failed']);
    expect(Math.abs((last[0]?.start ?? 0) - (third + 0.35))).toBeLessThan(0.2);
    const first = stretches[0]?.end ?? 0;
    expect(first).toBeGreaterThan(length - 1.5);
    expect(first).toBeLessThan(70);
    expect(await read(decoder, { duration: 70 }, first)).toEqual(stretches.slice(1));
    for (const { end, events: inside } of stretches)
      for (const { event } of inside) expect(event.start).toBeLessThan(end);
  });

  it('hears nobody in silence, noise and music', async () => {
    const stretches = await read(memoryDecoder([silence(25), noise(20, 0.05), chords(20)]), { duration: 65 });
    expect(eventsOf(stretches)).toEqual([]);
    expect(stretches.at(-1)?.end).toBe(65);
  });

  it('leaves out what is said behind the end of the picture', async () => {
    const events = eventsOf(await read(memoryDecoder([spoken]), { duration: 3.2 }));
    expect(wordsOf(events)).toEqual(['ever', 'tried', 'ever', 'failed']);
    expect(events.at(-1)?.end).toBeLessThanOrEqual(3.2);
  });

  it('stops when it is told to', async () => {
    const control = new AbortController();
    const video = { path: 'memory', probe: soundProbe(), duration: 60, firstFrameTime: 0 };
    const reading = layer.read(memoryDecoder([spoken]), video, { from: 0, signal: control.signal });
    control.abort();
    await expect(reading.next()).rejects.toMatchObject({ code: 'cancelled' });
  });
});
