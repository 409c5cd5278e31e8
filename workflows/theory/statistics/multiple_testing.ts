/**
 * Adjusted p-values of several tests, in the order given.
 */
import { checkUnit } from "../checks.ts";

/** Indices by rising p. */
function order(p: readonly number[]): number[] {
  p.forEach((value, i) => checkUnit(`p[${i}]`, value));
  return p.map((_, i) => i).sort((a, b) => p[a] - p[b]);
}

/**
 * Holm's step-down adjustment (1979): rejecting at most alpha keeps the probability of any false
 * rejection at most alpha.
 * @throws {InputError} on a number outside [0, 1].
 */
export function holm(p: readonly number[]): number[] {
  const adjusted = new Array<number>(p.length);
  let largest = 0;
  for (const [rank, i] of order(p).entries()) {
    largest = Math.max(largest, (p.length - rank) * p[i]);
    adjusted[i] = Math.min(1, largest);
  }
  return adjusted;
}

/**
 * Benjamini and Hochberg's step-up adjustment (1995): rejecting at most alpha keeps the expected
 * share of false rejections at most alpha, for independent tests.
 * @throws {InputError} on a number outside [0, 1].
 */
export function benjaminiHochberg(p: readonly number[]): number[] {
  const adjusted = new Array<number>(p.length);
  const indices = order(p);
  let smallest = 1;
  for (let rank = indices.length; rank > 0; rank--) {
    const i = indices[rank - 1];
    smallest = Math.min(smallest, p.length / rank * p[i]);
    adjusted[i] = smallest;
  }
  return adjusted;
}
