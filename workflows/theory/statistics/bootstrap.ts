/**
 * Percentile bootstrap (Efron & Tibshirani, 1993): drawn, enumerated, and in closed form for rates.
 *
 * The closed forms have no drawing noise; use them where they apply.
 */
import { InputError } from "../../../kernels/errors.ts";
import { checkFinite, checkInside, checkSome, checkWhole } from "../checks.ts";
import type { Interval } from "../intervals.ts";
import { binomialQuantile } from "./distributions.ts";

/** A bootstrapped statistic. */
export interface Bootstrap extends Interval {
  /** Standard deviation of the statistic over resamples. */
  readonly standardError: number;
  /** Mean of the statistic over resamples. */
  readonly mean: number;
  /** Number of resamples. */
  readonly resamples: number;
}

/** A number computed from a sample. */
export type Statistic = (sample: readonly number[]) => number;

/** Mean of a sample. */
export function mean(sample: readonly number[]): number {
  return sample.reduce((a, b) => a + b, 0) / sample.length;
}

/** Median of a sample; the mean of the two middle values when their number is even. */
export function median(sample: readonly number[]): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Limits by the inverse distribution function: the smallest value with F >= level. */
function summarise(values: number[], confidence: number): Bootstrap {
  values.sort((a, b) => a - b);
  const n = values.length;
  const at = (level: number) => {
    // Levels such as 0.1 * 3125 are whole up to rounding.
    const rank = Math.ceil(level * n - 1e-9);
    return values[Math.min(n, Math.max(1, rank)) - 1];
  };
  const centre = mean(values);
  const variance = mean(values.map((value) => (value - centre) ** 2));
  return {
    low: at((1 - confidence) / 2),
    high: at((1 + confidence) / 2),
    standardError: Math.sqrt(variance),
    mean: centre,
    resamples: n,
  };
}

function checkSample(sample: readonly number[], confidence: number): void {
  checkSome("sample", sample);
  checkFinite("sample", sample);
  checkInside("confidence", confidence);
}

/** How a bootstrap draws. */
export interface BootstrapOptions {
  /** Uniform numbers in [0, 1); the same stream gives the same limits. */
  readonly random: () => number;
  /** Number of resamples; 10000 by default. */
  readonly resamples?: number;
  /** In (0, 1); 0.95 by default. */
  readonly confidence?: number;
}

/**
 * Percentile bootstrap of any statistic.
 * @throws {InputError} on an empty sample, or bad options.
 */
export function bootstrap(
  sample: readonly number[],
  statistic: Statistic,
  { random, resamples = 10_000, confidence = 0.95 }: BootstrapOptions,
): Bootstrap {
  checkSample(sample, confidence);
  checkWhole("resamples", resamples, 1);
  const draw = () => sample.map(() => sample[Math.floor(random() * sample.length)]);
  const values = Array.from({ length: resamples }, () => statistic(draw()));
  return summarise(values, confidence);
}

/** Above this many resamples, enumeration is refused. */
const MOST_RESAMPLES = 1_000_000;

/**
 * The exact bootstrap: all n^n resamples of a small sample, each once.
 * @throws {InputError} on an empty sample or one with more than a million resamples (n > 7).
 */
export function enumeratedBootstrap(
  sample: readonly number[],
  statistic: Statistic,
  confidence = 0.95,
): Bootstrap {
  checkSample(sample, confidence);
  const n = sample.length;
  const total = n ** n;
  if (total > MOST_RESAMPLES) {
    throw new InputError(`sample: ${n} values have ${total} resamples; draw them with bootstrap()`);
  }
  const values = Array.from({ length: total }, (_, code) => {
    // The digits of `code` in base n are the places drawn.
    const resample = sample.map((_, i) => sample[Math.floor(code / n ** i) % n]);
    return statistic(resample);
  });
  return summarise(values, confidence);
}

/** A bootstrapped rate. */
export interface RateBootstrap extends Interval {
  /** sqrt(p (1 - p) / n). */
  readonly standardError: number;
}

/**
 * Percentile bootstrap of a rate in the limit of infinitely many resamples, whose counts are
 * Binomial(n, k/n). For k = 0 or n it has width 0, which says nothing: prefer `clopperPearson`.
 * @throws {InputError} unless 0 <= k <= n are whole, n >= 1 and 0 < confidence < 1.
 */
export function bootstrapRate(k: number, n: number, confidence = 0.95): RateBootstrap {
  checkWhole("n", n, 1);
  checkWhole("k", k, 0);
  checkWhole("n - k", n - k, 0);
  checkInside("confidence", confidence);
  const p = k / n;
  return {
    low: binomialQuantile((1 - confidence) / 2, n, p) / n,
    high: binomialQuantile((1 + confidence) / 2, n, p) / n,
    standardError: Math.sqrt(p * (1 - p) / n),
  };
}
