/**
 * l_hidden of INFANT Eq. 11, which the paper leaves open, defined twice: what is trained on, and what is measured.
 *
 * Surrogate: -log pi(a* | h_delta), nats, summed over the tokens of the right reply a*. It is differentiable in theta, costs one
 * forward pass and bounds what is measured: a violation is another reply than a*, so
 * P(violation) <= 1 - pi(a*) <= -log pi(a*).
 * Measured: 1 where the oracle calls the policy's own reply a violation, else 0. Garbage does not violate: read it beside the share of
 * replies that are right.
 */
import type { Dialogue } from "../../nursery/dialogue.ts";
import { judge } from "../../nursery/oracle.ts";

/** A context and the reply that is right for it, as token ids. */
export interface ReplyCase {
  /** h or h_delta, up to where the reply begins; at least one token. */
  readonly context: readonly number[];
  /** a*, with the token that ends it; at least one token. */
  readonly reply: readonly number[];
}

/** The surrogate from the log-probabilities of the reply's tokens, nats. */
export function surrogateLoss(logProbs: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < logProbs.length; i++) sum -= logProbs[i];
  return sum;
}

/** The bound on the violation probability that a surrogate loss gives, in [0, 1]: 1 - exp(-loss). */
export function violationBound(loss: number): number {
  return -Math.expm1(-loss);
}

/** The measured loss by the nursery's oracle: 1 for a violation, else 0. */
export function violationLoss(dialogue: Dialogue, reply: readonly string[]): 0 | 1 {
  return judge(dialogue, reply).violation ? 1 : 0;
}
