/**
 * The one shape in which text reaches a policy.
 *
 * Everything the data code knows (masks, prompts, packing, padding) is said here per token, so that the
 * kernels need no special cases: a target that is not to be learned has weight 0, and a token sees exactly
 * the keys from its `starts` entry up to itself.
 */

/** Marks a position without a target. */
export const NO_TARGET = 0xffffffff;

/** A block of `rows` x `length` tokens, row by row. */
export interface TokenBatch {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Token ids, [rows * length]. Padding may hold any valid id. */
  readonly ids: Uint32Array;
  /** The token that position i must predict (already shifted), or {@linkcode NO_TARGET}. */
  readonly targets: Uint32Array;
  /** Weight of that prediction in the loss, >= 0; not normalised. 0 where there is no target. */
  readonly weights: Float32Array;
  /** Position of the token inside its own sequence (0 at the start of each packed sequence). */
  readonly positions: Uint32Array;
  /** Index inside the row of the first token this one may attend to (start of its packed sequence). */
  readonly starts: Uint32Array;
  /** Weights of value imprinting's KL term (INFANT Eq. 7) where they differ from `weights`. */
  readonly klWeights?: Float32Array;
}

/** One tokenised training example. `weights[i]` weighs the prediction OF token i; `weights[0]` is 0. */
export interface TokenExample {
  /** Token ids. */
  readonly ids: readonly number[];
  /** Weight of each token as a target. */
  readonly weights: readonly number[];
}
