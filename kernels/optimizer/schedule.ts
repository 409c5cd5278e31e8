/**
 * What the host decides before each step: the learning rate and AdamW's bias corrections, computed in float64.
 *
 * The schedules are those of Hugging Face's `get_scheduler`, with an optional floor (`cosine_with_min_lr`).
 */
import { InputError } from "../errors.ts";

/** Length of the knobs vector: 5 are in use, the rest is 0. */
export const KNOBS = 16;

/** How the learning rate changes over a run. */
export interface ScheduleSettings {
  /** Shape of the fall after the warm-up. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Highest learning rate. */
  readonly learningRate: number;
  /** Updates with a rising rate; the first update of a warm-up has rate 0, as in Hugging Face. */
  readonly warmupSteps: number;
  /** Updates in the whole run, warm-up included. */
  readonly totalSteps: number;
  /** The rate falls no lower than this share of the highest; 0 where absent. */
  readonly minRatio?: number;
  /**
   * What follows when training goes on beyond `totalSteps`: portions of `every` updates, each with the same fall from `ratio` times the
   * highest rate, without warm-up. Absent: the last rate is kept.
   */
  readonly portions?: { readonly every: number; readonly ratio: number };
}

/** All that {@linkcode knobValues} needs to know. */
export interface KnobSettings {
  /** The learning rate over the run. */
  readonly schedule: ScheduleSettings;
  /** As in the optimizer; SGD ignores it. */
  readonly beta1: number;
  /** As in the optimizer; SGD ignores it. */
  readonly beta2: number;
  /** Clip gradients to this global norm; 0 or less: do not. */
  readonly maxGradNorm: number;
  /** Gradients were multiplied by this (see `LossScaler`); 1 where absent. */
  readonly lossScale?: number;
  /** Updates that were skipped so far: they do not count in the bias corrections; 0 where absent. */
  readonly skipped?: number;
}

/** Learning rate of update `step`, counted from 0. */
export function learningRate(step: number, settings: ScheduleSettings): number {
  const { kind, warmupSteps, totalSteps, minRatio = 0, portions } = settings;
  if (portions && step >= totalSteps) {
    const { every, ratio } = portions;
    const again = { kind, warmupSteps: 0, totalSteps: every, minRatio };
    const learningRateAgain = ratio * settings.learningRate;
    return learningRate((step - totalSteps) % every, { ...again, learningRate: learningRateAgain });
  }
  if (step < warmupSteps) return settings.learningRate * step / Math.max(1, warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const falls = {
    constant: 1,
    linear: 1 - progress,
    cosine: (1 + Math.cos(Math.PI * progress)) / 2,
  };
  const factor = kind === "constant" ? 1 : minRatio + (1 - minRatio) * falls[kind];
  return settings.learningRate * factor;
}

/**
 * The knobs of update `step`, counted from 0: learning rate, 1 - beta1^t, 1 - beta2^t, largest gradient norm, gradient
 * scale, with t = step + 1 - skipped.
 * @throws {InputError} when `step` is not a whole number of at least `skipped`.
 */
export function knobValues(step: number, settings: KnobSettings): Float32Array {
  const { schedule, beta1, beta2, maxGradNorm, lossScale = 1, skipped = 0 } = settings;
  const t = step + 1 - skipped;
  if (!Number.isSafeInteger(t) || t < 1) {
    throw new InputError(`optimizer step must be a whole number from ${skipped}, found ${step}`);
  }
  const knobs = new Float32Array(KNOBS);
  knobs.set([
    learningRate(step, schedule),
    1 - beta1 ** t,
    1 - beta2 ** t,
    maxGradNorm,
    1 / lossScale,
  ]);
  return knobs;
}
