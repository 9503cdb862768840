/** A session over a graph that is built on the spot. */

import type { Tensor } from '../../../src/onnx/element-type.js';
import { GraphBuilder } from '../../../src/onnx/graph.js';
import { modelBytes } from '../../../src/onnx/model-proto.js';
import { Session, type SessionOptions } from '../../../src/onnx/session.js';

export async function openGraph(build: (graph: GraphBuilder) => void, options: SessionOptions = {}): Promise<Session> {
  const graph = new GraphBuilder('test');
  build(graph);
  return Session.open(await modelBytes(graph.build()), { threads: 1, ...options });
}

export function floats(shape: readonly number[], values: Iterable<number>): Tensor {
  return { type: 'float32', shape, data: Float32Array.from(values) };
}

export function float32Bytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

export function floatsOf(tensor: Tensor | undefined): number[] {
  if (tensor?.type !== 'float32') throw new Error(`Expected float32, got ${tensor?.type}.`);
  return [...tensor.data];
}

/** Multiplies `[n, n]` by itself `times` times over: work that takes a while inside the runtime. */
export function busyGraph(size: number, times: number): (graph: GraphBuilder) => void {
  return (graph) => {
    const x = graph.input('x', 'float32', [size, size]);
    let y = x;
    for (let i = 0; i < times; i++) y = graph.op('MatMul', [y, x]);
    graph.output('y', y, 'float32', [size, size]);
  };
}
