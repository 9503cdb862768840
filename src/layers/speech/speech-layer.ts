/** What is said in a video: the sound is cut into passages at silences, and each is written down with times. */

import { type Decoder, SOUND_RATE, type SoundBlock, type VideoProbe } from '../../../ingest/video/decoder.js';
import { requireRuntime } from '../../onnx/model-thread.js';
import type { Seconds } from '../../time.js';
import { TokenizerFile } from '../../tokenizer-file.js';
import type { Layer, LayerEvent, LayerOptions, LayerStretch, LayerVideo } from '../layer.js';
import { PassageReader } from './passages.js';
import { SILERO_ID, sileroFile, whisperFiles } from './speech-package.js';
import { SpeechRuntime } from './speech-runtime.js';
import { Transcriber } from './transcriber.js';
import { readWhisperShape } from './whisper-shape.js';

export interface SpeechLayerOptions {
  /** One of `WHISPER_SIZES` that is installed, or a folder in the layout of transformers.js. @default 'tiny' */
  readonly model?: string;
  /** As `SessionOptions.threads`. */
  readonly threads?: number;
}

/** Raise when the layer says something else about the same sound. */
const VERSION = 1;
/** Half the distance that a true edge may lie away; measured (`test/bench/speech.ts`). */
const PRECISION: Seconds = 0.2;
/** Passages are handed out together until they are this long. */
const STRETCH: Seconds = 30;

/**
 * Finds and checks Whisper and Silero. They are loaded when the first sound is read.
 * @throws {LongwatchError} `part_missing` with the command that installs what is missing; `bad_weights`
 */
export async function openSpeechLayer(options: SpeechLayerOptions = {}): Promise<Layer> {
  requireRuntime();
  const [files, detector] = [await whisperFiles(options.model ?? 'tiny'), await sileroFile()];
  const tokenizer = await TokenizerFile.read(files.tokenizer);
  const shape = await readWhisperShape(files.config, files.generation, tokenizer);
  const models = { detector, encoder: files.encoder, decoder: files.decoder, shape };
  return new SpeechLayer(
    files.id,
    async () => new Transcriber(await SpeechRuntime.open(models, options.threads), tokenizer),
  );
}

class SpeechLayer implements Layer {
  readonly name = 'speech';
  readonly identity: string;
  readonly note: string;
  #transcriber: Promise<Transcriber> | undefined;

  constructor(
    readonly model: string,
    private readonly open: () => Promise<Transcriber>,
  ) {
    this.identity = `speech ${VERSION}, ${model}, ${SILERO_ID}`;
    this.note = `${model}, ${SILERO_ID}`;
  }

  skips({ audio }: VideoProbe): string | undefined {
    return audio.length === 0 ? 'it has no sound' : undefined;
  }

  async *read(decoder: Decoder, video: LayerVideo, options: LayerOptions): AsyncGenerator<LayerStretch, void> {
    const { path, probe, duration, firstFrameTime } = video;
    const { from, signal, onProgress } = options;
    const [stream] = probe.audio;
    const named = whisperLanguage(stream?.language);
    let handedOut = from;
    let events: LayerEvent[] = [];
    if (stream) {
      this.#transcriber ??= this.open();
      const transcriber = await this.#transcriber.catch((error: unknown) => {
        this.#transcriber = undefined;
        throw error;
      });
      const passages = new PassageReader(transcriber.runtime, from, signal);
      const request = { stream: stream.index, firstFrameTime, from };
      for await (const passage of passages.read(
        until(decoder.sound(path, probe, request, signal ? { signal } : {}), duration),
      )) {
        if (passage.speech.length > 0) {
          const said = await transcriber.transcribe(passage.samples, passage.speech, named, signal);
          for (const { start, end, text, language } of said)
            events.push(this.#event(passage.start + start, passage.start + end, text, language, duration));
        }
        onProgress?.(Math.min(passage.end, duration));
        if (passage.end - handedOut < STRETCH || passage.end >= duration) continue;
        handedOut = passage.end;
        yield { end: passage.end, events: inOrder(events) };
        events = [];
      }
    }
    yield { end: duration, events: inOrder(events) };
  }

  async close(): Promise<void> {
    await (await this.#transcriber)?.runtime.close();
  }

  #event(start: Seconds, end: Seconds, text: string, language: string, duration: Seconds): LayerEvent {
    return {
      event: {
        kind: 'speech',
        source: 'speech',
        start,
        end: Math.min(end, duration),
        precision: PRECISION,
        text,
        model: this.model,
        attributes: { language },
      },
    };
  }
}

function inOrder(events: readonly LayerEvent[]): LayerEvent[] {
  return events
    .filter(({ event }) => event.end > event.start)
    .sort((a, b) => a.event.start - b.event.start || a.event.end - b.event.end);
}

/** Sound up to the end of the picture. */
async function* until(blocks: AsyncIterable<SoundBlock>, end: Seconds): AsyncGenerator<SoundBlock, void> {
  for await (const block of blocks) {
    const count = Math.floor((end - block.start) * SOUND_RATE);
    if (count <= 0) return;
    yield { start: block.start, samples: block.samples.subarray(0, count) };
  }
}

/** Containers name languages by three letters, Whisper by two where there are two. */
function whisperLanguage(tag: string | undefined): string | undefined {
  if (tag === undefined) return undefined;
  try {
    return new Intl.Locale(tag).language;
  } catch {
    return undefined;
  }
}
