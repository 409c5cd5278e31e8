/**
 * Weighted safety scores and how surely they are estimated (SAAA, Eq. 1, 2 and 23).
 */
import {
  checkDistribution,
  checkFinite,
  checkInside,
  checkNonNegative,
  checkPositive,
  checkSameLength,
  checkSome,
  checkUnit,
  checkWhole,
} from "./checks.ts";

/**
 * SAAA, Eq. 1: safety as a weighted mean of its dimensions.
 * @param scores of each dimension, in [0, 1]
 * @param weights at least 0, sum 1; others are refused, not rescaled
 * @throws {InputError} on lists of different lengths or numbers out of range.
 */
export function safetyScore(scores: readonly number[], weights: readonly number[]): number {
  checkDistribution("weights", weights);
  checkSameLength("scores", scores, "weights", weights);
  return scores.reduce((sum, score, k) => {
    checkUnit(`scores[${k}]`, score);
    return sum + weights[k] * score;
  }, 0);
}

/** A synthetic reward and its range. */
export interface SyntheticReward {
  /** The weighted sum. */
  readonly reward: number;
  /** Its largest value, the sum of the coefficients. */
  readonly upper: number;
}

/**
 * SAAA, Eq. 2: alpha * intrinsic + beta * consistency + gamma * robustness. The paper does not
 * normalise the coefficients, so the reward can leave [0, 1]; its range is given with it.
 * @param components in [0, 1]
 * @param coefficients at least 0
 * @throws {InputError} on lists of different lengths or numbers out of range.
 */
export function syntheticReward(
  components: readonly number[],
  coefficients: readonly number[],
): SyntheticReward {
  checkSome("components", components);
  checkSameLength("coefficients", coefficients, "components", components);
  coefficients.forEach((value, i) => checkNonNegative(`coefficients[${i}]`, value));
  components.forEach((value, i) => checkUnit(`components[${i}]`, value));
  return {
    reward: components.reduce((sum, value, i) => sum + value * coefficients[i], 0),
    upper: coefficients.reduce((a, b) => a + b, 0),
  };
}

/** Probability that an estimated safety score is off. */
export interface EstimateFailure {
  /** Hoeffding's bound of each dimension. */
  readonly terms: readonly number[];
  /** Their sum; above 1 it says nothing. */
  readonly sum: number;
  /** The sum, at most 1. */
  readonly clamped: number;
}

/**
 * SAAA, Theorem 1, Eq. 23: sum of exp(-2 n eps_k^2 / rho_k^2).
 *
 * What it states is how well n independent samples estimate the scores of ONE fixed checkpoint; it
 * does not say that training preserves safety, and over several checkpoints the failure
 * probabilities add up.
 * @param samples n, at least 1
 * @param deviations eps_k, above 0: error allowed in each dimension
 * @param ranges rho_k, above 0: RANGE of each dimension's score
 * @throws {InputError} outside these ranges.
 */
export function estimateFailure(
  samples: number,
  deviations: readonly number[],
  ranges: readonly number[],
): EstimateFailure {
  checkWhole("samples", samples, 1);
  checkSome("deviations", deviations);
  checkSameLength("ranges", ranges, "deviations", deviations);
  checkFinite("deviations", deviations);
  const terms = deviations.map((deviation, k) => {
    checkPositive(`deviations[${k}]`, deviation);
    checkPositive(`ranges[${k}]`, ranges[k]);
    return Math.exp(-2 * samples * (deviation / ranges[k]) ** 2);
  });
  const sum = terms.reduce((a, b) => a + b, 0);
  return { terms, sum, clamped: Math.min(1, sum) };
}

/**
 * Smallest number of samples for which Eq. 23 of equal deviations and ranges is at most `failure`.
 * @throws {InputError} outside the ranges.
 */
export function estimateSampleSize(
  dimensions: number,
  deviation: number,
  range: number,
  failure: number,
): number {
  checkWhole("dimensions", dimensions, 1);
  checkPositive("deviation", deviation);
  checkPositive("range", range);
  checkInside("failure", failure);
  return Math.ceil(Math.log(dimensions / failure) * (range / deviation) ** 2 / 2);
}

/**
 * Weights of a standard decoder's blocks: 12 * layers * width^2, four matrices of attention and a
 * feed-forward layer of four times the width. Biases, norms and embeddings are left out.
 *
 * With the shapes that SAAA's section 6.1 prints this gives 0.30, 0.91, 1.81 and 3.15 billion for
 * the models it calls 600M, 2B, 5B and 12B.
 * @throws {InputError} unless both are whole and above 0.
 */
export function blockParameters(layers: number, width: number): number {
  checkWhole("layers", layers, 1);
  checkWhole("width", width, 1);
  return 12 * layers * width ** 2;
}
