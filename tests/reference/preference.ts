/**
 * Preference losses over pairs (INFANT Eq. 8 and its relatives), in float64, from summed log-probabilities.
 */
import type { PreferenceLoss } from "../../kernels/losses/preference.ts";
import type { Numbers } from "./numbers.ts";

/** Log-probabilities of one pair under policy and reference, and scored tokens. */
export interface Pair {
  /** [chosen, rejected] under the policy. */
  readonly policy: Numbers;
  /** [chosen, rejected] under the reference. */
  readonly reference: Numbers;
  /** Scored tokens of [chosen, rejected]. */
  readonly lengths: Numbers;
}

/** Loss of one pair. */
export function preferenceLoss(
  { policy, reference, lengths }: Pair,
  loss: PreferenceLoss,
  beta: number,
  smoothing: number,
): number {
  const chosen = policy[0] - reference[0];
  const rejected = policy[1] - reference[1];
  const h = beta * (chosen - rejected);
  const right = -Math.log1p(Math.exp(-Math.abs(h))) + Math.min(h, 0);
  const wrong = -Math.log1p(Math.exp(-Math.abs(h))) + Math.min(-h, 0);
  switch (loss) {
    case "sigmoid":
      return -right;
    case "cdpo":
      return -(1 - smoothing) * right - smoothing * wrong;
    case "robust":
      return (-(1 - smoothing) * right + smoothing * wrong) / (1 - 2 * smoothing);
    case "hinge":
      return Math.max(0, 1 - h);
    case "ipo":
      return (chosen / lengths[0] - rejected / lengths[1] - 1 / (2 * beta)) ** 2;
  }
}
