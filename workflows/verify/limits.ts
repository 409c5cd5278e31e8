/**
 * How far a result may lie from its reference, as |got - want| / |want| in the L2 norm of a tensor.
 *
 * A float32 implementation in PyTorch reaches 5e-7 on logits, 3e-6 on gradients and 5e-5 on trained
 * parameters. Wider limits hide bugs: a norm's epsilon wrong by a factor of ten moves logits by
 * 8e-6 to 7e-5, tanh in place of erf in GELU by 1e-4.
 */
export const LIMITS = {
  /** Logits, log-probabilities, losses and divergences. */
  forward: 1e-5,
  /** Each gradient, Fisher diagonal or penalty. */
  gradient: 1e-4,
  /** What is a small difference of large numbers: preference rewards, margins and losses. */
  difference: 5e-4,
  /** Losses, norms and parameters over some twenty optimiser steps. */
  trajectory: 1e-4,
  /** Trained biases of keys, whose gradients nearly vanish. */
  keyBiases: 1e-3,
  /** Counts and token ids. */
  exact: 0,
} as const;
