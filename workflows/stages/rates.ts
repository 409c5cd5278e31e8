/**
 * Differences of measured rates, with intervals that hold: what tells a regression from noise.
 */
import type { Rate } from "../nursery/score.ts";
import { clopperPearson } from "../theory/intervals.ts";

/** The difference of two rates with its interval. */
export interface RateDifference {
  /** Second minus first. */
  readonly difference: number;
  /** Lower end. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/**
 * Second rate minus first, both from independent samples, with an interval that holds with at least `confidence`: each rate's exact
 * interval at half the error, and Bonferroni. Wider than approximations, and never too narrow.
 */
export function rateDifference(
  first: Pick<Rate, "k" | "n">,
  second: Pick<Rate, "k" | "n">,
  confidence = 0.95,
): RateDifference {
  const each = 1 - (1 - confidence) / 2;
  const [a, b] = [first, second].map(({ k, n }) => ({
    rate: n === 0 ? NaN : k / n,
    ...clopperPearson(k, n, each),
  }));
  return { difference: b.rate - a.rate, low: b.low - a.high, high: b.high - a.low };
}
