/** The thread of a `DecoderSession`: the decoder's graph and, beside it, the keys and values of every sequence that it reads. */

import type { Tensor } from '../onnx/element-type.js';
import { type RuntimeOptions, RuntimeSession } from '../onnx/runtime-session.js';
import { buffersOf, serveCalls } from '../onnx/thread-calls.js';
import { KvCache, type KvShape } from './kv-cache.js';

/** Letters: S new tokens, R of them whose logits are wanted, C channels, D channels of a head. */
export interface StepRequest {
  readonly sequence: number;
  /** Tokens that the sequence has before these. Rows beyond, left by a step whose caller did not wait for it, are forgotten. */
  readonly from: number;
  readonly tokens: number;
  /** `[S, C]` */
  readonly embeddings: Float32Array;
  /** `[S, D]` each */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  /** Which of the new tokens give logits and hidden states, at least one. */
  readonly rows: readonly number[];
}

/** `[R, vocabulary]` and `[R, C]` */
export interface StepAnswer {
  readonly logits: Float32Array;
  readonly hidden: Float32Array;
}

export type DecoderCalls = {
  readonly open: {
    readonly request: {
      readonly model: Uint8Array | string;
      readonly options: RuntimeOptions;
      readonly shape: KvShape;
    };
    readonly answer: null;
  };
  /** A new sequence with room for `capacity` tokens; with `of` it begins as a copy of that one's first `length`. */
  readonly begin: {
    readonly request: {
      readonly capacity: number;
      readonly of?: { readonly sequence: number; readonly length: number };
    };
    readonly answer: number;
  };
  readonly step: { readonly request: StepRequest; readonly answer: StepAnswer };
  readonly end: { readonly request: { readonly sequence: number }; readonly answer: null };
};

let session: RuntimeSession | undefined;
let shape: KvShape | undefined;
const caches = new Map<number, KvCache>();
let sequences = 0;

function cacheOf(sequence: number): KvCache {
  const cache = caches.get(sequence);
  if (!cache) throw new Error(`There is no sequence ${sequence}.`);
  return cache;
}

function floats(tensor: Tensor | undefined, name: string): Float32Array {
  if (tensor?.type !== 'float32') throw new Error(`The decoder gave no ${name}.`);
  return tensor.data;
}

serveCalls<DecoderCalls>(
  {
    async open({ model, options, shape: wanted }) {
      session = await RuntimeSession.open(model, options);
      shape = wanted;
      return { answer: null };
    },
    async begin({ capacity, of }) {
      if (!shape) throw new Error('No decoder is open.');
      let cache: KvCache;
      if (of) {
        cache = cacheOf(of.sequence).fork(capacity);
        cache.truncate(of.length);
      } else cache = new KvCache(shape, capacity);
      sequences += 1;
      caches.set(sequences, cache);
      return { answer: sequences };
    },
    async step({ sequence, from, tokens, embeddings, cos, sin, rows }) {
      if (!session) throw new Error('No decoder is open.');
      const cache = cacheOf(sequence);
      cache.truncate(from);
      const float32 = (data: Float32Array): Tensor => ({
        type: 'float32',
        shape: [1, tokens, data.length / tokens],
        data,
      });
      const outputs = await session.run(
        {
          ...cache.feeds(),
          inputs_embeds: float32(embeddings),
          cos: float32(cos),
          sin: float32(sin),
          logit_rows: { type: 'int64', shape: [rows.length], data: BigInt64Array.from(rows, BigInt) },
        },
        [],
      );
      cache.append(outputs, tokens);
      const answer = { logits: floats(outputs['logits'], 'logits'), hidden: floats(outputs['hidden'], 'hidden') };
      return { answer, transfer: buffersOf([answer.logits, answer.hidden]) };
    },
    async end({ sequence }) {
      caches.delete(sequence);
      return { answer: null };
    },
  },
  async () => session?.release(),
);
