/**
 * Distribution functions that tests and intervals need: normal, Student's t, binomial.
 */
import { checkInside, checkPositive, checkUnit, checkWhole } from "../checks.ts";
import { betaQuantile, regularizedBeta } from "../intervals.ts";

/** Complement of the error function for x >= 0, to about 1e-14 of its value. */
function erfcOfPositive(x: number): number {
  const x2 = x * x;
  if (x < 2) {
    // All terms are positive: erf x = 2x exp(-x^2)/sqrt(pi) * sum (2 x^2)^n / (1 3 5 ... (2n + 1)).
    let [term, sum] = [1, 1];
    for (let n = 1; term > 1e-17 * sum; n++) sum += term *= 2 * x2 / (2 * n + 1);
    return 1 - 2 * x * Math.exp(-x2) / Math.sqrt(Math.PI) * sum;
  }
  // Laplace's continued fraction, from its far end.
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x2) / Math.sqrt(Math.PI) / (x + fraction);
}

/** Probability that a standard normal variable is at most z. Exact in the far left tail too. */
export function normalCdf(z: number): number {
  const tail = erfcOfPositive(Math.abs(z) / Math.SQRT2) / 2;
  return z <= 0 ? tail : 1 - tail;
}

/**
 * The z with `normalCdf(z)` = p.
 * @param p in (0, 1)
 * @throws {InputError} outside.
 */
export function normalQuantile(p: number): number {
  checkInside("p", p);
  if (p > 0.5) return -normalQuantile(1 - p);
  // Newton's method on log Phi, which is concave: from a start at which Phi <= p it climbs to the
  // root and never passes it. Phi(z) <= exp(-z^2/2)/2 for z <= 0 gives the start.
  let z = -Math.sqrt(-2 * Math.log(2 * p));
  for (let i = 0; i < 100; i++) {
    const phi = normalCdf(z);
    const density = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
    const step = Math.log(p / phi) * phi / density;
    z += step;
    if (Math.abs(step) <= 1e-15 * Math.max(1, Math.abs(z))) break;
  }
  return z;
}

/**
 * The t below which Student's variable lies with probability p.
 * @param p in (0, 1)
 * @param freedom degrees of freedom, above 0
 * @throws {InputError} outside these ranges.
 */
export function studentQuantile(p: number, freedom: number): number {
  checkInside("p", p);
  checkPositive("freedom", freedom);
  if (p === 0.5) return 0;
  if (p > 0.5) return -studentQuantile(1 - p, freedom);
  // freedom / (freedom + t^2) is a Beta(freedom / 2, 1 / 2) variable.
  const x = betaQuantile(2 * p, freedom / 2, 0.5);
  return -Math.sqrt(freedom * (1 - x) / x);
}

/**
 * Probability of at most k successes in n trials.
 * @param k whole; below 0 the probability is 0, from n on it is 1
 * @throws {InputError} when n is not whole or p no probability.
 */
export function binomialCdf(k: number, n: number, p: number): number {
  checkWhole("n", n, 0);
  checkUnit("p", p);
  if (k < 0) return 0;
  return k >= n ? 1 : regularizedBeta(1 - p, n - k, k + 1);
}

/**
 * Smallest k with at most k successes of probability at least `level`.
 * @throws {InputError} as `binomialCdf`, or when `level` is not in (0, 1).
 */
export function binomialQuantile(level: number, n: number, p: number): number {
  checkInside("level", level);
  let [low, high] = [-1, n];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (binomialCdf(middle, n, p) >= level) high = middle;
    else low = middle;
  }
  return high;
}
