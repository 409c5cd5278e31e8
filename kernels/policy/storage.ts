/**
 * How parameters lie on the GPU: every head, and each half of a SwiGLU projection, padded to a multiple of four.
 *
 * Kernels read and write `vec4f`, so a head of 10 dimensions is stored as 12, with zeros. Zero rows of a weight
 * give zero activations and get zero gradients, so the padding never changes a result and stays zero in training.
 * Where sizes are multiples of four, as in nearly all real models, nothing is padded at all.
 */
import { paddedColumns, Tensor } from "../gpu/tensor.ts";
export { headStrideOf as headStride } from "../attention/layout.ts";
import { type ParameterSpec, parameterSpecs, type PolicyConfig } from "./config.ts";

/** Consecutive groups of `size` values are stored as groups of `stored`, filled with zeros. */
export interface Padding {
  /** Values. */
  readonly size: number;
  /** Places, the rest zeros. */
  readonly stored: number;
}

/** A parameter and its stored geometry. */
export interface StoredSpec extends ParameterSpec {
  /** Shape on the GPU before row padding: `[rows, columns]` or `[length]`. */
  readonly storedShape: readonly number[];
  /** Of the rows, per head; null: none. */
  readonly rowPadding: Padding | null;
  /** Of the columns, per head; null: none. */
  readonly columnPadding: Padding | null;
}

/** Geometry of one parameter; `rowPadding` applies to vectors as well (biases of padded rows). */
export function storedSpec(
  spec: ParameterSpec,
  rowPadding: Padding | null,
  columnPadding: Padding | null,
): StoredSpec {
  const grow = (n: number, padding: Padding | null) =>
    padding ? n / padding.size * padding.stored : n;
  const storedShape = spec.shape.length === 1
    ? [grow(spec.shape[0], rowPadding)]
    : [grow(spec.shape[0], rowPadding), grow(spec.shape[1], columnPadding)];
  return { ...spec, storedShape, rowPadding, columnPadding };
}

/** Paddings of a weight's rows and columns by the parameter's name. */
export function paddingsOf(
  config: PolicyConfig,
  name: string,
): { rows: Padding | null; columns: Padding | null } {
  const pad = (size: number): Padding | null =>
    size % 4 === 0 ? null : { size, stored: paddedColumns(size) };
  const swiglu = config.activation === "swiglu";
  if (name.includes(".attention.qkv.")) return { rows: pad(config.headDim), columns: null };
  if (name.includes(".attention.out.weight")) return { rows: null, columns: pad(config.headDim) };
  if (swiglu && name.includes(".mlp.up.")) return { rows: pad(config.mlpWidth), columns: null };
  if (swiglu && name.includes(".mlp.down.weight")) {
    return { rows: null, columns: pad(config.mlpWidth) };
  }
  return { rows: null, columns: null };
}

/** All parameters of a policy with their stored geometry. */
export function storedSpecs(config: PolicyConfig): StoredSpec[] {
  return parameterSpecs(config).map((spec) => {
    const { rows, columns } = paddingsOf(config, spec.name);
    return storedSpec(spec, rows, columns);
  });
}

/**
 * Floats a parameter takes in an arena: rows padded to four, the whole to `alignment` so that it can be bound, at a multiple of 256
 * bytes: 64 floats, or 128 halves.
 */
export function arenaFloats(spec: StoredSpec, alignment = 64): number {
  const { stored } = new Tensor(spec.name, spec.storedShape);
  return Math.ceil(stored / alignment) * alignment;
}

/** Copies host values (logical layout) into their place in an arena image. */
export function pack(
  spec: StoredSpec,
  values: Float32Array,
  arena: Float32Array,
  at: number,
): void {
  forEachRun(spec, (logical, stored, count) => {
    arena.set(values.subarray(logical, logical + count), at + stored);
  });
}

/** Copies a parameter out of an arena image into logical layout. */
export function unpack(spec: StoredSpec, arena: Float32Array, at: number): Float32Array {
  const values = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  forEachRun(spec, (logical, stored, count) => {
    values.set(arena.subarray(at + stored, at + stored + count), logical);
  });
  return values;
}

/** Calls `copy(logicalOffset, storedOffset, count)` for each contiguous run. */
function forEachRun(
  spec: StoredSpec,
  copy: (logical: number, stored: number, count: number) => void,
): void {
  const { shape, rowPadding, columnPadding } = spec;
  const place = (i: number, padding: Padding | null) =>
    padding ? Math.floor(i / padding.size) * padding.stored + i % padding.size : i;
  if (shape.length === 1) {
    const run = rowPadding?.size ?? shape[0];
    for (let i = 0; i < shape[0]; i += run) copy(i, place(i, rowPadding), run);
    return;
  }
  const [rows, columns] = shape;
  const stride = new Tensor(spec.name, spec.storedShape).stride;
  const run = columnPadding?.size ?? columns;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c += run) {
      copy(r * columns + c, place(r, rowPadding) * stride + place(c, columnPadding), run);
    }
  }
}
