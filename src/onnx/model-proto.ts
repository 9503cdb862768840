/**
 * A graph as an ONNX model: in one buffer, or as a file with its weights beside it.
 * Field numbers are those of onnx.proto3 (ONNX 1.18, IR version 11).
 */

import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { toLongwatchError } from '../errors.js';
import { drain } from './byte-source.js';
import { onnxCode } from './element-type.js';
import type { Attribute, Branch, Graph, Initializer, Node, Port } from './graph.js';
import { Message } from './protobuf.js';

/** First IR version that knows operator set 23. */
const IR_VERSION = 11;

// Field numbers of messages; `model-cut.ts` reads by them.
export const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 } as const;
const OPSET = { domain: 1, version: 2 } as const;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
export const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  float: 2,
  int: 3,
  string: 4,
  graph: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  type: 20,
} as const;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7, strings: 8 } as const;
export const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9, externalData: 13, dataLocation: 14 } as const;
const EXTERNAL = 1;
const ENTRY = { key: 1, value: 2 } as const;
export const VALUE_INFO = { name: 1, type: 2 } as const;
const TYPE = { tensor: 1 } as const;
const TENSOR_TYPE = { elementType: 1, shape: 2 } as const;
const SHAPE = { dimension: 1 } as const;
const DIMENSION = { value: 1, name: 2 } as const;

/** Where a tensor's bytes stand in a file beside the model. */
interface Placement {
  readonly location: string;
  readonly offset: number;
}

/** The model with all weights inside, in a buffer of its own. @throws {Error} above 2 GiB; use `writeModelFiles`. */
export async function modelBytes(graph: Graph): Promise<Uint8Array<ArrayBuffer>> {
  return modelMessage(graph, new Map()).toBytes();
}

/** Weights below this stay inside the model file: a page of its own for a bias would be waste. */
const INLINE_BELOW_BYTES = 1024;
/** The runtime maps the weights file into memory; a tensor that starts a page can be mapped as it is. */
const PAGE_BYTES = 4096;

export interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface ModelFiles {
  readonly modelPath: string;
  /** Weights; it must stay beside the model file under this name. */
  readonly dataPath: string;
  readonly dataBytes: number;
  readonly files: readonly WrittenFile[];
}

export interface WriteOptions {
  /** Called after every chunk with its size: for progress, and to stop, since what it throws ends the writing. */
  readonly onBytes?: (bytes: number) => void;
}

/** Bytes of the weights file that `writeModelFiles` will write. */
export function dataFileBytes(graph: Graph): number {
  return placements(graph, '').end;
}

/** Where every weight that is large enough to lie outside the model file goes. */
function placements(graph: Graph, location: string) {
  const placed = new Map<Initializer, Placement>();
  let end = 0;
  for (const initializer of graph.initializers) {
    if (initializer.data.byteLength < INLINE_BELOW_BYTES) continue;
    const offset = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    placed.set(initializer, { location, offset });
    end = offset + initializer.data.byteLength;
  }
  return { placed, end };
}

/**
 * Writes `<name>.onnx` and `<name>.onnx.data` into `directory`, reading every weight once and holding one chunk of it.
 * The weights file may be larger than protobuf's 2 GiB. Both are on the disk, not only in its cache, before they get their names.
 * @throws {LongwatchError} `disk_full`, `unreadable_file` or `internal`; nothing is left behind but what stood there before.
 */
export async function writeModelFiles(
  graph: Graph,
  directory: string,
  name: string,
  options: WriteOptions = {},
): Promise<ModelFiles> {
  const modelPath = path.join(directory, `${name}.onnx`);
  const dataPath = path.join(directory, `${name}.onnx.data`);
  const { placed, end } = placements(graph, path.basename(dataPath));
  const partial = [`${dataPath}.partial`, `${modelPath}.partial`] as const;
  try {
    const data = await writeFileDurably(partial[0], options, async (write) => {
      let position = 0;
      for (const [initializer, { offset }] of placed) {
        await write(new Uint8Array(offset - position));
        await drain(initializer.data, write);
        position = offset + initializer.data.byteLength;
      }
    });
    const model = await writeFileDurably(partial[1], options, (write) => modelMessage(graph, placed).writeTo(write));
    await rename(partial[0], dataPath);
    await rename(partial[1], modelPath);
    const files = [
      { ...model, path: modelPath },
      { ...data, path: dataPath },
    ];
    return { modelPath, dataPath, dataBytes: end, files };
  } catch (error) {
    await Promise.all(partial.map((file) => rm(file, { force: true })));
    throw toLongwatchError(error, modelPath);
  }
}

