/**
 * An ONNX graph under construction: nodes, constants, inputs and outputs (field numbers from
 * `onnx.proto`, IR 8).
 */
import { Message } from "./protobuf.ts";

/** Name of a value in the graph. */
export type Value = string;

/** Attribute of a node: whole numbers, lists of them, or `{ float }`. */
export type Attribute = number | readonly number[] | { readonly float: number };

/** Element types of `TensorProto`. */
const FLOAT = 1;
const INT64 = 7;

const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** A large constant; its bytes stay outside the message until it is written. */
export interface Weight {
  /** Initializer name. */
  readonly name: Value;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Values, row by row. */
  readonly data: Float32Array;
}

function attribute(name: string, value: Attribute): Message {
  const message = new Message().string(1, name);
  if (typeof value === "number") return message.int(3, value).int(20, ATTRIBUTE_INT);
  if ("float" in value) return message.float(2, value.float).int(20, ATTRIBUTE_FLOAT);
  for (const item of value) message.int(8, item);
  return message.int(20, ATTRIBUTE_INTS);
}

/** A named value's type; strings are dynamic sizes. */
function valueInfo(name: Value, type: number, shape: readonly (number | string)[]): Message {
  const dims = new Message();
  for (const size of shape) {
    const dim = new Message();
    dims.message(1, typeof size === "string" ? dim.string(2, size) : dim.int(1, size));
  }
  const tensor = new Message().int(1, type).message(2, dims);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}

function tensorHead(name: Value, type: number, shape: readonly number[]): Message {
  const message = new Message();
  for (const size of shape) message.int(1, size);
  return message.int(2, type).string(8, name);
}

/** Builds a graph node by node; every method that makes a value returns its name. */
export class Graph {
  /** Large constants, in the order they are stored. */
  readonly weights: Weight[] = [];
  readonly #nodes: Message[] = [];
  readonly #constants = new Map<string, Message>();
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  #count = 0;

  /** One operator with one output. Empty input names are absent optional inputs. */
  op(type: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.split(type, inputs, 1, attributes)[0];
  }

  /** One operator with several outputs. */
  split(
    type: string,
    inputs: readonly Value[],
    outputs: number,
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const node = new Message();
    const names = Array.from({ length: outputs }, () => `v${this.#count++}`);
    for (const input of inputs) node.string(1, input);
    for (const name of names) node.string(2, name);
    node.string(3, `${type}_${names[0]}`).string(4, type);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#nodes.push(node);
    return names;
  }

  /** A small int64 constant; equal ones are stored once. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#constant(`i${values}:${shape}`, INT64, shape, bytes);
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    const bytes = new Uint8Array(Float32Array.of(value).buffer);
    return this.#constant(`f${value}`, FLOAT, [], bytes);
  }

  #constant(name: string, type: number, shape: readonly number[], bytes: Uint8Array): Value {
    if (!this.#constants.has(name)) {
      this.#constants.set(name, tensorHead(name, type, shape).bytes(9, bytes));
    }
    return name;
  }

  /** A large float32 constant. */
  weight(name: Value, shape: readonly number[], data: Float32Array): Value {
    this.weights.push({ name, shape, data });
    return name;
  }

  /** An int64 input with named dynamic sizes. */
  input(name: Value, sizes: readonly string[]): Value {
    this.#inputs.push(valueInfo(name, INT64, sizes));
    return name;
  }

  /** A float32 output called `name`. */
  output(name: Value, value: Value, sizes: readonly (number | string)[]): void {
    const node = new Message().string(1, value).string(2, name);
    this.#nodes.push(node.string(3, name).string(4, "Identity"));
    this.#outputs.push(valueInfo(name, FLOAT, sizes));
  }

  /**
   * The whole model.
   * @param external Weights lie in a file of this name, one after another, instead of inside.
   */
  model(name: string, external?: string): Message {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, name);
    for (const constant of this.#constants.values()) graph.message(5, constant);
    let offset = 0;
    for (const { name, shape, data } of this.weights) {
      const tensor = tensorHead(name, FLOAT, shape);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      graph.message(
        5,
        external ? place(tensor, external, offset, bytes.length) : tensor.bytes(9, bytes),
      );
      offset += bytes.length;
    }
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const opset = new Message().string(1, "").int(2, 17);
    return new Message().int(1, 8).string(2, "infant").message(7, graph).message(8, opset);
  }
}

/** Points a tensor at its bytes in another file. */
function place(tensor: Message, location: string, offset: number, length: number): Message {
  const entry = (key: string, value: string) =>
    tensor.message(13, new Message().string(1, key).string(2, value));
  entry("location", location);
  entry("offset", String(offset));
  entry("length", String(length));
  return tensor.int(14, 1);
}
