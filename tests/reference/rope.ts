/**
 * Rotary position embedding (Su et al., arXiv:2104.09864) in the rotate-half form of GPT-NeoX and Llama.
 *
 * Pair i of a head is (x_i, x_(i + ropeDims/2)); at position t it is rotated by the angle t theta^(-2i / ropeDims). The
 * dimensions of a head beyond ropeDims are left alone. A rotation's gradient is the inverse rotation.
 */
import type { Numbers } from "./numbers.ts";

/** Which parts of a row are rotated, and how fast. */
export interface RopeShape {
  /** Leading heads of each row that are rotated (in a fused [q | k | v] row: heads + kvHeads). */
  readonly heads: number;
  readonly headDim: number;
  /** Leading dimensions of each head that are rotated; even. */
  readonly ropeDims: number;
  readonly theta: number;
  /** Numbers per row, if there is more in a row than the rotated heads. */
  readonly rowWidth?: number;
}

/** x [tokens, rowWidth] with each token rotated to its position. */
export function rope(x: Numbers, positions: Numbers, shape: RopeShape): Float64Array {
  return rotate(x, positions, shape, 1);
}

/** d_x from d_y: the rotation by the opposite angle. */
export function ropeBackward(d_y: Numbers, positions: Numbers, shape: RopeShape): Float64Array {
  return rotate(d_y, positions, shape, -1);
}

function rotate(x: Numbers, positions: Numbers, shape: RopeShape, sign: number): Float64Array {
  const { heads, headDim, ropeDims, theta, rowWidth = heads * headDim } = shape;
  const half = ropeDims / 2;
  const y = Float64Array.from(x);
  for (let token = 0; token < positions.length; token++) {
    for (let i = 0; i < half; i++) {
      const angle = sign * positions[token] * theta ** (-2 * i / ropeDims);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let head = 0; head < heads; head++) {
        const first = token * rowWidth + head * headDim + i;
        const second = first + half;
        y[first] = x[first] * cos - x[second] * sin;
        y[second] = x[second] * cos + x[first] * sin;
      }
    }
  }
  return y;
}