/** Writes a file piece by piece, hashing as it goes, and returns when the disk has it. */
export async function writeFileDurably(
  file: string,
  { onBytes }: WriteOptions,
  fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(file, 'w');
  try {
    await fill(async (chunk) => {
      hash.update(chunk);
      for (let done = 0; done < chunk.byteLength; )
        done += (await handle.write(chunk, done, chunk.byteLength - done)).bytesWritten;
      bytes += chunk.byteLength;
      onBytes?.(chunk.byteLength);
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { path: file, bytes, sha256: hash.digest('hex') };
}

function modelMessage(graph: Graph, placements: ReadonlyMap<Initializer, Placement>): Message {
  const model = new Message().integer(MODEL.irVersion, IR_VERSION).string(MODEL.producerName, 'longwatch');
  for (const [domain, version] of graph.opsets)
    model.message(MODEL.opsetImport, new Message().string(OPSET.domain, domain).integer(OPSET.version, version));
  return model.message(MODEL.graph, graphMessage(graph, placements));
}

function graphMessage(graph: Graph, placements: ReadonlyMap<Initializer, Placement>): Message {
  const message = new Message().string(GRAPH.name, graph.name);
  for (const node of graph.nodes) message.message(GRAPH.node, nodeMessage(node));
  for (const initializer of graph.initializers)
    message.message(GRAPH.initializer, tensorMessage(initializer, placements.get(initializer)));
  for (const port of graph.inputs) message.message(GRAPH.input, portMessage(port));
  for (const port of graph.outputs) message.message(GRAPH.output, portMessage(port));
  return message;
}

function nodeMessage(node: Node): Message {
  const message = new Message().string(NODE.name, node.name).string(NODE.opType, node.opType);
  if (node.domain !== '') message.string(NODE.domain, node.domain);
  for (const input of node.inputs) message.string(NODE.input, input);
  for (const output of node.outputs) message.string(NODE.output, output);
  for (const [name, attribute] of Object.entries(node.attributes))
    message.message(NODE.attribute, attributeMessage(name, attribute));
  return message;
}

function attributeMessage(name: string, attribute: Attribute): Message {
  const message = new Message().string(ATTRIBUTE.name, name);
  const typed = (kind: keyof typeof ATTRIBUTE_TYPE) => message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE[kind]);
  if ('int' in attribute) return typed('int').integer(ATTRIBUTE.int, attribute.int);
  if ('float' in attribute) return typed('float').float(ATTRIBUTE.float, attribute.float);
  if ('string' in attribute) return typed('string').string(ATTRIBUTE.string, attribute.string);
  if ('ints' in attribute) return typed('ints').packedIntegers(ATTRIBUTE.ints, attribute.ints);
  if ('floats' in attribute) return typed('floats').packedFloats(ATTRIBUTE.floats, attribute.floats);
  if ('graph' in attribute) return typed('graph').message(ATTRIBUTE.graph, branchMessage(attribute.graph));
  for (const value of attribute.strings) message.string(ATTRIBUTE.strings, value);
  return typed('strings');
}

/** A branch names what it gives out and its type; the shape follows from its nodes. */
function branchMessage({ name, nodes, output }: Branch): Message {
  const message = new Message().string(GRAPH.name, name);
  for (const node of nodes) message.message(GRAPH.node, nodeMessage(node));
  const tensor = new Message().integer(TENSOR_TYPE.elementType, onnxCode(output.type));
  const info = new Message()
    .string(VALUE_INFO.name, output.name)
    .message(VALUE_INFO.type, new Message().message(TYPE.tensor, tensor));
  return message.message(GRAPH.output, info);
}

function tensorMessage(initializer: Initializer, placement: Placement | undefined): Message {
  const message = new Message()
    .packedIntegers(TENSOR.dims, initializer.shape)
    .integer(TENSOR.dataType, onnxCode(initializer.type))
    .string(TENSOR.name, initializer.name);
  if (!placement) return message.bytes(TENSOR.rawData, initializer.data);
  const entry = (key: string, value: string) =>
    message.message(TENSOR.externalData, new Message().string(ENTRY.key, key).string(ENTRY.value, value));
  entry('location', placement.location);
  entry('offset', String(placement.offset));
  entry('length', String(initializer.data.byteLength));
  return message.integer(TENSOR.dataLocation, EXTERNAL);
}

function portMessage(port: Port): Message {
  const shape = new Message();
  for (const size of port.shape)
    shape.message(
      SHAPE.dimension,
      typeof size === 'string'
        ? new Message().string(DIMENSION.name, size)
        : new Message().integer(DIMENSION.value, size),
    );
  const tensor = new Message().integer(TENSOR_TYPE.elementType, onnxCode(port.type)).message(TENSOR_TYPE.shape, shape);
  return new Message()
    .string(VALUE_INFO.name, port.name)
    .message(VALUE_INFO.type, new Message().message(TYPE.tensor, tensor));
}
