import { afterEach, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/onnx/graph.js';
import { cutModel } from '../../../src/onnx/model-cut.js';
import { modelBytes } from '../../../src/onnx/model-proto.js';
import { Session } from '../../../src/onnx/session.js';
import { float32Bytes, floats, floatsOf } from './open-graph.js';

const sessions: Session[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
});

async function open(model: Uint8Array): Promise<Session> {
  const session = await Session.open(model, { threads: 1 });
  sessions.push(session);
  return session;
}

/** `sum` needs both inputs, `scaled` the first and weights of its own; `either` is one of two things, as a flag says. */
function model(): Promise<Uint8Array> {
  const graph = new GraphBuilder('test');
  const first = graph.input('first', 'float32', [2]);
  const second = graph.input('second', 'float32', [2]);
  const flag = graph.input('flag', 'bool', [1]);
  const weights = graph.initializer('weights', 'float32', [2], float32Bytes([10, 100]));
  graph.output('sum', graph.op('Add', [first, second]), 'float32', [2]);
  graph.output('scaled', graph.op('Mul', [first, weights]), 'float32', [2]);
  const either = graph.choose(
    flag,
    'float32',
    () => graph.op('Sub', [graph.op('Neg', [second]), weights]),
    () => graph.op('Add', [first, first]),
  );
  graph.output('either', either, 'float32', [2]);
  return modelBytes(graph.build());
}

describe('a part of a model', () => {
  it('is what one output needs, and computes the same', async () => {
    const session = await open(await cutModel(await model(), { outputs: (name) => name === 'scaled' }));
    expect([session.inputs, session.outputs]).toEqual([['first'], ['scaled']]);
    expect(floatsOf((await session.run({ first: floats([2], [1, 2]) }))['scaled'])).toEqual([10, 200]);
  });

  it('is a branch without the choice', async () => {
    const then = await open(await cutModel(await model(), { branch: 'then_branch', outputs: () => true }));
    expect(then.inputs).toEqual(['second']);
    const [result] = Object.values(await then.run({ second: floats([2], [1, 2]) }));
    expect(floatsOf(result)).toEqual([-11, -102]);
    const otherwise = await open(await cutModel(await model(), { branch: 'else_branch', outputs: () => true }));
    expect(otherwise.inputs).toEqual(['first']);
  });

  it('is refused where the model has it not, or is none', async () => {
    const bytes = await model();
    await expect(cutModel(bytes, { outputs: () => false })).rejects.toThrow('none of the wanted outputs');
    await expect(cutModel(bytes.subarray(0, bytes.length - 7), { outputs: () => true })).rejects.toThrow('ends early');
    await expect(cutModel(Uint8Array.of(0xff, 0xff), { outputs: () => true })).rejects.toThrow('ends early');
    const plain = new GraphBuilder('plain');
    plain.output('y', plain.op('Neg', [plain.input('x', 'float32', [1])]), 'float32', [1]);
    const cut = cutModel(await modelBytes(plain.build()), { branch: 'then_branch', outputs: () => true });
    await expect(cut).rejects.toThrow('not exactly one If');
  });
});
