/**
 * Checks that flat operations (sums, optimizer, Fisher) share.
 */
import { InputError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** @throws {InputError} unless x is a vector of float32. */
export function checkVector(operation: string, x: Tensor, length?: number): void {
  if (x.shape.length !== 1 || x.dtype !== "f32" || (length ?? x.columns) !== x.columns) {
    throw new InputError(
      `${operation}: ${x.name} must be a f32 vector [${length ?? "length"}], ` +
        `found ${x.dtype} [${x.shape}]`,
    );
  }
}

/** @throws {InputError} unless `out` has float32 slots index .. index + count - 1. */
export function checkSlot(operation: string, out: Tensor, index: number, count: number): void {
  checkVector(operation, out);
  if (!Number.isInteger(index) || index < 0 || index + count > out.columns) {
    throw new InputError(
      `${operation}: ${out.name} [${out.shape}] has no room for ${count} value(s) at index ${index}`,
    );
  }
}
