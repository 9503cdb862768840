/** Whisper's configuration files → what the runtime needs to know of a checkpoint. */

import { readFile } from 'node:fs/promises';
import { LongwatchError, toLongwatchError } from '../../errors.js';
import type { TokenizerFile } from '../../tokenizer-file.js';
import type { WhisperShape } from './speech-thread.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * @param config path of config.json
 * @param generation path of generation_config.json
 * @throws {LongwatchError} `bad_weights` when they do not describe a multilingual Whisper; of the file system
 */
export async function readWhisperShape(
  config: string,
  generation: string,
  tokenizer: TokenizerFile,
): Promise<WhisperShape> {
  const [model, settings] = [await readJson(config), await readJson(generation)];
  const heads = whole(model, 'decoder_attention_heads', config);
  const ids = new Map(tokenizer.addedTokens.map(({ content, id }) => [content, id]));
  const control = (...names: readonly string[]): number => {
    const id = names.map((name) => ids.get(`<|${name}|>`)).find((found) => found !== undefined);
    if (id === undefined) throw notWhisper(config, `it has no token ${names[0]}`);
    return id;
  };
  const languages = Object.entries(object(settings['lang_to_id'])).flatMap(([name, id]) =>
    typeof id === 'number' ? [[name.replace(/[<|>]/g, ''), id] as const] : [],
  );
  if (languages.length === 0) throw notWhisper(generation, 'it knows one language only');
  const alignmentHeads = pairs(settings['alignment_heads']);
  if (alignmentHeads.length === 0) throw notWhisper(generation, 'it does not say which heads follow the sound');
  return {
    layers: whole(model, 'decoder_layers', config),
    heads,
    width: whole(model, 'd_model', config) / heads,
    context: whole(model, 'max_target_positions', config),
    alignmentHeads,
    tokens: {
      endOfText: control('endoftext'),
      startOfTranscript: control('startoftranscript'),
      transcribe: control('transcribe'),
      noSpeech: control('nospeech', 'nocaptions'),
      noTimestamps: control('notimestamps'),
      firstTime: control('0.00'),
      languages: Object.fromEntries(languages),
      suppressed: numbers(settings['suppress_tokens']),
      suppressedFirst: numbers(settings['begin_suppress_tokens']),
    },
  };
}

async function readJson(file: string): Promise<Json> {
  try {
    return object(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw error instanceof SyntaxError ? notWhisper(file, 'it is not JSON') : toLongwatchError(error, file);
  }
}

function notWhisper(file: string, reason: string): LongwatchError {
  return new LongwatchError('bad_weights', `The file does not describe a multilingual Whisper: ${reason}.`, {
    path: file,
    hint: 'Install the weights again.',
  });
}

function whole(json: Json, key: string, file: string): number {
  const value = json[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw notWhisper(file, `${key} is ${JSON.stringify(value)}`);
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'number') : [];
}

function pairs(value: unknown): [number, number][] {
  return (Array.isArray(value) ? value : [])
    .map(numbers)
    .flatMap(([layer, head]) => (layer === undefined || head === undefined ? [] : [[layer, head] as [number, number]]));
}
