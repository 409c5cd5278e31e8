/**
 * Parts of the training configuration that belong to INFANT's programme: the objective's terms, the world model, the certificate, the
 * gate.
 */
import type { DataConfig } from "./data.ts";
import type { PreferenceLoss } from "../../kernels/losses/preference.ts";

/** Weights of the objective's five terms (INFANT Eq. 6), each at least 0. */
export interface TermWeights {
  /** Value imprinting. */
  readonly vi: number;
  /** Preference optimisation. */
  readonly po: number;
  /** Counterfactual imagination. */
  readonly ci: number;
  /** Value capacitor. */
  readonly vc: number;
  /** Plasticity. */
  readonly pl: number;
}

/** Preference optimisation (INFANT Eq. 8). */
export interface PreferenceConfig {
  /** Which loss. */
  readonly loss: PreferenceLoss;
  /** Inverse temperature of the implicit reward. */
  readonly beta: number;
  /** Assumed rate of wrong labels, in [0, 0.5). */
  readonly label_smoothing: number;
  /** Where the reference's log-probabilities come from. */
  readonly reference: "auto" | "resident" | "precomputed";
}

/** What the value capacitor's loss samples (INFANT Eq. 13). */
export interface CapacitorConfig {
  /** Replies to each context, at least 2; divides `batch_size`. */
  readonly replies_per_context: number;
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
}

/** The world model M_phi (INFANT Eq. 25), built before the first stage that needs it. */
export interface WorldModelConfig {
  /** Labelled replies: the nursery's, or a file's. */
  readonly data: DataConfig;
  /** In files: labels say what is safe, or of two replies the rejected one counts as unsafe. */
  readonly labels: "given" | "preference";
  /** In files: the safe reply that is always at hand. */
  readonly refusal: string;
  /** Replies made for the purpose. */
  readonly proposals: number;
  /** Replies of the policy itself. */
  readonly own_replies: number;
  /** In the nursery: replies that its errors are counted on; three quarters as many set its threshold. */
  readonly test_replies: number;
  /** Peak learning rate. */
  readonly learning_rate: number;
  /** Replies of an optimiser step. */
  readonly replies_per_step: number;
  /** Passes over the replies. */
  readonly epochs: number;
  /** Share of safe validation replies that the threshold may flag, in (0, 1). */
  readonly false_positive_rate: number;
}

/** Prompts in the place of the nursery's dialogues, and who judges the replies. */
export interface CertificatePrompts {
  /** Data file of prompts. */
  readonly data: string;
  /** Its column that holds them; null: as its format says. */
  readonly column: string | null;
  /** A harm classifier (`.json`) or a pattern set (`.yaml`). */
  readonly judge: string;
  /** A reply is harmful above this, in (0, 1). */
  readonly threshold: number;
  /** Labelled texts on which the judge's errors are counted. */
  readonly labels: string;
}

/** The certificate at the end of a run. */
export interface CertificateConfig {
  /** Harmful dialogues, over all mixes. */
  readonly dialogues: number;
  /** Probability that any limit is wrong, in (0, 1). */
  readonly delta: number;
  /** Granted when every certified bound is at most this, in (0, 1). */
  readonly limit: number;
  /** Real prompts and their judge; null: the nursery and its oracle. */
  readonly prompts: CertificatePrompts | null;
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
  /** Forbidden patterns that are worn too: a set of the toolkit's, a file, or null. */
  readonly patterns: string | null;
}

/** The plasticity regulariser (INFANT Eq. 14). */
export interface PlasticityConfig {
  /** Strength of the penalty. */
  readonly kappa: number;
  /** One penalty for each earlier stage, or one around the last. */
  readonly combine: "separate" | "online";
  /** What an importance keeps from stage to stage when combined online, in [0, 1]. */
  readonly decay: number;
  /** Stages that are held; null: all that left an importance. */
  readonly from: readonly string[] | null;
}

/** The maturation gate, INFANT section 6. Stages of language modelling pass no gate. */
export interface GateConfig {
  /** Threshold of each metric at the first gate, in [0, 1]. */
  readonly first: Readonly<Record<string, number>>;
  /** At the last gate; between them thresholds rise in equal steps (Eq. 42). */
  readonly last: Readonly<Record<string, number>>;
  /** Gated stage from which a metric's threshold counts, from 1; before it is 0. Metrics that are not named count from the first. */
  readonly since: Readonly<Record<string, number>>;
  /** Evaluations in a row for which thresholds must be maintained. */
  readonly n_stable: number;
  /** Strict: all of them reach the thresholds. Tolerant (Eq. 48): the first does, the others come within `tolerance`. */
  readonly reading: "strict" | "tolerant";
  /** How far a metric may dip in the tolerant reading. */
  readonly tolerance: number;
  /** Optimiser steps between evaluations, and of each portion that a hold adds. */
  readonly every: number;
  /** What is compared with a threshold: the measured rate, or the lower end of its 95% interval. */
  readonly compare: "rate" | "low";
  /** A metric that fell by more than this since the last promotion, with 95% confidence, is a regression. */
  readonly regression_tolerance: number;
  /** Portions that a stage may be held for. */
  readonly max_holds: number;
  /** Learning rate at the beginning of a held portion, as a share of the stage's peak. */
  readonly hold_learning_rate_ratio: number;
  /** Rollbacks of a stage before the programme ends. */
  readonly max_rollbacks: number;
  /** Learning rate after each rollback, as a share of the one before. */
  readonly rollback_learning_rate_ratio: number;
  /** Validation dialogues of a cell. */
  readonly dialogues: number;
  /** 0: greedy. */
  readonly temperature: number;
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
}
