import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/onnx/graph.js';
import { writeModelFiles } from '../../../src/onnx/model-proto.js';
import { Session } from '../../../src/onnx/session.js';
import { float32Bytes, floats, floatsOf, openGraph } from './open-graph.js';

const directory = mkdtempSync(path.join(tmpdir(), 'longwatch-model-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function withSession<T>(session: Session, use: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

describe('a written model, read by ONNX Runtime', () => {
  it('keeps names of inputs and outputs', async () => {
    const session = await openGraph((graph) => {
      const a = graph.input('first', 'float32', ['rows', 2]);
      const b = graph.input('second', 'float32', ['rows', 2]);
      graph.output('sum', graph.op('Add', [a, b]), 'float32', ['rows', 2]);
      graph.output('difference', graph.op('Sub', [a, b]), 'float32', ['rows', 2]);
    });
    await withSession(session, async () => {
      expect(session.inputs).toEqual(['first', 'second']);
      expect(session.outputs).toEqual(['sum', 'difference']);
      const feeds = { first: floats([1, 2], [5, 7]), second: floats([1, 2], [1, 2]) };
      const all = await session.run(feeds);
      expect(floatsOf(all['sum'])).toEqual([6, 9]);
      expect(floatsOf(all['difference'])).toEqual([4, 5]);
      expect(Object.keys(await session.run(feeds, { outputs: ['difference'] }))).toEqual(['difference']);
    });
  });

  it('takes named dimensions in any size and fixed ones in no other', async () => {
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'float32', ['rows', 2]);
      graph.output('y', graph.op('Neg', [x]), 'float32', ['rows', 2]);
    });
    await withSession(session, async () => {
      for (const rows of [1, 3])
        expect((await session.run({ x: floats([rows, 2], new Array(rows * 2).fill(1)) }))['y']?.shape).toEqual([
          rows,
          2,
        ]);
      await expect(session.run({ x: floats([2, 1], [1, 1]) })).rejects.toMatchObject({ code: 'model_failed' });
    });
  });

  it('keeps attributes of every kind', async () => {
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'float32', [2, 2]);
      const transposed = graph.op('Transpose', [x], { perm: { ints: [1, 0] } });
      const leaky = graph.op('LeakyRelu', [transposed], { alpha: { float: 0.25 } });
      const floatList = graph.op('Constant', [], { value_floats: { floats: [10, 20] } });
      const whole = graph.op('Gelu', [x], { approximate: { string: 'tanh' } });
      graph.output('y', graph.op('Add', [leaky, floatList]), 'float32', [2, 2]);
      graph.output('argmax', graph.op('ArgMax', [x], { axis: { int: -1 }, keepdims: { int: 0 } }), 'int64', [2]);
      graph.output('tanh', whole, 'float32', [2, 2]);
    });
    await withSession(session, async () => {
      const results = await session.run({ x: floats([2, 2], [-4, 3, 1, -8]) });
      expect(floatsOf(results['y'])).toEqual([9, 21, 13, 18]);
      expect(results['argmax']).toEqual({ type: 'int64', shape: [2], data: BigInt64Array.of(1n, 0n) });
      // 0.5·(1 + tanh(√(2/π)·(1 + 0.044715))) = 0.841192; the exact error function gives 0.841345.
      expect(floatsOf(results['tanh'])[2]).toBeCloseTo(0.841192, 6);
    });
  });

  it('keeps text attributes, one and many', async () => {
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'int64', [3]);
      const [y] = graph.node('LabelEncoder', [graph.op('Cast', [x], { to: { int: 8 } })], {
        domain: 'ai.onnx.ml',
        attributes: { classes_strings: { strings: ['1', '2'] }, default_int64: { int: -1 } },
      });
      if (y) graph.output('y', y, 'int64', [3]);
    });
    await withSession(session, async () => {
      const { y } = await session.run({ x: { type: 'int64', shape: [3], data: BigInt64Array.of(2n, 1n, 7n) } });
      expect(y?.data).toEqual(BigInt64Array.of(1n, 0n, -1n));
    });
  });

  it('keeps several outputs of one node', async () => {
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'float32', [4]);
      const [head, tail] = graph.node('Split', [x], { outputs: 2, attributes: { num_outputs: { int: 2 } } });
      if (head && tail) graph.output('y', graph.op('Sub', [tail, head]), 'float32', [2]);
    });
    await withSession(session, async () => {
      expect(floatsOf((await session.run({ x: floats([4], [1, 2, 10, 20]) }))['y'])).toEqual([9, 18]);
    });
  });

  it.each([
    ['float32', float32Bytes([1.5, -2])],
    ['float16', Uint8Array.of(0x00, 0x3e, 0x00, 0xc0)],
    ['bfloat16', Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0)],
  ] as const)('reads %s weights as they are stored', async (type, bytes) => {
    const session = await openGraph((graph) => {
      const w = graph.initializer('w', type, [2], bytes);
      graph.output('y', graph.op('Cast', [w], { to: { int: 1 } }), 'float32', [2]);
    });
    await withSession(session, async () => {
      expect(floatsOf((await session.run({}))['y'])).toEqual([1.5, -2]);
    });
  });

  it.each([
    ['uint8', [3], [5, 250, 7]],
    ['int8', [3], [5, 250, 7]],
    ['int4', [3], [0x92, 0x07]],
    ['uint4', [3], [0x92, 0x07]],
  ] as const)('reads %s weights as they are stored', async (type, shape, bytes) => {
    const session = await openGraph((graph) => {
      const w = graph.initializer('w', type, shape, Uint8Array.from(bytes));
      graph.output('y', graph.op('DequantizeLinear', [w, graph.float32(2)]), 'float32', shape);
    });
    const expected = { uint8: [10, 500, 14], int8: [10, -12, 14], int4: [4, -14, 14], uint4: [4, 18, 14] };
    await withSession(session, async () => {
      expect(floatsOf((await session.run({}))['y'])).toEqual(expected[type]);
    });
  });

  it('runs a product with 4-bit blocks of weights, as large models use', async () => {
    // One output row of 32 weights: value (nibble − 8) · scale. Nibbles 0..15 twice.
    const nibbles = Array.from({ length: 32 }, (_, i) => i % 16);
    const packed = Uint8Array.from({ length: 16 }, (_, i) => (nibbles[2 * i] ?? 0) | ((nibbles[2 * i + 1] ?? 0) << 4));
    const session = await openGraph((graph) => {
      const x = graph.input('x', 'float32', ['rows', 32]);
      const w = graph.initializer('w', 'uint8', [1, 1, 16], packed);
      const scale = graph.initializer('scale', 'float32', [1], float32Bytes([0.5]));
      const attributes = { K: { int: 32 }, N: { int: 1 }, bits: { int: 4 }, block_size: { int: 32 } };
      const [y] = graph.node('MatMulNBits', [x, w, scale], { domain: 'com.microsoft', attributes });
      if (y) graph.output('y', y, 'float32', ['rows', 1]);
    });
    await withSession(session, async () => {
      const x = Array.from({ length: 32 }, (_, i) => i);
      const expected = x.reduce((sum, value, i) => sum + value * ((nibbles[i] ?? 0) - 8) * 0.5, 0);
      expect(expected).toBe(216);
      expect(floatsOf((await session.run({ x: floats([1, 32], x) }))['y'])).toEqual([expected]);
    });
  });

  it('refuses a graph that does not fit together, and says where', async () => {
    const opening = openGraph((graph) => {
      const x = graph.input('x', 'float32', [2, 3]);
      graph.output('y', graph.op('MatMul', [x, x]), 'float32', [2, 3]);
    });
    await expect(opening).rejects.toMatchObject({ code: 'model_failed', message: expect.stringContaining('MatMul') });
  });
});

