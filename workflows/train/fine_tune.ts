/**
 * Training in one call: a policy, numbered batches, so many steps. No stages, no files; for experiments and notebooks.
 */
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { BatchSource } from "../data/sources/source.ts";
import { type Reporter, silent } from "../logging/reporter.ts";
import type { Term } from "../objective/term.ts";
import { TrainProgram } from "./program.ts";
import type { StepMetrics } from "./step_metrics.ts";

/** How a policy is trained further. */
export interface FineTuneOptions {
  /** Optimiser steps. */
  readonly steps: number;
  /** Peak learning rate; it rises over the first tenth of the steps and then falls to a tenth by a cosine. */
  readonly learningRate: number;
  /** The policy that this one is held to by rho KL(policy || prior) (INFANT Eq. 7); default: none. */
  readonly prior?: Parameters | null;
  /** Weight of that KL; default 0.05, and without a prior there is none. */
  readonly rho?: number;
  /** Terms beside the cross-entropy of the batches (INFANT Eq. 6), e.g. plasticity; they stay the caller's. */
  readonly terms?: readonly Term[];
  /** Hears of every step, under this name; default: nobody. */
  readonly reporter?: Reporter;
  /** Default `fine-tuning`. */
  readonly name?: string;
}

/** Steps between two waits for the GPU. */
const READ_EVERY = 10;

/**
 * Trains `policy` in place on batches 0, 1, ... of `source` by AdamW and returns the metrics of every step.
 * @throws {InputError} when nothing is trainable, or batches do not fit.
 */
export async function fineTune(
  policy: Parameters,
  source: BatchSource,
  {
    steps,
    learningRate,
    prior = null,
    rho = 0.05,
    terms = [],
    reporter = silent,
    name = "fine-tuning",
  }: FineTuneOptions,
): Promise<StepMetrics[]> {
  const { rows, length } = await source.batch(0);
  const warmupSteps = Math.ceil(steps / 10);
  const program = new TrainProgram(policy, {
    ...{ rows, length, accumulation: 1 },
    ...{ optimizer: "adamw", betas: [0.9, 0.99], eps: 1e-8, momentum: 0, weightDecay: 0 },
    maxGradNorm: 1,
    schedule: { kind: "cosine", learningRate, warmupSteps, totalSteps: steps, minRatio: 0.1 },
    ...{ recompute: false, dropout: 0, seed: 0 },
    objective: { rho: prior ? rho : 0, prior, terms },
  });
  const metrics: StepMetrics[] = [];
  reporter.stage(name, steps);
  try {
    for (let step = 0; step < steps; step++) {
      if (program.needsPreparation) await program.prepare(step);
      program.step(step, [await source.batch(step)]);
      if ((step + 1) % READ_EVERY !== 0 && step + 1 < steps) continue;
      metrics.push(...await program.metrics());
      const tokens = (step + 1) * program.tokensPerStep;
      reporter.step({ step: step + 1, loss: metrics[step].loss, tokens });
    }
    await reporter.done();
    return metrics;
  } finally {
    program.destroy();
  }
}
