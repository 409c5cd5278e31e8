/**
 * Low-rank adapters (Hu et al., arXiv:2106.09685): y += scaling B A x on some rows of a linear layer.
 *
 * Queries, keys and values are one matrix here, so an adapter of q_proj or v_proj names the rows it adds to.
 */
import { linear, linearBackward, matmul } from "./matmul.ts";
import { add, scale } from "./numbers.ts";

/** One adapter. Its gradients are called `lora.NAME.A` and `lora.NAME.B`, like its parameters on the GPU. */
export interface Lora {
  readonly name: string;
  /** The weight it sits on, by internal name (`layers.0.attention.qkv.weight`). */
  readonly parameter: string;
  /** First row of the layer's output it adds to. */
  readonly rowStart: number;
  /** Rows it adds to: those of B. */
  readonly rowCount: number;
  readonly rank: number;
  /** alpha / rank */
  readonly scaling: number;
  /** A [rank, inner] */
  readonly a: Float64Array;
  /** B [rowCount, rank] */
  readonly b: Float64Array;
}

/** scaling (x A^T) B^T: [tokens, rowCount]. */
export function lora(adapter: Lora, x: Float64Array, tokens: number): Float64Array {
  const { a, b, rank, rowCount, scaling } = adapter;
  const inner = a.length / rank;
  const down = linear(x, a, null, { rows: tokens, inner, out: rank });
  return scale(linear(down, b, null, { rows: tokens, inner: rank, out: rowCount }), scaling);
}

/** d_x [tokens, inner], d_a, d_b from d_y [tokens, rowCount]. */
export function loraBackward(
  adapter: Lora,
  x: Float64Array,
  d_y: Float64Array,
  tokens: number,
): { d_x: Float64Array; d_a: Float64Array; d_b: Float64Array } {
  const { a, b, rank, rowCount, scaling } = adapter;
  const inner = a.length / rank;
  const downShape = { rows: tokens, inner, out: rank };
  const upShape = { rows: tokens, inner: rank, out: rowCount };
  const down = linear(x, a, null, downShape);
  const up = linearBackward(down, b, null, scale(d_y, scaling), upShape);
  const { d_x, d_weight } = linearBackward(x, a, null, up.d_x, downShape);
  return { d_x, d_a: d_weight, d_b: up.d_weight };
}

/** The layer's weight [out, inner] with the adapter added in: W + scaling B A on its rows. */
export function mergeLora(adapter: Lora, weight: Float64Array): Float64Array {
  const { a, b, rank, rowCount, scaling, rowStart } = adapter;
  const inner = a.length / rank;
  const product = scale(matmul(b, a, { m: rowCount, n: inner, k: rank }, "NN"), scaling);
  const merged = weight.slice();
  const start = rowStart * inner;
  merged.set(add(product, weight.subarray(start, start + product.length)), start);
  return merged;
}
