/**
 * How heads lie in memory: a fused row is [queries | keys | values], head after head.
 *
 * Every head is padded with zeros to a multiple of four floats, so that kernels load `vec4f` for any head
 * size. The zeros take part in the arithmetic and change nothing.
 */
import { InputError } from "../errors.ts";
import { paddedColumns, type Tensor } from "../gpu/tensor.ts";
import type { PolicyConfig } from "../policy/config.ts";

/** A block of `rows` sequences of `length` tokens. */
export interface BatchShape {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of each sequence. */
  readonly length: number;
}

/** Stored floats of one head: `headDim` rounded up to a multiple of 4. */
export function headStrideOf(config: PolicyConfig): number {
  return paddedColumns(config.headDim);
}

/** Stored floats of one fused row: (heads + 2 kvHeads) * headStride. */
export function fusedColumns(config: PolicyConfig, headStride: number): number {
  return (config.heads + 2 * config.kvHeads) * headStride;
}

/** What every attention kernel must know of the heads; offsets inside a fused row in vec4s. */
export function headSizes(config: PolicyConfig, headStride: number): {
  readonly heads: number;
  readonly group: number;
  readonly k_at: number;
  readonly v_at: number;
  readonly scale: number;
} {
  const { heads, kvHeads, headDim } = config;
  return {
    heads,
    group: heads / kvHeads,
    k_at: heads * headStride / 4,
    v_at: (heads + kvHeads) * headStride / 4,
    scale: 1 / Math.sqrt(headDim),
  };
}

/**
 * Checks that `tensor` holds fused rows of this policy.
 * @throws {InputError} naming the tensor, the expected shape and the one found.
 */
export function checkFused(
  tensor: Tensor,
  tokens: number,
  config: PolicyConfig,
  headStride: number,
): void {
  if (headStride !== headStrideOf(config)) {
    throw new InputError(
      `${tensor.name}: headStride must be headDim ${config.headDim} rounded up to a multiple of 4 ` +
        `(${headStrideOf(config)}), got ${headStride}`,
    );
  }
  checkShape(tensor, [tokens, fusedColumns(config, headStride)]);
}

/** Checks a tensor's shape. */
export function checkShape(tensor: Tensor, expected: readonly number[]): void {
  const { name, shape } = tensor;
  if (shape.length !== expected.length || shape.some((n, i) => n !== expected[i])) {
    throw new InputError(`${name}: expected shape [${expected}], found [${shape}]`);
  }
}

/** Checks an index vector. */
export function checkIndices(tensor: Tensor, length: number): void {
  if (tensor.dtype !== "u32") {
    throw new InputError(`${tensor.name}: expected u32 values, found ${tensor.dtype}`);
  }
  checkShape(tensor, [length]);
}
