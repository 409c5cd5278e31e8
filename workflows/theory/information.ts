/**
 * Information of finite distributions, in nats: entropies, divergences and the chain rule
 * (INFANT, Eq. 60; SAAA, Eq. 10 and 20).
 */
import {
  checkDistribution,
  checkNonNegative,
  checkPositive,
  checkSameLength,
  checkSome,
} from "./checks.ts";

/** Entropy H(p) = -sum p log p, with 0 log 0 = 0. @throws {InputError} when p is none. */
export function entropy(p: readonly number[]): number {
  checkDistribution("p", p);
  return entropyOf(p);
}

const entropyOf = (p: readonly number[]) =>
  p.reduce((sum, value) => value > 0 ? sum - value * Math.log(value) : sum, 0);

/**
 * Eq. 60: KL(p || q) = sum p log(p/q) >= 0; infinite where p has mass and q has none.
 *
 * The paper calls this identity a decomposition; the decomposition is `klOfChain`.
 * @throws {InputError} unless both are distributions over the same outcomes.
 */
export function klDivergence(p: readonly number[], q: readonly number[]): number {
  checkPair(p, q);
  return klOf(p, q);
}

function klOf(p: readonly number[], q: readonly number[]): number {
  const sum = p.reduce(
    (sum, value, i) => value > 0 ? sum + value * Math.log(value / q[i]) : sum,
    0,
  );
  return Math.max(0, sum); // rounding alone takes it below
}

/** Cross entropy H(p, q) = H(p) + KL(p || q). @throws {InputError} as `klDivergence`. */
export function crossEntropy(p: readonly number[], q: readonly number[]): number {
  checkPair(p, q);
  return entropyOf(p) + klOf(p, q);
}

/**
 * Jensen-Shannon divergence: the mean KL of both to their mean. Symmetric, at most log 2.
 * @throws {InputError} as `klDivergence`.
 */
export function jensenShannon(p: readonly number[], q: readonly number[]): number {
  checkPair(p, q);
  const mean = p.map((value, i) => (value + q[i]) / 2);
  return (klOf(p, mean) + klOf(q, mean)) / 2;
}

/**
 * Total variation distance: half the L1 distance, in [0, 1].
 * @throws {InputError} as `klDivergence`.
 */
export function totalVariation(p: readonly number[], q: readonly number[]): number {
  checkPair(p, q);
  return p.reduce((sum, value, i) => sum + Math.abs(value - q[i]), 0) / 2;
}

function checkPair(p: readonly number[], q: readonly number[]): void {
  checkDistribution("p", p);
  checkDistribution("q", q);
  checkSameLength("q", q, "p", p);
}

/** KL of two-token replies, split by the chain rule. */
export interface ChainedKl {
  /** KL of the joint distributions. */
  readonly total: number;
  /** KL of the first tokens. */
  readonly first: number;
  /** KL of the second token given the first, averaged under p. */
  readonly conditional: number;
}

/**
 * The chain rule that makes the KL of whole replies a sum over tokens: KL(p || q) of two tokens is
 * that of the first plus the mean, under p, of that of the second.
 * @param pSecond row i: distribution of the second token after first token i
 * @throws {InputError} on anything that is no distribution, or sizes that differ.
 */
export function klOfChain(
  pFirst: readonly number[],
  qFirst: readonly number[],
  pSecond: readonly (readonly number[])[],
  qSecond: readonly (readonly number[])[],
): ChainedKl {
  const first = klDivergence(pFirst, qFirst);
  checkSameLength("pSecond", pSecond, "pFirst", pFirst);
  checkSameLength("qSecond", qSecond, "qFirst", qFirst);
  const conditional = pFirst.reduce((sum, weight, i) => {
    const divergence = klDivergence(pSecond[i], qSecond[i]);
    return weight > 0 ? sum + weight * divergence : sum;
  }, 0);
  return { total: first + conditional, first, conditional };
}

/** Entropy of counted outcomes. */
export interface CountEntropy {
  /** In nats. */
  readonly nats: number;
  /** In bits. */
  readonly bits: number;
  /** Divided by the entropy of equal counts: 1 for equal counts, 0 for a single outcome. */
  readonly normalised: number;
}

/**
 * Entropy of the relative frequencies of viewpoints (SAAA, Eq. 10). The paper speaks of the entropy
 * of a set, which has no distribution: counts do.
 * @param counts of every listed outcome; zero counts stay in the list
 * @throws {InputError} on negative counts or none above 0.
 */
export function countEntropy(counts: readonly number[]): CountEntropy {
  checkSome("counts", counts);
  counts.forEach((count, i) => checkNonNegative(`counts[${i}]`, count));
  const total = counts.reduce((a, b) => a + b, 0);
  checkPositive("sum of counts", total);
  const nats = entropyOf(counts.map((count) => count / total));
  return {
    nats,
    bits: nats / Math.LN2,
    normalised: counts.length === 1 ? 0 : nats / Math.log(counts.length),
  };
}

/** Uncertainty of an ensemble, in nats. */
export interface Uncertainty {
  /** Total: entropy of the averaged prediction. */
  readonly predictive: number;
  /** Aleatoric: mean entropy of the members. */
  readonly expected: number;
  /** Epistemic: their difference, the mutual information of prediction and member. */
  readonly mutualInformation: number;
  /**
   * SAAA, Eq. 20 as printed: predictive entropy PLUS mutual information. It counts the epistemic
   * part twice; the consistent reading is `expected + mutualInformation`, which is `predictive`.
   */
  readonly eq20Printed: number;
}

/**
 * Total, aleatoric and epistemic uncertainty of members with equal weight (Houlsby et al., 2011).
 * @param members one distribution each
 * @throws {InputError} on anything that is no distribution, or sizes that differ.
 */
export function ensembleUncertainty(members: readonly (readonly number[])[]): Uncertainty {
  checkSome("members", members);
  members.forEach((member, m) => {
    checkDistribution(`members[${m}]`, member);
    checkSameLength(`members[${m}]`, member, "members[0]", members[0]);
  });
  const mean = members[0].map((_, i) =>
    members.reduce((sum, member) => sum + member[i], 0) / members.length
  );
  const predictive = entropyOf(mean);
  const expected = members.reduce((sum, member) => sum + entropyOf(member), 0) / members.length;
  const mutualInformation = members.reduce((sum, m) => sum + klOf(m, mean), 0) / members.length;
  return { predictive, expected, mutualInformation, eq20Printed: predictive + mutualInformation };
}
