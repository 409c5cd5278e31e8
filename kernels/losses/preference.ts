/**
 * Direct preference optimisation (Rafailov et al., arXiv:2305.18290; INFANT Eq. 8) and its relatives, over pairs of replies.
 *
 * With D = log-ratio(chosen) - log-ratio(rejected), the ratio being policy over reference:
 *
 *     sigmoid    -log s(beta D)
 *     cdpo       -(1-e) log s(beta D) - e log s(-beta D)                          labels wrong with rate e (Mitchell 2023)
 *     robust     [-(1-e) log s(beta D) + e log s(-beta D)] / (1 - 2e)             the same, without bias (arXiv:2403.00409)
 *     hinge      max(0, 1 - beta D)                                               SLiC (arXiv:2305.10425)
 *     ipo        (D' - 1 / (2 beta))^2, D' from log-ratios per scored token       arXiv:2310.12036, length-normalised
 *
 * beta times a log-ratio is the implicit reward (INFANT Eq. 18; known only up to beta log Z(x), which cancels in a margin).
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkSlot, checkVector } from "../reduce/checks.ts";
import { ROW_FUNCTIONS } from "../reduce/rows.ts";
import code from "./preference.wgsl" with { type: "text" };

const kernel = defineKernel("preference", code, { ROW_FUNCTIONS });

/** Names of the losses. */
export const PREFERENCE_LOSSES = ["sigmoid", "cdpo", "robust", "hinge", "ipo"] as const;
/** One of {@linkcode PREFERENCE_LOSSES}. */
export type PreferenceLoss = (typeof PREFERENCE_LOSSES)[number];

/**
 * What {@linkcode preference} adds to the metrics, in order, each summed over pairs with the pairs' weights: the loss, 1 where the
 * chosen reply has the larger reward, both implicit rewards, both log-probabilities under the policy, the mean size of the
 * two log-ratios, and 1 where the policy gives both replies less than the reference does.
 */
export const PREFERENCE_METRICS = [
  "loss",
  "accuracy",
  "reward_chosen",
  "reward_rejected",
  "logp_chosen",
  "logp_rejected",
  "log_ratio",
  "both_fell",
] as const;

/** Log-probabilities of pairs: entries [0, pairs) belong to the chosen replies, [pairs, 2 pairs) to the rejected ones. */
export interface PreferenceInputs {
  /** Summed log-probabilities under the policy, [2 pairs]. */
  readonly sums: Tensor;
  /** The same under the reference, [2 pairs]; constants. */
  readonly reference: Tensor;
  /** Scored tokens of each reply, f32 [2 pairs]; above 0 where the pair counts. Only `ipo` reads them. */
  readonly lengths: Tensor;
  /** Weight of each pair, [pairs]; pairs of weight 0 are not there. */
  readonly weights: Tensor;
}

/** Which loss, and its numbers. */
export interface PreferenceSettings {
  /** Which. */
  readonly loss: PreferenceLoss;
  /** Inverse temperature, above 0; called beta in Eq. 8, not the weight of the term in Eq. 6. */
  readonly dpoBeta: number;
  /** Assumed rate of wrong labels, in [0, 0.5): cdpo and robust. */
  readonly labelSmoothing?: number;
  /** Factor of the loss, but not of the metrics; default 1. */
  readonly scale?: number;
}

/**
 * value_p = scale weight_p loss_p, [pairs]. Backward: d_sums. The metrics of {@linkcode PREFERENCE_METRICS} are added to
 * metrics[index ..].
 * @throws {InputError} when shapes do not belong together or a setting is out of range.
 */
export function preference(
  tape: Tape,
  { sums, reference, lengths, weights }: PreferenceInputs,
  settings: PreferenceSettings,
  metrics: Tensor,
  index: number,
): Tensor {
  checkVector("preference", weights);
  const pairs = weights.columns;
  for (const tensor of [sums, reference, lengths]) checkVector("preference", tensor, 2 * pairs);
  checkSlot("preference", metrics, index, PREFERENCE_METRICS.length);
  const { loss, dpoBeta, scale = 1 } = settings;
  const { a, b } = logisticParts(settings);
  const value = tape.tensor("preference", [pairs]);
  const d_sums = tape.tensor(`d_${sums.name}`, [2 * pairs]);
  const LANES = tape.gpu.info.software ? 8 : 64;
  tape.dispatch({
    kernel,
    bindings: { sums, reference, lengths, weights, value, d_sums, metrics },
    uniforms: { pairs, index, beta: dpoBeta, a, b, scale },
    overrides: { LANES, KIND: loss === "ipo" ? 1 : loss === "hinge" ? 2 : 0 },
    groups: [1],
    loops: Math.ceil(pairs / LANES) + 24,
    flops: 40 * pairs,
  });
  if (sums.needsGrad) tape.onBackward(() => sums.grad = d_sums);
  return value;
}

/** Factors of softplus(-h) and softplus(h) that make the three logistic losses one. */
function logisticParts(
  { loss, dpoBeta, labelSmoothing = 0 }: PreferenceSettings,
): { a: number; b: number } {
  if (!(dpoBeta > 0 && Number.isFinite(dpoBeta))) {
    throw new InputError(`preference: dpoBeta must be above 0, found ${dpoBeta}`);
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) {
    throw new InputError(
      `preference: labelSmoothing must be in [0, 0.5), found ${labelSmoothing}: at 0.5 labels say nothing`,
    );
  }
  if (loss === "cdpo") return { a: 1 - labelSmoothing, b: labelSmoothing };
  if (loss === "robust") {
    const unbiased = 1 - 2 * labelSmoothing;
    return { a: (1 - labelSmoothing) / unbiased, b: -labelSmoothing / unbiased };
  }
  return { a: 1, b: 0 };
}
