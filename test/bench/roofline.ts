/** What the machine can do at best: bytes per second from memory, and products per second in the runtime. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GraphBuilder } from '../../src/onnx/graph.js';
import { modelBytes } from '../../src/onnx/model-proto.js';
import { Session } from '../../src/onnx/session.js';
import { GraphWeights } from '../../src/qwen/graphs/weights.js';
import type { Weight, WeightSource } from '../../src/qwen/weight.js';
import type { Dtype } from '../../src/qwen/weight-format.js';

const BANDWIDTH_BYTES = 256 << 20;
const BANDWIDTH_PASSES = 6;

/** Compares equal buffers larger than any cache, one pair a thread: both are read to the end by the C library's fastest loop. */
export async function readBytesPerSecond(threads = availableParallelism()): Promise<number> {
  const source = `
    const { parentPort } = require('node:worker_threads');
    const [a, b] = [Buffer.alloc(${BANDWIDTH_BYTES}, 1), Buffer.alloc(${BANDWIDTH_BYTES}, 1)];
    a.equals(b);
    const start = performance.timeOrigin + performance.now();
    for (let pass = 0; pass < ${BANDWIDTH_PASSES}; pass++) if (!a.equals(b)) throw new Error();
    parentPort.postMessage([start, performance.timeOrigin + performance.now()]);`;
  const spans = await Promise.all(
    Array.from({ length: threads }, () => {
      const worker = new Worker(source, { eval: true });
      return new Promise<[number, number]>((resolve, reject) => worker.once('message', resolve).once('error', reject));
    }),
  );
  const seconds = (Math.max(...spans.map(([, end]) => end)) - Math.min(...spans.map(([start]) => start))) / 1000;
  return (threads * BANDWIDTH_PASSES * 2 * BANDWIDTH_BYTES) / seconds;
}

const [OUT, IN] = [11_008, 2048];

/** Best of several runs of one product of the decoder's MLP, in operations (a multiplication and an addition are two). */
export async function productsPerSecond(dtype: Dtype, rows: number, threads: number): Promise<number> {
  const graph = new GraphBuilder('product');
  const x = graph.input('x', 'float32', [rows, IN]);
  const weights = new GraphWeights(graph, randomWeights(), dtype);
  const y = weights.linear(x, 'w', { kind: 'decoder', in: IN, out: OUT, bias: false });
  graph.output('last', graph.op('ReduceMax', [y, graph.int64([0])]), 'float32', [1, OUT]);
  const session = await Session.open(await modelBytes(graph.build()), { threads });
  const feeds = { x: { type: 'float32', shape: [rows, IN], data: new Float32Array(rows * IN).fill(0.5) } } as const;
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 8; run++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  await session.close();
  return (2 * rows * IN * OUT) / best;
}

function randomWeights(): WeightSource {
  return {
    weight: (name, shape): Weight => ({
      name,
      shape,
      type: 'float32',
      async *rows() {
        const [out = 0, input = 0] = shape;
        const row = new Float32Array(input).map(() => Math.random() - 0.5);
        for (let i = 0; i < out; i++) yield row;
      },
    }),
  };
}
