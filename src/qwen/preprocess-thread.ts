/**
 * The thread that turns pictures into patches. A job is begun, gets its frame pairs one after another and is ended or dropped; each
 * pair is answered, so that the caller decides how many wait here and can stop between two of them.
 */

import { parentPort } from 'node:worker_threads';
import type { VisionConfig } from './config.js';
import { patchLength, writePatches } from './patches.js';
import { type ResizeRounding, type RgbPicture, resizeRgb } from './resize.js';
import type { PictureSize } from './smart-resize.js';
import type { PatchGrid } from './vision-layout.js';

export interface Job {
  /** Stands in every answer, since answers of a dropped job may still be on their way when the next one begins. */
  readonly id: number;
  readonly size: PictureSize;
  readonly grid: PatchGrid;
  /** `source` of the layout. */
  readonly source: Int32Array;
  readonly vision: VisionConfig;
  readonly pairs: number;
  readonly rounding: ResizeRounding;
}

export type PreprocessRequest =
  | { readonly kind: 'begin'; readonly job: Job }
  /** The frames of one pair; the last one stands for those that are missing. */
  | { readonly kind: 'pair'; readonly id: number; readonly pair: number; readonly frames: readonly RgbPicture[] }
  | { readonly kind: 'end'; readonly id: number }
  | { readonly kind: 'drop' };

export type PreprocessAnswer = { readonly id: number } & (
  | { readonly kind: 'pair-done' }
  | { readonly kind: 'done'; readonly patches: Float32Array<ArrayBuffer> }
  | { readonly kind: 'failed'; readonly message: string }
);

let current: { readonly job: Job; readonly patches: Float32Array<ArrayBuffer> } | undefined;

function answer(request: PreprocessRequest): PreprocessAnswer | undefined {
  switch (request.kind) {
    case 'begin': {
      const { job } = request;
      current = { job, patches: new Float32Array(job.pairs * pairLength(job)) };
      return undefined;
    }
    case 'pair': {
      // A job that has failed was already answered.
      if (current?.job.id !== request.id) return undefined;
      const { job, patches } = current;
      const resized = request.frames.map((frame) => resizeRgb(frame, job.size, job.rounding));
      const last = resized.at(-1);
      while (last && resized.length < job.vision.temporalPatchSize) resized.push(last);
      const from = request.pair * pairLength(job);
      writePatches(resized, job.grid, job.source, job.vision, patches.subarray(from, from + pairLength(job)));
      return { kind: 'pair-done', id: job.id };
    }
    case 'end': {
      if (current?.job.id !== request.id) return undefined;
      const { patches } = current;
      current = undefined;
      return { kind: 'done', id: request.id, patches };
    }
    case 'drop':
      current = undefined;
      return undefined;
    default:
      return request satisfies never;
  }
}

function pairLength({ source, vision }: Job): number {
  return source.length * patchLength(vision);
}

const port = parentPort;
if (!port) throw new Error('This module runs in a worker thread.');
port.on('message', (request: PreprocessRequest) => {
  let reply: PreprocessAnswer | undefined;
  try {
    reply = answer(request);
  } catch (error) {
    current = undefined;
    const id = request.kind === 'begin' ? request.job.id : request.kind === 'drop' ? 0 : request.id;
    reply = { kind: 'failed', id, message: error instanceof Error ? error.message : String(error) };
  }
  if (reply) port.postMessage(reply, reply.kind === 'done' ? [reply.patches.buffer] : []);
});
