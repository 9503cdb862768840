import { describe, expect, it } from 'vitest';
import { GraphBuilder, type Value } from '../../../src/onnx/graph.js';
import { float32Bytes, floats, floatsOf, openGraph } from './open-graph.js';

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

describe('a choice', () => {
  const build = (graph: GraphBuilder) => {
    const [x, y] = [graph.input('x', 'float32', ['n']), graph.input('y', 'float32', ['m'])];
    const first = graph.op('Equal', [graph.op('Shape', [x]), graph.int64([1])]);
    // Where x has one element the other side could not run: 3 and 2 elements do not add up.
    const value = graph.choose(
      first,
      'float32',
      () => graph.op('Add', [graph.op('Neg', [x]), graph.float32(0.5)]),
      () =>
        graph.choose(
          graph.op('Not', [first]),
          'float32',
          () => graph.op('Add', [x, y]),
          () => x,
        ),
    );
    graph.output('z', value, 'float32', ['k']);
  };

  it('computes the side that is taken, and only that', async () => {
    const session = await openGraph(build);
    const y = floats([2], [10, 20]);
    expect(floatsOf((await session.run({ x: floats([1], [3]), y: floats([3], [1, 2, 3]) }))['z'])).toEqual([-2.5]);
    expect(floatsOf((await session.run({ x: floats([2], [1, 2]), y }))['z'])).toEqual([11, 22]);
    await expect(session.run({ x: floats([3], [1, 2, 3]), y })).rejects.toMatchObject({ code: 'model_failed' });
    await session.close();
  });

  it('may give out a value from outside', async () => {
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'float32', ['n']);
      const none = graph.op('Equal', [graph.op('Shape', [x]), graph.int64([0])]);
      const value = graph.choose(
        none,
        'float32',
        () => x,
        () => graph.op('Neg', [x]),
      );
      graph.output('y', value, 'float32', ['n']);
    });
    expect(floatsOf((await session.run({ x: floats([2], [1, 2]) }))['y'])).toEqual([-1, -2]);
    expect(floatsOf((await session.run({ x: floats([0], []) }))['y'])).toEqual([]);
    await session.close();
  });

  it('keeps what a side makes inside', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'bool', [1]);
    let inside: Value | undefined;
    const make = () => {
      inside = graph.op('Not', [x]);
      return inside;
    };
    graph.choose(x, 'bool', make, () => x);
    expect(() => graph.op('Not', [inside])).toThrow('is not a value of the graph');
    expect(() => graph.choose(x, 'bool', make, () => inside ?? x)).toThrow('is not a value of the graph');
    const giveOut = () => {
      graph.output('y', x, 'bool', [1]);
      return x;
    };
    expect(() => graph.choose(x, 'bool', giveOut, () => x)).toThrow('cannot come out of a branch');
    // A side that failed leaves the builder outside of it.
    graph.output('y', graph.op('Not', [x]), 'bool', [1]);
    expect(graph.build().nodes.map(({ opType }) => opType)).toEqual(['If', 'Not', 'Identity']);
  });
});
