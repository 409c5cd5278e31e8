/**
 * A flat vector, or a matrix, in pieces that can be bound.
 *
 * An adapter binds at most `maxStorageBufferBindingSize` bytes of a buffer at once (128 MiB on many), while all parameters of a
 * policy lie in one vector. A window is a tensor over a part of the same buffer.
 */
import type { Gpu } from "../gpu/device.ts";
import { DTYPE_BYTES, Tensor } from "../gpu/tensor.ts";

/** A part of a flat vector, in elements. */
export interface Window {
  /** First element; a multiple of 128. */
  readonly start: number;
  /** Number of elements. */
  readonly length: number;
}

/** Cuts `length` elements (4 bytes each, or less) into windows, of at most `most` (a multiple of 128) where that is given. */
export function windowsOf(gpu: Gpu, length: number, most = Infinity): Window[] {
  const bytes = gpu.device.limits.maxStorageBufferBindingSize;
  // Storage bindings start at multiples of 256 bytes: 64 floats, or 128 halves.
  const size = Math.min(most, Math.floor(bytes / 4 / 128) * 128);
  const windows: Window[] = [];
  for (let start = 0; start < length; start += size) {
    windows.push({ start, length: Math.min(size, length - start) });
  }
  return windows;
}

/** The window of `tensor` as a tensor of its own; `tensor` itself where the window is the whole. */
export function windowOf(tensor: Tensor, { start, length }: Window): Tensor {
  if (start === 0 && length === tensor.columns) return tensor;
  const offset = tensor.offset + start * DTYPE_BYTES[tensor.dtype];
  return new Tensor(tensor.name, [length], tensor.dtype, tensor.place, offset);
}

/** Some rows of a matrix. */
export interface RowWindow {
  /** First row; a multiple of 64. */
  readonly start: number;
  /** The rows, as a matrix (or vector) of their own. */
  readonly tensor: Tensor;
}

/** Rows [start, start + rows) of a matrix, or values of a vector; `start` must be a multiple of 64. */
export function rowsOf(tensor: Tensor, start: number, rows: number): Tensor {
  const { name, shape, dtype, place, stride } = tensor;
  if (start === 0 && rows === shape[0]) return tensor;
  const values = shape.length === 1 ? start : start * stride;
  const offset = tensor.offset + values * DTYPE_BYTES[dtype];
  const part = new Tensor(name, [rows, ...shape.slice(1)], dtype, place, offset);
  part.needsGrad = tensor.needsGrad;
  part.grad = tensor.grad && rowsOf(tensor.grad, start, rows);
  return part;
}

/** Cuts a matrix (of at most two dimensions) into windows of whole rows; itself where one binding holds it. */
export function rowWindows(gpu: Gpu, matrix: Tensor): RowWindow[] {
  const rows = matrix.shape[0];
  const bytes = 4 * matrix.stride;
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  const most = Math.floor(limit / bytes / 64) * 64;
  if (rows * bytes <= limit || most === 0) return [{ start: 0, tensor: matrix }];
  const windows: RowWindow[] = [];
  for (let start = 0; start < rows; start += most) {
    windows.push({ start, tensor: rowsOf(matrix, start, Math.min(most, rows - start)) });
  }
  return windows;
}
