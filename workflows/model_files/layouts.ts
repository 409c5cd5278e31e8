/**
 * Moves numbers between Hugging Face tensors and the toolkit's parameters, by the table in
 * `names.ts`.
 *
 * Weights, gradients and Fisher diagonals share one layout, so one pair of functions serves all of
 * them.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  parameterSpecs,
  type PolicyConfig,
  type PolicyWeights,
} from "../../kernels/policy/config.ts";
import { checkFinite } from "./dtypes.ts";
import { BASE_PREFIX, HEAD_NAME, type TensorLayout, tensorLayouts } from "./names.ts";
import { elementCount } from "./safetensors_header.ts";

/** A float tensor under its Hugging Face name. */
export interface NamedTensor {
  /** Hugging Face name. */
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Values, row by row. */
  readonly data: Float32Array;
}

/** Gives a tensor by name, or null where there is none. */
export type ReadTensor = (
  name: string,
) => Promise<{ readonly shape: readonly number[]; readonly data: Float32Array } | null>;

/** All parameters of a policy, zero. */
export function zeroParameters(config: PolicyConfig): Map<string, Float32Array> {
  const specs = parameterSpecs(config);
  return new Map(specs.map(({ name, shape }) => [name, new Float32Array(elementCount(shape))]));
}

/**
 * Parameters that take memory when their first block arrives. A configuration that asks for more than its file
 * holds is then refused by the shape of a tensor, not by the allocator.
 */
export class GrowingParameters {
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #arrays = new Map<string, Float32Array>();

  /** Parameters of this policy, none of them allocated. */
  constructor(config: PolicyConfig) {
    const specs = parameterSpecs(config);
    this.#sizes = new Map(specs.map(({ name, shape }) => [name, elementCount(shape)]));
  }

  /** The values of a parameter, zero at first. */
  at(name: string): Float32Array {
    const array = this.#arrays.get(name) ?? new Float32Array(this.#sizes.get(name)!);
    this.#arrays.set(name, array);
    return array;
  }

  /** All parameters, in the order of `parameterSpecs`. */
  all(): Map<string, Float32Array> {
    return new Map([...this.#sizes.keys()].map((name) => [name, this.at(name)]));
  }
}

/** Copies a file's block into its rows of the parameter. */
export function placeBlock(
  layout: TensorLayout,
  block: Float32Array,
  parameter: Float32Array,
): void {
  const { rowStart, rowCount, columns, transposed, rowOrder } = layout;
  if (!transposed && !rowOrder) return parameter.set(block, rowStart * columns);
  for (let i = 0; i < rowCount; i++) {
    const row = rowOrder ? rowOrder[i] : i;
    const to = (rowStart + i) * columns;
    if (transposed) {
      for (let j = 0; j < columns; j++) parameter[to + j] = block[j * rowCount + row];
    } else parameter.set(block.subarray(row * columns, (row + 1) * columns), to);
  }
}

/** The reverse of {@linkcode placeBlock}: the block as the file holds it. */
export function takeBlock(layout: TensorLayout, parameter: Float32Array): Float32Array {
  const { rowStart, rowCount, columns, transposed, rowOrder } = layout;
  const start = rowStart * columns;
  const rows = parameter.subarray(start, start + rowCount * columns);
  if (!transposed && !rowOrder) return rows;
  const block = new Float32Array(rowCount * columns);
  for (let i = 0; i < rowCount; i++) {
    const row = rowOrder ? rowOrder[i] : i;
    const values = rows.subarray(i * columns, (i + 1) * columns);
    if (transposed) {
      for (let j = 0; j < columns; j++) block[j * rowCount + row] = values[j];
    } else block.set(values, row * columns);
  }
  return block;
}

/** A name as base-model files write it, without the family's prefix. */
export function withoutPrefix(config: PolicyConfig, name: string): string {
  const prefix = BASE_PREFIX[config.family];
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function checkShape(name: string, found: readonly number[], expected: readonly number[]): void {
  if (found.length !== expected.length || found.some((size, i) => size !== expected[i])) {
    throw new InputError(
      `tensor "${name}": config.json asks for the shape [${expected}], the file has [${found}]`,
    );
  }
}

/** A stored head must repeat the embedding when the config says that they are one. */
async function checkTiedHead(config: PolicyConfig, embed: Float32Array, read: ReadTensor) {
  const name = HEAD_NAME[config.family];
  const head = await read(name);
  if (!head) return;
  checkShape(name, head.shape, [config.vocabSize, config.width]);
  const at = head.data.findIndex((value, i) => value !== embed[i]);
  if (at >= 0) {
    throw new InputError(
      `tensor "${name}" differs from the embedding at value ${at}, yet config.json says ` +
        "tie_word_embeddings: set it to false",
    );
  }
}

/**
 * Reads a policy from Hugging Face tensors.
 * @param readTensor Called once per tensor; names without the base prefix are tried second.
 * @throws {InputError} naming a tensor that is missing, has another shape, or holds NaN or
 * infinity.
 */
export async function fromHuggingFace(
  config: PolicyConfig,
  readTensor: ReadTensor,
): Promise<PolicyWeights> {
  const read: ReadTensor = async (name) =>
    await readTensor(name) ?? await readTensor(withoutPrefix(config, name));
  const parameters = new GrowingParameters(config);
  for (const layout of tensorLayouts(config)) {
    const tensor = await read(layout.name);
    if (!tensor) {
      throw new InputError(`tensor "${layout.name}" [${layout.shape}] is missing from the file`);
    }
    checkShape(layout.name, tensor.shape, layout.shape);
    checkFinite(tensor.data, `tensor "${layout.name}"`);
    placeBlock(layout, tensor.data, parameters.at(layout.parameter));
  }
  const tensors = parameters.all();
  if (config.tiedHead) await checkTiedHead(config, tensors.get("embed.weight")!, read);
  return { config, tensors };
}

/** One parameter block under its Hugging Face name. */
function block(layout: TensorLayout, tensors: ReadonlyMap<string, Float32Array>): Float32Array {
  const parameter = tensors.get(layout.parameter);
  if (!parameter) throw new InputError(`parameter "${layout.parameter}" is missing`);
  return takeBlock(layout, parameter);
}

/**
 * Writes values that are laid out like the parameters (weights, gradients, Fisher diagonals) under
 * Hugging Face names and layouts. Blocks that need no reordering share memory with `tensors`.
 * @param tensors Values by internal name, all of `parameterSpecs(config)`.
 */
export function toHuggingFace(
  config: PolicyConfig,
  tensors: ReadonlyMap<string, Float32Array>,
): NamedTensor[] {
  return tensorLayouts(config).map((layout) => ({
    name: layout.name,
    shape: layout.shape,
    data: block(layout, tensors),
  }));
}

/** The same as {@linkcode toHuggingFace}, each block built only when it is asked for. */
export function lazyHuggingFace(
  config: PolicyConfig,
  tensors: ReadonlyMap<string, Float32Array>,
): { name: string; shape: readonly number[]; data: () => Float32Array }[] {
  return tensorLayouts(config).map((layout) => ({
    name: layout.name,
    shape: layout.shape,
    data: () => block(layout, tensors),
  }));
}
