/**
 * A flat vector in pieces that can be bound.
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

/** Cuts `length` elements (4 bytes each, or less) into windows. */
export function windowsOf(gpu: Gpu, length: number): Window[] {
  const bytes = gpu.device.limits.maxStorageBufferBindingSize;
  // Storage bindings start at multiples of 256 bytes: 64 floats, or 128 halves.
  const most = Math.floor(bytes / 4 / 128) * 128;
  const windows: Window[] = [];
  for (let start = 0; start < length; start += most) {
    windows.push({ start, length: Math.min(most, length - start) });
  }
  return windows;
}

/** The window of `tensor` as a tensor of its own; `tensor` itself where the window is the whole. */
export function windowOf(tensor: Tensor, { start, length }: Window): Tensor {
  if (start === 0 && length === tensor.columns) return tensor;
  const offset = tensor.offset + start * DTYPE_BYTES[tensor.dtype];
  return new Tensor(tensor.name, [length], tensor.dtype, tensor.place, offset);
}
