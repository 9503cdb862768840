/** Both decoders, for suites that run on each. */

import path from 'node:path';
import { findNativeFfmpeg } from '../../../ingest/video/choose.js';
import type { Decoder } from '../../../ingest/video/decoder.js';
import type { FfmpegEngine } from '../../../ingest/video/engine.js';
import { FfmpegDecoder } from '../../../ingest/video/ffmpeg-decoder.js';
import { NativeEngine } from '../../../ingest/video/native-engine.js';
import { WasmEngine } from '../../../ingest/video/wasm-engine.js';

const native = await findNativeFfmpeg((process.env['PATH'] ?? '').split(path.delimiter));

/** True where the suite of this decoder is left out: no ffmpeg on the PATH. In CI it must be there, so the suite runs and fails. */
export const WITHOUT_NATIVE = native === undefined && !process.env['CI'];

export const DECODERS: readonly {
  readonly id: Decoder['id'];
  readonly skipped: boolean;
  open(): Decoder;
  openEngine(): FfmpegEngine;
}[] = [
  {
    id: 'wasm',
    skipped: false,
    open: () => new FfmpegDecoder(openWasm()),
    openEngine: openWasm,
  },
  {
    id: 'native',
    skipped: WITHOUT_NATIVE,
    open: () => new FfmpegDecoder(openNative()),
    openEngine: openNative,
  },
];

function openWasm(): FfmpegEngine {
  return new WasmEngine();
}

function openNative(): FfmpegEngine {
  if (!native) throw new Error('There is no ffmpeg of version 5.1 or newer on the PATH.');
  return new NativeEngine(native);
}
