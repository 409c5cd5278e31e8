/**
 * Checks that flat operations (sums, optimizer, Fisher) share.
 */
import { InputError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";

/**
 * Checks that x is a float32 vector, of `length` where given.
 * @throws {InputError} otherwise.
 */
export function checkVector(operation: string, x: Tensor, length?: number): void {
  if (x.shape.length !== 1 || x.dtype !== "f32" || (length ?? x.columns) !== x.columns) {
    throw new InputError(
      `${operation}: ${x.name} must be a f32 vector [${length ?? "length"}], ` +
        `found ${x.dtype} [${x.shape}]`,
    );
  }
}

/**
 * Checks that `out` has float32 slots index .. index + count - 1.
 * @throws {InputError} otherwise.
 */
export function checkSlot(operation: string, out: Tensor, index: number, count: number): void {
  checkVector(operation, out);
  if (!Number.isInteger(index) || index < 0 || index + count > out.columns) {
    throw new InputError(
      `${operation}: ${out.name} [${out.shape}] has no room for ${count} value(s) at index ${index}`,
    );
  }
}
