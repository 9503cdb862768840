/**
 * A part of an ONNX model as a model of its own: what is needed for some of its outputs. Exports carry outputs that nobody asks for, which the
 * runtime computes and keeps all the same, and two graphs behind one `If`, which hides constants from it.
 */

import { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR, VALUE_INFO } from './model-proto.js';
import { Message } from './protobuf.js';

export interface ModelCut {
  /** Which outputs are wanted, at least one. */
  readonly outputs: (name: string) => boolean;
  /** Takes a branch of the model's one `If` in its place; the choosing input is gone. @default the whole graph */
  readonly branch?: 'then_branch' | 'else_branch';
}

interface Node {
  readonly bytes: Uint8Array;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * @param model an ONNX file with its weights in it
 * @throws {Error} when it is no such file, or has not what is asked for
 */
export async function cutModel(model: Uint8Array, { outputs: wanted, branch }: ModelCut): Promise<Uint8Array> {
  const file = readMessage(model);
  const graph = readMessage(only(file, MODEL.graph));
  const outer = all(graph, GRAPH.node).map(readNode);
  const inner = branch === undefined ? undefined : readMessage(branchOf(outer, branch));
  const nodes = [
    ...outer.filter(({ operator }) => inner === undefined || operator !== 'If'),
    ...(inner ? all(inner, GRAPH.node).map(readNode) : []),
  ];
  const outputs = all(inner ?? graph, GRAPH.output).filter((value) => wanted(nameOf(value, VALUE_INFO.name)));
  if (outputs.length === 0) throw new Error('The model has none of the wanted outputs.');
  const kept = needed(
    nodes,
    outputs.map((value) => nameOf(value, VALUE_INFO.name)),
  );
  const used = new Set(kept.flatMap(({ inputs }) => inputs));
  const cut = new Message().string(GRAPH.name, 'cut');
  for (const { bytes } of kept) cut.bytes(GRAPH.node, bytes);
  for (const graphs of inner ? [graph, inner] : [graph])
    for (const weights of all(graphs, GRAPH.initializer))
      if (used.has(nameOf(weights, TENSOR.name))) cut.bytes(GRAPH.initializer, weights);
  for (const value of all(graph, GRAPH.input))
    if (used.has(nameOf(value, VALUE_INFO.name))) cut.bytes(GRAPH.input, value);
  for (const value of outputs) cut.bytes(GRAPH.output, value);
  const whole = new Message().integer(MODEL.irVersion, integer(file, MODEL.irVersion));
  for (const opset of all(file, MODEL.opsetImport)) whole.bytes(MODEL.opsetImport, opset);
  return whole.message(MODEL.graph, cut).toBytes();
}

function branchOf(nodes: readonly Node[], branch: string): Uint8Array {
  const [choice, other] = nodes.filter(({ operator }) => operator === 'If');
  if (!choice || other) throw new Error('The model has not exactly one If.');
  const attribute = all(readMessage(choice.bytes), NODE.attribute)
    .map(readMessage)
    .find((fields) => text(only(fields, ATTRIBUTE.name)) === branch);
  if (!attribute) throw new Error(`The If has no ${branch}.`);
  return only(attribute, ATTRIBUTE.graph);
}

/** The nodes, in their order, from which the named values come. */
function needed(nodes: readonly Node[], names: readonly string[]): Node[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const kept = new Set<Node>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name);
    if (!maker || kept.has(maker)) continue;
    kept.add(maker);
    open.push(...maker.inputs);
  }
  return nodes.filter((node) => kept.has(node));
}

function readNode(bytes: Uint8Array): Node {
  const fields = readMessage(bytes);
  return {
    bytes,
    operator: text(only(fields, NODE.opType)),
    inputs: all(fields, NODE.input).map(text),
    outputs: all(fields, NODE.output)
      .map(text)
      .filter((name) => name !== ''),
  };
}

function nameOf(bytes: Uint8Array, field: number): string {
  return text(only(readMessage(bytes), field));
}

/** A field's value: the bytes of what has a length, or a whole number. */
interface Field {
  readonly field: number;
  readonly value: Uint8Array | bigint;
}

/** The fields of a message in order, values as views of its bytes. */
function readMessage(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let place = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[place++];
      if (byte === undefined) throw new Error('The model ends early.');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('The model is no protobuf.');
  };
  const take = (length: number): Uint8Array => {
    if (place + length > bytes.length) throw new Error('The model ends early.');
    place += length;
    return bytes.subarray(place - length, place);
  };
  while (place < bytes.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    switch (tag & 7) {
      case 0:
        fields.push({ field, value: varint() });
        break;
      case 1:
        take(8);
        break;
      case 2:
        fields.push({ field, value: take(Number(varint())) });
        break;
      case 5:
        take(4);
        break;
      default:
        throw new Error('The model is no protobuf.');
    }
  }
  return fields;
}

function all(fields: readonly Field[], wanted: number): Uint8Array[] {
  return fields.flatMap(({ field, value }) => (field === wanted && value instanceof Uint8Array ? [value] : []));
}

function only(fields: readonly Field[], wanted: number): Uint8Array {
  const [value] = all(fields, wanted);
  if (!value) throw new Error(`The model lacks field ${wanted}.`);
  return value;
}

function integer(fields: readonly Field[], wanted: number): bigint {
  const value = fields.find(({ field }) => field === wanted)?.value;
  if (typeof value !== 'bigint') throw new Error(`The model lacks field ${wanted}.`);
  return value;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
