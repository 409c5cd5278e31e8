/**
 * Central differences: the judge of every hand-written gradient.
 *
 * A gradient g of a scalar function f is right when (f(x + h e_i) - f(x - h e_i)) / 2h equals g_i for every i. With
 * h = 1e-5 in float64 the difference itself is good to about 1e-9 of f's scale.
 */
import { assert } from "../assert.ts";
import { dot, type Numbers } from "./numbers.ts";
import { randomNormals } from "./random.ts";

const STEP = 1e-5;

/** d f / d x_i for every i, by changing x in place and restoring it. */
export function centralDifferences(f: () => number, x: Float64Array, step = STEP): Float64Array {
  return x.map((value, i) => {
    x[i] = value + step;
    const above = f();
    x[i] = value - step;
    const below = f();
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

/**
 * Asserts that `gradient` is that of `f` at `x` (which f reads): every element within `tolerance` times the largest.
 */
export function assertGradient(
  name: string,
  f: () => number,
  x: Float64Array,
  gradient: Numbers,
  tolerance = 1e-7,
): void {
  assert(gradient.length === x.length, `${name}: ${gradient.length} values for ${x.length} inputs`);
  const expected = centralDifferences(f, x);
  const largest = expected.reduce((max, g) => Math.max(max, Math.abs(g)), 1);
  for (let i = 0; i < x.length; i++) {
    const error = Math.abs(gradient[i] - expected[i]);
    assert(
      error <= tolerance * largest,
      `${name}[${i}]: gradient ${gradient[i]}, differences ${expected[i]}`,
    );
  }
}

/**
 * A random linear functional y -> sum_i c_i y_i: turns a function with many outputs into a scalar one,
 * and c is the d_y to hand to its backward pass.
 */
export function functional(length: number, seed: number): {
  readonly d_y: Float64Array;
  readonly of: (y: Numbers) => number;
} {
  const d_y = randomNormals(length, seed, 99);
  return { d_y, of: (y) => dot(d_y, y) };
}
