/**
 * The rate at which a gap falls: a straight line through log gap over log T, with the interval of
 * its slope.
 *
 * A bound of order 1/sqrt(T) does not make the measured slope -1/2: gaps of single runs oscillate,
 * and a slope from few T is noisy. Report the interval.
 */
import { checkInside, checkPositive, checkSameLength, checkWhole } from "../checks.ts";
import type { Interval } from "../intervals.ts";
import { InputError } from "../../../kernels/errors.ts";
import { studentQuantile } from "../statistics/distributions.ts";

/** A fitted power law gap = exp(intercept) * T^slope. */
export interface PowerLaw {
  /** Exponent. */
  readonly slope: number;
  /** Natural logarithm of the factor. */
  readonly intercept: number;
  /** Share of the variance of log gap that the line explains. */
  readonly r2: number;
  /** Standard error of the slope, n - 2 degrees of freedom. */
  readonly slopeStandardError: number;
  /** Student's interval of the slope; may lie anywhere on the real line. */
  readonly slopeInterval: Interval;
}

/**
 * Least squares of log gap on log T.
 * @param steps the T, at least three, above 0, not all equal
 * @param gaps above 0
 * @throws {InputError} on fewer than three points or numbers that are not above 0.
 */
export function fitPowerLaw(
  steps: readonly number[],
  gaps: readonly number[],
  confidence = 0.95,
): PowerLaw {
  checkWhole("points to fit", steps.length, 3);
  checkSameLength("gaps", gaps, "steps", steps);
  steps.forEach((value, i) => checkPositive(`steps[${i}]`, value));
  gaps.forEach((value, i) => checkPositive(`gaps[${i}]`, value));
  checkInside("confidence", confidence);
  const n = steps.length;
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / n;
  const [x, y] = [steps.map(Math.log), gaps.map(Math.log)];
  const [meanX, meanY] = [mean(x), mean(y)];
  const product = (a: readonly number[], am: number, b: readonly number[], bm: number) =>
    a.reduce((sum, value, i) => sum + (value - am) * (b[i] - bm), 0);
  const [xx, xy, yy] = [
    product(x, meanX, x, meanX),
    product(x, meanX, y, meanY),
    product(y, meanY, y, meanY),
  ];
  if (xx === 0) throw new InputError("steps: a slope needs two different numbers of steps");
  const slope = xy / xx;
  const intercept = meanY - slope * meanX;
  const residual = x.reduce((sum, value, i) => sum + (y[i] - intercept - slope * value) ** 2, 0);
  const slopeStandardError = Math.sqrt(residual / (n - 2) / xx);
  const reach = studentQuantile((1 + confidence) / 2, n - 2) * slopeStandardError;
  return {
    slope,
    intercept,
    r2: yy === 0 ? 1 : 1 - residual / yy,
    slopeStandardError,
    slopeInterval: { low: slope - reach, high: slope + reach },
  };
}
