/**
 * What a matrix product can be asked for.
 */
import type { Activation } from "../activation/activation.ts";
import type { MatmulSchedule } from "../gpu/device.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";

/** Which operand is transposed. */
export type MatmulForm = "nn" | "nt" | "tn";

/**
 * Epilogue, and windows into wider matrices. A window that ends before its matrix does is a multiple of 4 columns wide:
 * its last vec4 would otherwise reach into the neighbouring columns.
 */
export interface MatmulOptions {
  /** Vector [n] added to every row. */
  readonly bias?: Tensor | null;
  /** Applied to the product plus bias, before the residual; default identity. */
  readonly activation?: Activation;
  /** Matrix of `out`'s shape added after the activation. */
  readonly residual?: Tensor | null;
  /** Factor on A B, before everything else. */
  readonly alpha?: number;
  /** Write into this tensor instead of a new one. */
  readonly out?: Tensor;
  /** Add to what `out` holds. */
  readonly accumulate?: boolean;
  /** First column of A that is read (NN, NT: of its k; TN: of its m), a multiple of 4. */
  readonly aColumn?: number;
  /** First column of `out` that is written, a multiple of 4. */
  readonly cColumn?: number;
  /** Rows of the product, where fewer than the tensors have; default, as for n and k: all. */
  readonly m?: number;
  /** Columns of the product, where fewer than the tensors have. */
  readonly n?: number;
  /** Inner size, where smaller than the tensors have. */
  readonly k?: number;
  /** TN only: vector [m] to which the column sums of A are added. */
  readonly columnSums?: Tensor | null;
  /** Number of equal matrices stored one after the other in A, B and C. */
  readonly batch?: number;
  /** Overrides the adapter's schedule. */
  readonly schedule?: MatmulSchedule;
  /** TN only: slices of k that are computed side by side, for tests and benchmarks; by default as `split.ts` has it. */
  readonly slices?: number;
  /** Element type of a new result; f32 where absent. Sums are float32 whatever A, B and C hold. */
  readonly dtype?: DType;
  /** Name of the result's tensor. */
  readonly name?: string;
}
