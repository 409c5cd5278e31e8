/**
 * Matrix products and the linear layer.
 *
 * The three layouts are the three products of a linear layer y = x W^T with W stored [out, in]: NT is the
 * forward pass, NN gives d_x = d_y W and TN gives d_W = d_y^T x. The gradients of each are again among the three.
 */
import { activate, activateBackward, type Activation } from "./activation.ts";
import type { Numbers } from "./numbers.ts";

/** Which operand is stored transposed: N as written, T transposed. */
export type Layout = "NN" | "NT" | "TN";

/** The product is [m, n], summed over k. */
export interface MatmulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/**
 * C [m, n] = op(A) op(B).
 * NN: A [m, k], B [k, n].  NT: A [m, k], B [n, k].  TN: A [k, m], B [k, n].
 */
export function matmul(a: Numbers, b: Numbers, shape: MatmulShape, layout: Layout): Float64Array {
  const { m, n, k } = shape;
  const c = new Float64Array(m * n);
  const [aRow, aStep] = layout === "TN" ? [1, m] : [k, 1];
  const [bColumn, bStep] = layout === "NT" ? [k, 1] : [1, n];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * aRow + p * aStep] * b[j * bColumn + p * bStep];
      c[i * n + j] = sum;
    }
  }
  return c;
}

/** d_a and d_b, in the layouts in which A and B are stored. */
export function matmulBackward(
  a: Numbers,
  b: Numbers,
  d_c: Numbers,
  { m, n, k }: MatmulShape,
  layout: Layout,
): { d_a: Float64Array; d_b: Float64Array } {
  switch (layout) {
    case "NN": // C = A B
      return {
        d_a: matmul(d_c, b, { m, n: k, k: n }, "NT"),
        d_b: matmul(a, d_c, { m: k, n, k: m }, "TN"),
      };
    case "NT": // C = A B^T
      return {
        d_a: matmul(d_c, b, { m, n: k, k: n }, "NN"),
        d_b: matmul(d_c, a, { m: n, n: k, k: m }, "TN"),
      };
    case "TN": // C = A^T B
      return {
        d_a: matmul(b, d_c, { m: k, n: m, k: n }, "NT"),
        d_b: matmul(a, d_c, { m: k, n, k: m }, "NN"),
      };
  }
}

/** `batch` independent products, operands and results one after another. */
export function batchedMatmul(
  a: Float64Array,
  b: Float64Array,
  shape: MatmulShape,
  layout: Layout,
  batch: number,
): Float64Array {
  const { m, n, k } = shape;
  const c = new Float64Array(batch * m * n);
  for (let i = 0; i < batch; i++) {
    const left = a.subarray(i * m * k, (i + 1) * m * k);
    const right = b.subarray(i * k * n, (i + 1) * k * n);
    c.set(matmul(left, right, shape, layout), i * m * n);
  }
  return c;
}

/** A linear layer maps `inner` numbers to `out` numbers in each of `rows` rows. */
export interface LinearShape {
  readonly rows: number;
  readonly inner: number;
  readonly out: number;
}

/** y [rows, out] = activation(x W^T + bias); x [rows, inner], weight [out, inner], bias [out] or null. */
export function linear(
  x: Numbers,
  weight: Numbers,
  bias: Numbers | null,
  { rows, inner, out }: LinearShape,
  activation: Activation = "none",
): Float64Array {
  const y = matmul(x, weight, { m: rows, n: out, k: inner }, "NT");
  if (bias) { for (let i = 0; i < y.length; i++) y[i] += bias[i % out]; }
  return activation === "none" ? y : activate(activation, y);
}

/** d_x, d_weight and d_bias (zero-cost to ignore where there is no bias). */
export function linearBackward(
  x: Numbers,
  weight: Numbers,
  bias: Numbers | null,
  d_y: Numbers,
  shape: LinearShape,
  activation: Activation = "none",
): { d_x: Float64Array; d_weight: Float64Array; d_bias: Float64Array } {
  const { rows, inner, out } = shape;
  const d_sum = activation === "none"
    ? d_y
    : activateBackward(activation, linear(x, weight, bias, shape), d_y);
  const d_bias = new Float64Array(out);
  for (let i = 0; i < d_sum.length; i++) d_bias[i % out] += d_sum[i];
  const { d_a, d_b } = matmulBackward(x, weight, d_sum, { m: rows, n: out, k: inner }, "NT");
  return { d_x: d_a, d_weight: d_b, d_bias };
}
