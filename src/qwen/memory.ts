/** How much memory a piece of work takes, and whether there is that much: a refusal with numbers instead of a process that is killed. */

import { freemem } from 'node:os';
import { LongwatchError } from '../errors.js';
import type { TextConfig, VisionConfig } from './config.js';

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/** Bytes that this process can still take: what the machine has left, or its container. */
export function availableBytes(): number {
  return Math.min(freemem(), process.availableMemory());
}

/**
 * @param what a sentence's subject, e.g. `A prompt of 1,440 tokens`
 * @throws {LongwatchError} `overloaded` with both figures
 */
export function requireMemory(what: string, neededBytes: number, available = availableBytes()): void {
  if (neededBytes <= available) return;
  throw new LongwatchError(
    'overloaded',
    `${what} takes ${megabytes(neededBytes)}, but ${megabytes(available)} are free.`,
    {
      hint: 'Take shorter windows, fewer tokens per frame or weights of fewer bits, or free some memory.',
      retry: 'smaller',
    },
  );
}

/** What one frame pair takes inside the vision encoder: the widest rows of a block, and all scores of a block of full attention. */
export function visionPairBytes(vision: VisionConfig, slots: number): number {
  const row = 8 * vision.hiddenSize + 2 * vision.intermediateSize;
  return FLOAT * (slots * row + vision.heads * slots ** 2);
}

/** What reading `tokens` after `past` others takes inside the decoder beside its cache. */
export function decoderStepBytes(text: TextConfig, tokens: number, past: number): number {
  const row = 8 * text.hiddenSize + 3 * text.intermediateSize;
  // The kernels write past and new rows of one layer once more, and hold the scores of all heads.
  const layer = 2 * (past + tokens) * text.kvHeads * text.headDim;
  return FLOAT * (tokens * row + layer + text.heads * tokens * (past + tokens) + 2 * text.vocabSize);
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MB`;
}
