/**
 * What a training step is made of: shape, objective, update rule.
 */
import type { LossScalerState } from "../../kernels/optimizer/loss_scaler.ts";
import type { ScheduleSettings } from "../../kernels/optimizer/schedule.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { Term } from "../objective/term.ts";

/** What is minimised: value imprinting, which alone is next-token prediction where rho is 0, and further terms (INFANT Eq. 6). */
export interface Objective {
  /** Weight of KL(policy || prior), INFANT Eq. 7; 0 computes nothing. */
  readonly rho: number;
  /** The frozen prior; needed when rho > 0. */
  readonly prior: Parameters | null;
  /** Weight of value imprinting; default 1, and 0 computes nothing: steps then take no batches. */
  readonly weight?: number;
  /** The other terms. Those of weight 0 are not recorded. */
  readonly terms?: readonly Term[];
}

/** Everything about a step that does not change during a stage. */
export interface ProgramSettings {
  /** Demonstrations' sequences of a micro-batch; those of other terms come on top. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Micro-batches per step. */
  readonly accumulation: number;
  /** Update rule. */
  readonly optimizer: "adamw" | "sgd";
  /** AdamW's decay rates, each in [0, 1). */
  readonly betas: readonly [number, number];
  /** AdamW's epsilon. */
  readonly eps: number;
  /** SGD's momentum, in [0, 1). */
  readonly momentum: number;
  /** Decoupled weight decay of the matrices. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this norm; null: never. */
  readonly maxGradNorm: number | null;
  /** Learning rate by step. */
  readonly schedule: ScheduleSettings;
  /** Recompute activations in the backward pass: less memory, more time. */
  readonly recompute: boolean;
  /** Dropout rate, in [0, 1). */
  readonly dropout: number;
  /** Seed of dropout. */
  readonly seed: number;
  /** What is minimised. */
  readonly objective: Objective;
  /**
   * Dynamic loss scaling, starting from this state: the gradient of the logits is then stored in float16, scaled so that it neither
   * vanishes nor overflows. Absent or null: it is float32, and unscaled.
   */
  readonly lossScale?: LossScalerState | null;
  /** Gather the path integral of synaptic intelligence along the way: three more vectors as long as the trained parameters. */
  readonly path?: boolean;
}

/** The optimiser's moments. */
export interface OptimizerState {
  /** First moment (or momentum), flat. */
  readonly m: Float32Array;
  /** Second moment, flat. */
  readonly v: Float32Array;
  /** Path integral so far, flat, where one is gathered. */
  readonly path?: Float32Array;
}