describe('weights in a file beside the model', () => {
  const large = Array.from({ length: 300 }, (_, i) => i);
  const build = () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', [300]);
    const w = graph.initializer('w', 'float32', [300], float32Bytes(large));
    const v = graph.initializer('v', 'float32', [300], float32Bytes(large.map((value) => value * 1000)));
    const sum = graph.op('Add', [graph.op('Mul', [x, w]), v]);
    graph.output('y', graph.op('Add', [sum, graph.float32(0.5)]), 'float32', [300]);
    return graph.build();
  };

  it('give the same results as weights inside it', async () => {
    const files = await writeModelFiles(build(), directory, 'same');
    expect(path.basename(files.dataPath)).toBe('same.onnx.data');
    expect(files.dataBytes).toBe(4096 + 1200);
    expect(statSync(files.dataPath).size).toBe(4096 + 1200);
    expect(readFileSync(files.modelPath).byteLength).toBeLessThan(1200);
    await withSession(await Session.open(files.modelPath, { threads: 1 }), async (session) => {
      const { y } = await session.run({ x: floats([300], new Array(300).fill(2)) });
      expect(floatsOf(y)).toEqual(large.map((value) => value * 1002 + 0.5));
    });
  });

  it('replace older files of the same name, and leave nothing else behind', async () => {
    const own = mkdtempSync(path.join(directory, 'own-'));
    await writeModelFiles(build(), own, 'again');
    await writeModelFiles(build(), own, 'again');
    expect(readdirSync(own).sort()).toEqual(['again.onnx', 'again.onnx.data']);
  });

  it('that fail to be read leave nothing behind', async () => {
    const own = mkdtempSync(path.join(directory, 'own-'));
    const graph = new GraphBuilder('g');
    const failing = {
      byteLength: 4096,
      async *chunks() {
        yield new Uint8Array(2048);
        throw new Error('the disk went away');
      },
    };
    graph.output('y', graph.initializer('w', 'float32', [1024], failing), 'float32', [1024]);
    await expect(writeModelFiles(graph.build(), own, 'broken')).rejects.toThrow('the disk went away');
    expect(readdirSync(own)).toEqual([]);
  });

  it('into a folder that is not there is a clear error', async () => {
    const missing = path.join(directory, 'missing');
    await expect(writeModelFiles(build(), missing, 'm')).rejects.toMatchObject({ code: 'file_not_found' });
    expect(existsSync(missing)).toBe(false);
  });

  it('that are missing when the model is opened are a clear error', async () => {
    const { modelPath, dataPath } = await writeModelFiles(build(), directory, 'lost');
    rmSync(dataPath);
    await expect(Session.open(modelPath)).rejects.toMatchObject({ code: 'model_failed' });
  });
});
