/**
 * A tensor is a name, a shape and a place in a GPU buffer.
 *
 * Matrices are stored row by row and every row is padded with zeros to a multiple of four floats, so that
 * kernels can read and write `vec4f` for any shape. Kernels that produce a matrix write those zeros.
 * A transient tensor has no buffer until its tape is compiled: the tape then lets tensors whose lifetimes do not
 * overlap share one.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "./device.ts";
import type { Image } from "./texture.ts";

/** Element types that kernels store. */
export type DType = "f32" | "u32" | "f16";

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f32: 4, u32: 4, f16: 2 };

/** Next multiple of four: the stored length of a row of `columns` values. */
export function paddedColumns(columns: number): number {
  return Math.ceil(columns / 4) * 4;
}

/** Where a tensor's bytes lie. Transient until `buffer` (or `image`) is set by the tape. */
export interface Place {
  /** The buffer; null until the tape has planned its memory. */
  buffer: GPUBuffer | null;
  /** The texture, null until the tape has planned its memory; absent for the many tensors that lie in a buffer. */
  image?: Image | null;
  /** Bytes needed. */
  readonly bytes: number;
}

/** A matrix `[rows, columns]` or a vector `[length]` on the GPU. */
export class Tensor {
  /** Names it in errors. */
  readonly name: string;
  /** `[rows, columns]` or `[length]`, without padding. */
  readonly shape: readonly number[];
  /** Type of its elements. */
  readonly dtype: DType;
  /** Stored elements from one row to the next. */
  readonly stride: number;
  /** Where its bytes lie. */
  readonly place: Place;
  /** Bytes from the start of the place's buffer; a multiple of 256 so that it can be bound. */
  readonly offset: number;
  /** Gradient: for parameters a fixed tensor that kernels add to, for activations set while recording. */
  grad: Tensor | null = null;
  /** Whether a gradient is wanted; operations on tensors without it record no backward. */
  needsGrad = false;

  /**
   * A tensor in `place`, or in one of its own that has no buffer yet.
   * @throws {InputError} unless all sizes are positive.
   */
  constructor(
    name: string,
    shape: readonly number[],
    dtype: DType = "f32",
    place?: Place,
    offset = 0,
  ) {
    for (const n of shape) {
      if (!Number.isSafeInteger(n) || n < 1) {
        throw new InputError(`${name}: shape must be positive whole numbers, got [${shape}]`);
      }
    }
    this.name = name;
    this.shape = shape;
    this.dtype = dtype;
    this.stride = shape.length === 1 ? shape[0] : paddedColumns(shape[shape.length - 1]);
    this.place = place ?? { buffer: null, bytes: this.bytes };
    this.offset = offset;
  }

  /** Rows of a matrix; 1 for a vector. Leading dimensions count as rows. */
  get rows(): number {
    return this.shape.length === 1 ? 1 : this.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  }

  /** Values in a row. */
  get columns(): number {
    return this.shape[this.shape.length - 1];
  }

  /** Stored elements including the zeros at the ends of rows. */
  get stored(): number {
    return this.shape.length === 1 ? paddedColumns(this.stride) : this.rows * this.stride;
  }

  /** Stored bytes. */
  get bytes(): number {
    return this.stored * DTYPE_BYTES[this.dtype];
  }

  /** Whether it lies in a texture. */
  get inTexture(): boolean {
    return this.place.image !== undefined;
  }
}

/** Makes a tensor with a buffer of its own that lives until it is destroyed. */
export function persistent(
  gpu: Gpu,
  name: string,
  shape: readonly number[],
  dtype: DType = "f32",
): Tensor {
  const tensor = new Tensor(name, shape, dtype);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  tensor.place.buffer = gpu.createBuffer(name, tensor.bytes, usage);
  return tensor;
}

/**
 * Writes host values (without row padding) into a persistent f32 or u32 tensor.
 * @throws {InputError} when their number or type is not the tensor's.
 */
export function upload(
  gpu: Gpu,
  tensor: Tensor,
  values: Float32Array | Uint32Array,
): void {
  const want = tensor.shape.reduce((a, b) => a * b, 1);
  if (values.length !== want) {
    throw new InputError(
      `${tensor.name}: expected ${want} values for shape [${tensor.shape}], got ${values.length}`,
    );
  }
  const dtype = values instanceof Uint32Array ? "u32" : "f32";
  if (dtype !== tensor.dtype) {
    throw new InputError(`${tensor.name}: expected ${tensor.dtype} values, got ${dtype}`);
  }
  gpu.device.queue.writeBuffer(
    tensor.place.buffer!,
    tensor.offset,
    padRows(tensor, values) as BufferSource,
  );
}

function padRows<T extends Float32Array | Uint32Array>(tensor: Tensor, values: T): T {
  const { rows, columns, stride, stored } = tensor;
  if (rows * columns === stored) return values;
  const padded = new (values.constructor as new (n: number) => T)(stored);
  for (let r = 0; r < rows; r++) {
    padded.set(values.subarray(r * columns, (r + 1) * columns), r * stride);
  }
  return padded;
}

/** Removes row padding from values read back. */
export function unpadRows<T extends Float32Array | Uint32Array>(tensor: Tensor, stored: T): T {
  const { rows, columns, stride } = tensor;
  if (rows * columns === stored.length) return stored;
  const values = new (stored.constructor as new (n: number) => T)(rows * columns);
  for (let r = 0; r < rows; r++) {
    values.set(stored.subarray(r * stride, r * stride + columns), r * columns);
  }
  return values;
}

/** Something to bind where a kernel's optional float32 input is not wanted: the first bytes of an input that is bound anyway. */
export function unread(tensor: Tensor): Tensor {
  return tensor.dtype === "f32"
    ? tensor
    : new Tensor(tensor.name, [2], "f32", tensor.place, tensor.offset);
}

const dummies = { read: new WeakMap<Gpu, Tensor>(), read_write: new WeakMap<Gpu, Tensor>() };

/**
 * A few bytes to bind where a kernel's optional input or output is not wanted; one of each per device, because a buffer may not be
 * read and written by one launch.
 */
export function dummyTensor(gpu: Gpu, access: "read" | "read_write" = "read_write"): Tensor {
  let dummy = dummies[access].get(gpu);
  if (!dummy) dummies[access].set(gpu, dummy = persistent(gpu, "dummy", [4]));
  return dummy;
}
