/**
 * Exact binomial confidence limits (Clopper & Pearson, Biometrika 26, 1934), the interval on every
 * rate we report.
 *
 * The limits are quantiles of beta distributions. The incomplete beta function is Lentz's continued
 * fraction; its factor in front is Loader's saddle-point form ("Fast and accurate computation of
 * binomial probabilities", 2000), which does not cancel for large counts as log-gamma differences
 * do.
 */
import { InputError } from "../../kernels/errors.ts";

/** A confidence interval of a probability, 0 <= low <= high <= 1. */
export interface Interval {
  /** Lower limit. */
  readonly low: number;
  /** Upper limit. */
  readonly high: number;
}

/** Error of Stirling's formula: log Gamma(x) - [(x - 1/2) log x - x + log(2 pi) / 2], x > 0. */
function stirlingError(x: number): number {
  // Below 16 the series is too coarse: climb with Gamma(x + 1) = x Gamma(x).
  let climb = 0;
  for (; x < 16; x++) climb += (x + 0.5) * Math.log1p(1 / x) - 1;
  const s = 1 / (x * x);
  const series = 1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)));
  return climb + series / x;
}

/** x^a (1 - x)^b / B(a, b). */
function betaFactor(x: number, a: number, b: number): number {
  const n = a + b;
  const toA = Math.log1p((x * n - a) / a);
  const toB = Math.log1p((a - x * n) / b);
  const correction = stirlingError(n) - stirlingError(a) - stirlingError(b);
  return Math.sqrt(a * b / (2 * Math.PI * n)) * Math.exp(a * toA + b * toB + correction);
}

/** Continued fraction of the incomplete beta function, quick for x < (a + 1) / (a + b + 2). */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guard = (v: number) => Math.abs(v) < tiny ? tiny : v;
  let c = 1;
  let d = 1 / guard(1 - (a + b) * x / (a + 1));
  let value = d;
  for (let m = 1; m <= 100_000; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    value *= d * c;
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    const step = d * c;
    value *= step;
    if (Math.abs(step - 1) < 1e-15) return value;
  }
  throw new Error(`incomplete beta function: no convergence at x ${x}, a ${a}, b ${b}`);
}

/**
 * Regularised incomplete beta function I_x(a, b): the probability that a Beta(a, b) variable is at
 * most x.
 * @param x in [0, 1]
 * @param a above 0
 * @param b above 0
 * @throws {InputError} outside these ranges.
 */
export function regularizedBeta(x: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1 && a > 0 && b > 0)) {
    throw new InputError(
      `incomplete beta function: expected 0 <= x <= 1, a > 0, b > 0, found x ${x}, a ${a}, b ${b}`,
    );
  }
  if (x === 0 || x === 1) return x;
  if (x < (a + 1) / (a + b + 2)) return betaFactor(x, a, b) * betaFraction(x, a, b) / a;
  return 1 - betaFactor(1 - x, b, a) * betaFraction(1 - x, b, a) / b;
}

/** The x with I_x(a, b) = p, for 0 < p < 1: Newton's method kept inside a shrinking bracket. */
export function betaQuantile(p: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  let x = a / (a + b);
  for (let i = 0; i < 200; i++) {
    const excess = regularizedBeta(x, a, b) - p;
    if (excess > 0) high = x;
    else low = x;
    const slope = betaFactor(x, a, b) / (x * (1 - x));
    let next = x - excess / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (Math.abs(next - x) <= 4e-16 * next || next === low || next === high) return next;
    x = next;
  }
  return x;
}

function checkCounts(k: number, n: number, confidence: number): void {
  if (!Number.isSafeInteger(n) || n < 0 || !Number.isSafeInteger(k) || k < 0 || k > n) {
    throw new InputError(`interval: expected whole counts with 0 <= k <= n, found k ${k}, n ${n}`);
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw new InputError(`interval: confidence must lie between 0 and 1, found ${confidence}`);
  }
}

/**
 * Largest probability with which k or fewer successes in n trials still have probability `tail`.
 */
function upperLimit(k: number, n: number, tail: number): number {
  // The quantile of the mirrored distribution: a small tail stays exact, which 1 - tail would not.
  return k === n ? 1 : 1 - betaQuantile(tail, n - k, k + 1);
}

function lowerLimit(k: number, n: number, tail: number): number {
  return k === 0 ? 0 : betaQuantile(tail, k, n - k + 1);
}

/**
 * Exact two-sided interval of a probability after k successes in n independent trials; [0, 1] for n
 * = 0.
 *
 * @example
 * ```ts
 * import { clopperPearson } from "@infant/toolkit";
 *
 * const { low, high } = clopperPearson(0, 10);
 * console.log(low, high.toFixed(4)); // 0 0.3085
 * ```
 * @throws {InputError} unless 0 <= k <= n are whole and 0 < confidence < 1.
 */
export function clopperPearson(k: number, n: number, confidence = 0.95): Interval {
  checkCounts(k, n, confidence);
  const tail = (1 - confidence) / 2;
  return n === 0
    ? { low: 0, high: 1 }
    : { low: lowerLimit(k, n, tail), high: upperLimit(k, n, tail) };
}

/**
 * Exact one-sided upper limit: with this confidence the probability is at most the value returned.
 * @throws {InputError} unless 0 <= k <= n are whole and 0 < confidence < 1.
 */
export function clopperPearsonUpper(k: number, n: number, confidence = 0.95): number {
  checkCounts(k, n, confidence);
  return n === 0 ? 1 : upperLimit(k, n, 1 - confidence);
}

/**
 * Exact one-sided lower limit: with this confidence the probability is at least the value returned.
 * @throws {InputError} unless 0 <= k <= n are whole and 0 < confidence < 1.
 */
export function clopperPearsonLower(k: number, n: number, confidence = 0.95): number {
  checkCounts(k, n, confidence);
  return n === 0 ? 0 : lowerLimit(k, n, 1 - confidence);
}
