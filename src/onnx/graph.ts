/**
 * Builds one ONNX graph: inputs, weights, nodes and outputs, joined by handles instead of loose names.
 * Weights are announced here and read when the model is written, so a builder of a 7 GB model is small.
 * It chooses not to infer types and shapes of nodes: the runtime does, and says what does not fit.
 */

import { LongwatchError } from '../errors.js';
import type { Bytes } from './byte-source.js';
import { byteLengthOf, type ElementType, elementCount } from './element-type.js';

/** A dimension: a size, or the name of one that is known when the graph runs. Equal names are equal sizes. */
export type Dimension = number | string;

/** A tensor inside a graph. Only the builder that made it takes it. */
export interface Value {
  readonly name: string;
  /** Known for inputs and weights; undefined for what a node computes. */
  readonly type: ElementType | undefined;
  readonly shape: readonly Dimension[] | undefined;
}

/** One attribute of a node; the key says which of ONNX's kinds it is, since a JavaScript number could be either. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: Branch };

/** Nodes that run only when their side of a choice is taken. They see every value that was made before the choice. */
export interface Branch {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly output: { readonly name: string; readonly type: ElementType };
}

export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Row-major little-endian elements. */
  readonly data: Bytes;
}

export interface Node {
  readonly name: string;
  readonly opType: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  /** Names; empty where an optional input is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A finished graph. Nodes stand in topological order because a handle exists only after its node. */
export interface Graph {
  readonly name: string;
  /** Operator set version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly Node[];
}

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** @default 1 */
  readonly outputs?: number;
  /** `com.microsoft` for ONNX Runtime's own operators. @default '' */
  readonly domain?: string;
}

/** ONNX's own operators: 23 is the first set with Attention, RMSNormalization and RotaryEmbedding. */
export const ONNX_OPSET = 23;
const MICROSOFT_OPSET = 1;

export class GraphBuilder {
  readonly #name: string;
  readonly #opsets = new Map([['', ONNX_OPSET]]);
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #initializers: Initializer[] = [];
  /** Of the graph, or of the branch that is being built. */
  #nodes: Node[] = [];
  #nodeCount = 0;
  /** What the branch that is being built has made; nothing outside may use it. */
  #inBranch: Value[] | undefined;
  readonly #names = new Set<string>();
  readonly #values = new Set<Value>();
  readonly #constants = new Map<string, Value>();
  #scope = '';

  constructor(name: string) {
    this.#name = name;
  }

  /** What a caller feeds at every run. */
  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    this.#inputs.push({ name, type, shape });
    return this.#value(name, type, shape);
  }

  /**
   * Weights.
   * @throws {LongwatchError} `bad_weights` when `data` is not as long as `type` and `shape` say.
   */
  initializer(name: string, type: ElementType, shape: readonly number[], data: Bytes): Value {
    const expected = byteLengthOf(type, elementCount(shape));
    if (!Number.isSafeInteger(expected) || expected !== data.byteLength)
      throw new LongwatchError(
        'bad_weights',
        `"${name}" is ${type}[${shape.join(', ')}], which is ${expected} bytes, but there are ${data.byteLength}.`,
        { hint: 'The weights and the configuration belong to different models; fetch both again.' },
      );
    this.#initializers.push({ name, type, shape, data });
    return this.#value(name, type, shape);
  }

  /** A small int64 tensor such as an axis or a shape; equal ones are one initialiser. A bare number is a scalar. */
  int64(values: number | readonly number[]): Value {
    const list = typeof values === 'number' ? [values] : values;
    const data = new Uint8Array(BigInt64Array.from(list, BigInt).buffer);
    return this.#constant('int64', typeof values === 'number' ? [] : [list.length], list.join('_'), data);
  }

