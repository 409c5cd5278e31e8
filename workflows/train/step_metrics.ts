/**
 * What a training step leaves on the GPU, and what the host makes of it when it is read, many steps later.
 */

/** Places in the metrics vector that each step leaves on the GPU. */
export const METRIC = { crossEntropy: 0, kl: 1, correct: 2, gradNorm: 4, notFinite: 5 } as const;
/** Length of that vector. */
export const METRICS = 16;

/** Metrics of one step, read back later. */
export interface StepMetrics {
  /** Cross-entropy + rho KL, per token of weight 1. */
  readonly loss: number;
  /** Nats per token of weight 1. */
  readonly crossEntropy: number;
  /** KL(policy || prior), nats per token; 0 without a prior. */
  readonly kl: number;
  /** Share of scored tokens whose target was the most likely one. */
  readonly accuracy: number;
  /** Global norm before clipping. */
  readonly gradNorm: number;
  /** Of this step. */
  readonly learningRate: number;
  /** The gradient was not finite and the update was left out. */
  readonly skipped: boolean;
  /** What the loss was multiplied by for the backward pass; loss and gradNorm are without it. */
  readonly lossScale: number;
}

/** What the host knew of a step when it was submitted. */
export interface SubmittedStep {
  readonly learningRate: number;
  /** Tokens with a weight above 0. */
  readonly scored: number;
  readonly lossScale: number;
}

/** The metrics of a step from its row of {@linkcode METRICS} values; `rho` is the weight of the KL term. */
export function stepMetrics(row: Float32Array, rho: number, step: SubmittedStep): StepMetrics {
  const { learningRate, scored, lossScale } = step;
  const kl = row[METRIC.kl] / lossScale;
  const crossEntropy = row[METRIC.crossEntropy] / lossScale;
  return {
    loss: crossEntropy + rho * kl,
    crossEntropy,
    kl,
    accuracy: row[METRIC.correct] / scored,
    gradNorm: row[METRIC.gradNorm] / lossScale,
    learningRate,
    skipped: row[METRIC.notFinite] !== 0,
    lossScale,
  };
}
