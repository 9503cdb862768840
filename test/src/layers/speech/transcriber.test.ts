import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { wavSamples } from '../../../../fixtures/clips/memory-sound.js';
import { RECORDED_SENTENCES, realSpeech } from '../../../../fixtures/real/speech.js';
import { SOUND_RATE } from '../../../../ingest/video/decoder.js';
import { installedWhisper, sileroFile, whisperFiles } from '../../../../src/layers/speech/speech-package.js';
import { SpeechRuntime } from '../../../../src/layers/speech/speech-runtime.js';
import { Transcriber } from '../../../../src/layers/speech/transcriber.js';
import { readWhisperShape } from '../../../../src/layers/speech/whisper-shape.js';
import { TokenizerFile } from '../../../../src/tokenizer-file.js';

const speech = await realSpeech();
const without = ('missing' in speech || !installedWhisper().includes('tiny')) && !process.env['CI'];

/** Sound around a sentence that is copied with it. */
const MARGIN = 0.15;

describe.skipIf(without)('a passage that is longer than a window', () => {
  it('is written down without a lost or doubled word at the joins', async () => {
    const { tokenizer: file, config, generation, encoder, decoder } = await whisperFiles('tiny');
    const tokenizer = await TokenizerFile.read(file);
    const shape = await readWhisperShape(config, generation, tokenizer);
    const runtime = await SpeechRuntime.open({ detector: await sileroFile(), encoder, decoder, shape }, 1);
    const spoken = wavSamples(await readFile('recording' in speech ? speech.recording : ''));
    // The fifth sentence lies across the end of the first window.
    const places = [0.5, 7.5, 14.5, 21.5, 29.7, 36];
    const samples = new Float32Array(38 * SOUND_RATE);
    const stretches = RECORDED_SENTENCES.map(({ start, end }, index) => {
      const place = places[index] ?? 0;
      samples.set(
        spoken.slice((start - MARGIN) * SOUND_RATE, (end + MARGIN) * SOUND_RATE),
        (place - MARGIN) * SOUND_RATE,
      );
      return { start: place, end: place + end - start };
    });
    const sentences = await new Transcriber(runtime, tokenizer).transcribe(samples, stretches, 'en');
    await runtime.close();
    const wordsOf = (texts: readonly { readonly text: string }[]) =>
      texts.flatMap(({ text }) => text.toLowerCase().match(/[a-z]+/g) ?? []);
    expect(wordsOf(sentences)).toEqual(wordsOf(RECORDED_SENTENCES));
    for (const { start, end } of sentences) {
      expect(Math.min(...stretches.map((stretch) => Math.abs(stretch.start - start)))).toBeLessThan(0.2);
      expect(Math.min(...stretches.map((stretch) => Math.abs(stretch.end - end)))).toBeLessThan(0.2);
    }
  });
});