  /** A float32 scalar; equal ones are one initialiser. */
  float32(value: number): Value {
    return this.#constant('float32', [], String(value), new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A node of one output. `undefined` leaves an optional input out. */
  op(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.node(opType, inputs, { attributes })[0] as Value;
  }

  /** A node of any number of outputs and any domain. */
  node(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value[] {
    const { attributes = {}, outputs = 1, domain = '' } = options;
    if (opType === '') throw new Error('A node needs an operator.');
    if (!Number.isInteger(outputs) || outputs < 1) throw new Error(`${opType} cannot have ${outputs} outputs.`);
    for (const input of inputs) if (input !== undefined) this.#own(input);
    if (!this.#opsets.has(domain)) this.#opsets.set(domain, MICROSOFT_OPSET);
    const name = `${this.#scope}${opType}_${this.#nodeCount}`;
    const values = Array.from({ length: outputs }, (_, i) =>
      this.#value(outputs === 1 ? `${name}:out` : `${name}:out${i}`, undefined, undefined),
    );
    this.#inBranch?.push(...values);
    this.#push({
      name,
      opType,
      domain,
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: values.map((value) => value.name),
      attributes,
    });
    return values;
  }

  /** Puts `scope/` before the names of all nodes that `build` adds; only for people who read the graph or a profile. */
  within<T>(scope: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}${scope}/`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  /**
   * One of two values, of which only that one is computed.
   * @param condition bool, one element
   * @param type of both values
   */
  choose(condition: Value, type: ElementType, then: () => Value, otherwise: () => Value): Value {
    const attributes = {
      then_branch: { graph: this.#branch('then', type, then) },
      else_branch: { graph: this.#branch('else', type, otherwise) },
    };
    return this.op('If', [condition], attributes);
  }

  #branch(side: string, type: ElementType, build: () => Value): Branch {
    const [nodes, values] = [this.#nodes, this.#inBranch];
    const name = `${this.#scope}${side}_${this.#nodeCount}`;
    const inside: Node[] = [];
    this.#nodes = inside;
    this.#inBranch = [];
    try {
      const value = this.within(side, build);
      this.#own(value);
      const output = { name: `${name}:out`, type };
      this.#claim(output.name);
      // A branch has to make what it gives out, even where that is a value from outside.
      this.#push(identity(name, value, output.name));
      return { name, nodes: inside, output };
    } finally {
      for (const value of this.#inBranch) this.#values.delete(value);
      this.#nodes = nodes;
      this.#inBranch = values;
    }
  }

  /** Gives `value` out under `name`. */
  output(name: string, value: Value, type: ElementType, shape: readonly Dimension[]): void {
    if (this.#inBranch) throw new Error(`The output "${name}" cannot come out of a branch.`);
    this.#own(value);
    this.#claim(name);
    this.#push(identity(`output/${name}`, value, name));
    this.#outputs.push({ name, type, shape });
  }

  #push(node: Node): void {
    this.#nodes.push(node);
    this.#nodeCount += 1;
  }

  /** @throws {Error} when nothing comes out. */
  build(): Graph {
    if (this.#outputs.length === 0) throw new Error(`The graph "${this.#name}" has no output.`);
    return {
      name: this.#name,
      opsets: new Map(this.#opsets),
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: [...this.#initializers],
      nodes: [...this.#nodes],
    };
  }

  #constant(type: ElementType, shape: readonly number[], label: string, data: Uint8Array): Value {
    const key = `${type}[${shape.join(',')}]=${label}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const value = this.initializer(`constant/${key}`, type, shape, data);
    this.#constants.set(key, value);
    return value;
  }

  #value(name: string, type: ElementType | undefined, shape: readonly Dimension[] | undefined): Value {
    this.#claim(name);
    const value = { name, type, shape };
    this.#values.add(value);
    return value;
  }

  #claim(name: string): void {
    if (name === '') throw new Error('A value needs a name.');
    if (this.#names.has(name)) throw new Error(`The graph "${this.#name}" already has a value "${name}".`);
    this.#names.add(name);
  }

  #own(value: Value): void {
    if (!this.#values.has(value)) throw new Error(`"${value.name}" is not a value of the graph "${this.#name}".`);
  }
}

function identity(name: string, value: Value, output: string): Node {
  return { name, opType: 'Identity', domain: '', inputs: [value.name], outputs: [output], attributes: {} };
}
