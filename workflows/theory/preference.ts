/**
 * Direct preference optimisation in closed form (INFANT, Proposition 4.4, Eq. 8, 17 and 18;
 * Rafailov et al., 2023).
 */
import { checkDistribution, checkFinite, checkPositive, checkSameLength } from "./checks.ts";

/**
 * Eq. 18: the reward that a policy implies, dpoBeta * (log pi - log ref).
 *
 * It is determined only up to dpoBeta * log Z(x), a number per prompt: compare rewards of replies
 * to one prompt, never across prompts.
 * @param logProbability of the reply under the policy, nats
 * @param referenceLogProbability under the reference
 * @param dpoBeta temperature, above 0
 * @throws {InputError} on numbers that are not finite.
 */
export function implicitReward(
  logProbability: number,
  referenceLogProbability: number,
  dpoBeta: number,
): number {
  checkPositive("dpoBeta", dpoBeta);
  checkFinite("log-probabilities", [logProbability, referenceLogProbability]);
  return dpoBeta * (logProbability - referenceLogProbability);
}

/** Log-probabilities of a preferred and a rejected reply to one prompt, nats. */
export interface PreferencePair {
  /** Preferred reply under the policy. */
  readonly logPreferred: number;
  /** Rejected reply under the policy. */
  readonly logRejected: number;
  /** Preferred reply under the reference. */
  readonly referencePreferred: number;
  /** Rejected reply under the reference. */
  readonly referenceRejected: number;
}

/** Eq. 8 on one pair. */
export interface PreferenceLoss {
  /** Implicit reward of the preferred reply, Eq. 18. */
  readonly rewardPreferred: number;
  /** Implicit reward of the rejected reply. */
  readonly rewardRejected: number;
  /** Difference of the rewards. */
  readonly margin: number;
  /** -log sigma(margin), nats; log 2 where nothing has been learnt. */
  readonly loss: number;
  /** sigma(margin): probability of the preference under Bradley and Terry's model. */
  readonly probability: number;
  /** sigma(-margin): how strongly the pair still pulls. */
  readonly pull: number;
}

/** Stable for margins of any size: no exponential of a positive number. */
function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/**
 * Eq. 8: the DPO loss of one pair.
 * @throws {InputError} on numbers that are not finite.
 */
export function preferenceLoss(pair: PreferencePair, dpoBeta: number): PreferenceLoss {
  const rewardPreferred = implicitReward(pair.logPreferred, pair.referencePreferred, dpoBeta);
  const rewardRejected = implicitReward(pair.logRejected, pair.referenceRejected, dpoBeta);
  const margin = rewardPreferred - rewardRejected;
  return {
    rewardPreferred,
    rewardRejected,
    margin,
    loss: Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin))),
    probability: sigmoid(margin),
    pull: sigmoid(-margin),
  };
}

/** The policy that is best under a reward and a KL penalty. */
export interface RegularisedOptimum {
  /** ref * exp(reward / dpoBeta) / Z. */
  readonly policy: readonly number[];
  /** log Z. */
  readonly logZ: number;
  /** dpoBeta * log(policy / ref) = reward - dpoBeta * log Z: the reward less a constant. */
  readonly implicitReward: readonly number[];
  /** Value of Eq. 17 at the optimum: dpoBeta * log Z. */
  readonly objective: number;
}

/**
 * Eq. 17 solved: the maximiser of E[reward] - dpoBeta * KL(policy || reference), for one prompt.
 * @throws {InputError} when the reference is no distribution, or sizes differ.
 */
export function regularisedOptimum(
  reference: readonly number[],
  reward: readonly number[],
  dpoBeta: number,
): RegularisedOptimum {
  checkDistribution("reference", reference);
  checkSameLength("reward", reward, "reference", reference);
  checkFinite("reward", reward);
  checkPositive("dpoBeta", dpoBeta);
  const top = reward.reduce((a, b) => Math.max(a, b));
  const weights = reference.map((p, i) => p * Math.exp((reward[i] - top) / dpoBeta));
  const total = weights.reduce((a, b) => a + b, 0);
  const logZ = top / dpoBeta + Math.log(total);
  return {
    policy: weights.map((weight) => weight / total),
    logZ,
    implicitReward: reward.map((r) => r - dpoBeta * logZ),
    objective: dpoBeta * logZ,
  };
}
