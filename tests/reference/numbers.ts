/**
 * The few helpers every reference file shares: what may be read, what is returned, and sums of lists.
 *
 * A reference function reads any list of numbers (float32 from a GPU included), computes in float64 and
 * returns a fresh `Float64Array`; nothing is changed in place.
 */

/** Anything that can be read by index: `Float64Array`, `Float32Array`, `number[]`. */
export type Numbers = ArrayLike<number>;

/** a + b, element by element. */
export function add(a: Numbers, b: Numbers): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]);
}

/** factor * a. */
export function scale(a: Numbers, factor: number): Float64Array {
  return Float64Array.from(a, (value) => factor * value);
}

/** sum_i a_i b_i. */
export function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Row `r` of a [rows, width] matrix, as a view. */
export function row(matrix: Float64Array, r: number, width: number): Float64Array {
  return matrix.subarray(r * width, (r + 1) * width);
}

/** |actual - expected| / |expected| in the L2 norm over all elements; |actual| where expected is zero. */
export function relativeError(actual: Numbers, expected: Numbers): number {
  if (actual.length !== expected.length) return Infinity;
  const difference = Float64Array.from(actual, (value, i) => value - expected[i]);
  const norm = Math.sqrt(dot(expected, expected));
  return Math.sqrt(dot(difference, difference)) / (norm === 0 ? 1 : norm);
}
