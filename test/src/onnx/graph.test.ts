import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/onnx/graph.js';
import { float32Bytes } from './open-graph.js';

describe('a graph', () => {
  it('lists its parts in the order in which they were added', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', ['rows', 2]);
    const w = graph.initializer('w', 'float32', [2], float32Bytes([1, 2]));
    const sum = graph.within('outer', () => graph.within('inner', () => graph.op('Add', [x, w])));
    graph.output('y', sum, 'float32', ['rows', 2]);
    const built = graph.build();
    expect(built.inputs).toEqual([{ name: 'x', type: 'float32', shape: ['rows', 2] }]);
    expect(built.initializers.map(({ name }) => name)).toEqual(['w']);
    expect(built.nodes.map(({ name, inputs, outputs }) => ({ name, inputs, outputs }))).toEqual([
      { name: 'outer/inner/Add_0', inputs: ['x', 'w'], outputs: ['outer/inner/Add_0:out'] },
      { name: 'output/y', inputs: ['outer/inner/Add_0:out'], outputs: ['y'] },
    ]);
    expect([...built.opsets]).toEqual([['', 23]]);
  });

  it('imports the operator set of every domain that a node is from', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', [1]);
    const [y] = graph.node('QuickGelu', [x], { domain: 'com.microsoft' });
    if (y) graph.output('y', y, 'float32', [1]);
    expect([...graph.build().opsets]).toEqual([
      ['', 23],
      ['com.microsoft', 1],
    ]);
  });

  it('leaves an optional input out by an empty name', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', [1]);
    graph.output('y', graph.op('Clip', [x, undefined, graph.float32(1)]), 'float32', [1]);
    expect(graph.build().nodes[0]?.inputs).toEqual(['x', '', 'constant/float32[]=1']);
  });

  it('keeps one copy of equal constants, and tells a scalar from a list of one', () => {
    const graph = new GraphBuilder('g');
    expect(graph.int64([1, 2])).toBe(graph.int64([1, 2]));
    expect(graph.float32(0.5)).toBe(graph.float32(0.5));
    expect(graph.int64(1)).not.toBe(graph.int64([1]));
  });

  it('refuses a second value of the same name', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', [1]);
    expect(() => graph.input('x', 'float32', [1])).toThrow('already has a value "x"');
    expect(() => graph.initializer('x', 'float32', [1], new Uint8Array(4))).toThrow('already has a value "x"');
    expect(() => graph.output('x', x, 'float32', [1])).toThrow('already has a value "x"');
  });

  it('refuses a value of another graph, even of the same name', () => {
    const graph = new GraphBuilder('g');
    graph.input('x', 'float32', [1]);
    const stranger = new GraphBuilder('h').input('x', 'float32', [1]);
    expect(() => graph.op('Neg', [stranger])).toThrow('"x" is not a value of the graph "g"');
    expect(() => graph.output('y', stranger, 'float32', [1])).toThrow('not a value');
  });

  it.each([
    ['float32', [2, 3], 23],
    ['float16', [2, 3], 24],
    ['int4', [3], 1],
    ['int64', [], 4],
    ['float32', [2 ** 30, 2 ** 30], 8],
  ] as const)('refuses %s%j in %i bytes as bad weights', (type, shape, bytes) => {
    const graph = new GraphBuilder('g');
    expect(() => graph.initializer('w', type, shape, new Uint8Array(bytes))).toThrow(
      expect.objectContaining({ code: 'bad_weights', message: expect.stringContaining('"w"') }),
    );
  });

  it('packs 4-bit elements two to a byte', () => {
    const graph = new GraphBuilder('g');
    expect(graph.initializer('w', 'int4', [3], new Uint8Array(2)).shape).toEqual([3]);
  });

  it('without an output is refused', () => {
    expect(() => new GraphBuilder('g').build()).toThrow('no output');
  });

  it('refuses a node without an operator or without outputs', () => {
    const graph = new GraphBuilder('g');
    expect(() => graph.op('', [])).toThrow('operator');
    expect(() => graph.node('Split', [], { outputs: 0 })).toThrow('0 outputs');
  });
});
