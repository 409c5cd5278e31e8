/**
 * What the functions of the theory ask of their inputs, one clear line each.
 */
import { InputError } from "../../kernels/errors.ts";

/** Throws the line that every check here throws. */
function expected(name: string, what: string, found: unknown): never {
  throw new InputError(`${name}: expected ${what}, found ${found}`);
}

/** @throws {InputError} unless the value lies in [0, 1]. */
export function checkUnit(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) expected(name, "a number from 0 to 1", value);
}

/** @throws {InputError} unless the value lies strictly between 0 and 1. */
export function checkInside(name: string, value: number): void {
  if (!(value > 0 && value < 1)) expected(name, "a number between 0 and 1", value);
}

/** @throws {InputError} unless the value is finite and above 0. */
export function checkPositive(name: string, value: number): void {
  if (!(value > 0 && value < Infinity)) expected(name, "a number above 0", value);
}

/** @throws {InputError} unless the value is finite and at least 0. */
export function checkNonNegative(name: string, value: number): void {
  if (!(value >= 0 && value < Infinity)) expected(name, "a number that is not negative", value);
}

/** @throws {InputError} unless the value is a whole number of at least `least`. */
export function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    expected(name, `a whole number of at least ${least}`, value);
  }
}

/** @throws {InputError} unless every value is finite. */
export function checkFinite(name: string, values: Iterable<number>): void {
  let i = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) expected(`${name}[${i}]`, "a finite number", value);
    i++;
  }
}

/** @throws {InputError} unless the list has entries. */
export function checkSome(name: string, list: ArrayLike<unknown>): void {
  if (list.length === 0) expected(name, "at least one entry", "none");
}

/** @throws {InputError} unless both lists are of one length. */
export function checkSameLength(
  name: string,
  list: ArrayLike<unknown>,
  other: string,
  reference: ArrayLike<unknown>,
): void {
  if (list.length !== reference.length) {
    expected(name, `${reference.length} entries, as ${other} has`, list.length);
  }
}

/** @throws {InputError} unless the matrix has entries and rows of one length. */
export function checkMatrix(name: string, matrix: readonly (readonly number[])[]): void {
  checkSome(name, matrix);
  checkSome(`${name}[0]`, matrix[0]);
  matrix.forEach((row, i) => {
    checkSameLength(`${name}[${i}]`, row, `${name}[0]`, matrix[0]);
    checkFinite(`${name}[${i}]`, row);
  });
}

/** @throws {InputError} unless the values are at least 0 and sum to 1 within 1e-9. */
export function checkDistribution(name: string, values: readonly number[]): void {
  checkSome(name, values);
  values.forEach((value, i) => checkUnit(`${name}[${i}]`, value));
  const sum = values.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > 1e-9) expected(name, "entries that sum to 1", sum);
}
