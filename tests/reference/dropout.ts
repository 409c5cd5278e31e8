/**
 * Inverted dropout (Srivastava et al., 2014) with counter-based random numbers: the mask is a function of seed,
 * stream and element, so the backward pass recomputes it and nothing is stored.
 */
import type { Numbers } from "./numbers.ts";
import { randomUniform } from "./random.ts";

/** Which mask: one stream per place and step. */
export interface DropoutOptions {
  /** Probability of dropping, in [0, 1). */
  readonly p: number;
  readonly seed: number;
  readonly stream: number;
}

/** y_i = x_i / (1 - p) where uniform_i >= p, else 0. */
export function dropout(x: Numbers, { p, seed, stream }: DropoutOptions): Float64Array {
  return Float64Array.from(
    x,
    (value, i) => randomUniform(seed, stream, i) >= p ? value / (1 - p) : 0,
  );
}

/** d_x: the same mask and factor on d_y. */
export function dropoutBackward(d_y: Numbers, options: DropoutOptions): Float64Array {
  return dropout(d_y, options);
}
