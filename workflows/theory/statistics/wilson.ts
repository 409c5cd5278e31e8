/**
 * Wilson's score interval of a probability (Journal of the American Statistical Association, 1927).
 *
 * On average it covers as often as it says, for single probabilities it may not (`intervalCoverage`
 * computes how often). Where a number must be guaranteed, take `clopperPearson`.
 */
import { checkInside, checkUnit, checkWhole } from "../checks.ts";
import { clopperPearson, type Interval } from "../intervals.ts";
import { binomialCdf, normalQuantile } from "./distributions.ts";

/**
 * Wilson's two-sided interval after k successes in n trials, without continuity correction.
 * @throws {InputError} unless 0 <= k <= n are whole, n >= 1 and 0 < confidence < 1.
 */
export function wilson(k: number, n: number, confidence = 0.95): Interval {
  checkWhole("n", n, 1);
  checkWhole("k", k, 0);
  checkWhole("n - k", n - k, 0);
  checkInside("confidence", confidence);
  const z = normalQuantile((1 + confidence) / 2);
  const scale = 1 + z * z / n;
  const centre = (k / n + z * z / (2 * n)) / scale;
  const reach = z / scale * Math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n));
  // At the ends the limits are 0 and 1 exactly; rounding would miss them.
  return { low: k === 0 ? 0 : centre - reach, high: k === n ? 1 : centre + reach };
}

/** A way from counts to an interval, such as `clopperPearson` and `wilson`. */
export type IntervalMethod = (k: number, n: number, confidence: number) => Interval;

/**
 * Probability that an interval of n trials contains the true probability p: the sum over all counts
 * (Brown, Cai & DasGupta, 2001). Never below `confidence` for `clopperPearson`.
 * @throws {InputError} when n is not whole or p no probability.
 */
export function intervalCoverage(
  n: number,
  p: number,
  confidence: number,
  method: IntervalMethod = clopperPearson,
): number {
  checkWhole("n", n, 1);
  checkUnit("p", p);
  let covered = 0;
  for (let k = 0; k <= n; k++) {
    const { low, high } = method(k, n, confidence);
    if (low <= p && p <= high) covered += binomialCdf(k, n, p) - binomialCdf(k - 1, n, p);
  }
  return covered;
}
