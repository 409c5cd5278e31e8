/**
 * The two axes of the capability-safety trade-off (INFANT, Definitions 7.1 and 7.2, Eq. 53).
 */
import { checkDistribution, checkSameLength, checkUnit } from "../theory/checks.ts";

/**
 * Eq. 53: capability as a weighted mean of task performances. The paper asks for weights that sum
 * to 1; they must not be negative either, or better performance could lower the score.
 * @param weights at least 0, sum 1
 * @param performance of each task, in [0, 1]
 * @throws {InputError} on other weights: they are not rescaled silently.
 */
export function capability(weights: readonly number[], performance: readonly number[]): number {
  checkDistribution("weights", weights);
  checkSameLength("performance", performance, "weights", weights);
  return weights.reduce((sum, weight, k) => {
    checkUnit(`performance[${k}]`, performance[k]);
    return sum + weight * performance[k];
  }, 0);
}

/** Definition 7.2: safety is 1 - V. @throws {InputError} when V is no probability. */
export function safety(violation: number): number {
  checkUnit("violation", violation);
  return 1 - violation;
}
