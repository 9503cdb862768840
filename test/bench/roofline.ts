/** What the machine can do at best: bytes per second from memory, and products per second in the runtime. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GraphBuilder } from '../../src/onnx/graph.js';
import { modelBytes } from '../../src/onnx/model-proto.js';
import { Session } from '../../src/onnx/session.js';
import { GraphWeights } from '../../src/qwen/graphs/weights.js';
import type { Weight, WeightSource } from '../../src/qwen/weight.js';
import type { Dtype } from '../../src/qwen/weight-format.js';

/** Of each of the two buffers of a thread: larger than any cache, and read in some ten milliseconds. */
const BANDWIDTH_BYTES = 128 << 20;
const BANDWIDTH_PASSES = 60;

/**
 * The best of many short passes, since others may use the machine. In a pass every thread compares two equal buffers, which the C library
 * reads to the end with its fastest loop; all begin together.
 */
export async function readBytesPerSecond(threads = availableParallelism()): Promise<number> {
  const source = `
    const { parentPort, workerData: arrived } = require('node:worker_threads');
    const [a, b] = [Buffer.alloc(${BANDWIDTH_BYTES}, 1), Buffer.alloc(${BANDWIDTH_BYTES}, 1)];
    a.equals(b);
    const spans = [];
    for (let pass = 0; pass < ${BANDWIDTH_PASSES}; pass++) {
      Atomics.add(arrived, pass, 1);
      while (Atomics.load(arrived, pass) < ${threads});
      const start = performance.timeOrigin + performance.now();
      if (!a.equals(b)) throw new Error();
      spans.push([start, performance.timeOrigin + performance.now()]);
    }
    parentPort.postMessage(spans);`;
  const arrived = new Int32Array(new SharedArrayBuffer(4 * BANDWIDTH_PASSES));
  const passes = await Promise.all(
    Array.from({ length: threads }, () => {
      const worker = new Worker(source, { eval: true, workerData: arrived });
      return new Promise<[number, number][]>((resolve, reject) =>
        worker.once('message', resolve).once('error', reject),
      );
    }),
  );
  const seconds = Array.from({ length: BANDWIDTH_PASSES }, (_, pass) => {
    const spans = passes.map((ofThread) => ofThread[pass] as [number, number]);
    return (Math.max(...spans.map(([, end]) => end)) - Math.min(...spans.map(([start]) => start))) / 1000;
  });
  return (threads * 2 * BANDWIDTH_BYTES) / Math.min(...seconds);
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
