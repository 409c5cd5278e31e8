/**
 * Step sizes under which stochastic gradients settle (Robbins & Monro, 1951; SAAA, Theorem 2).
 *
 * The steps must sum to infinity and their squares must not. The theorem's stated constant rates,
 * 1e-4 and 2e-4, violate the second condition, and so does INFANT's fixed 1/sqrt(T). Together with
 * smoothness and bounded noise the result is that the gradient vanishes, not that the parameters
 * converge.
 */
import { checkInside, checkPositive, checkWhole } from "./checks.ts";

/** A schedule of rates eta_t for t = 1, 2, ... */
export type RateFamily =
  /** a / t^p. */
  | { readonly family: "power"; readonly a: number; readonly p: number }
  /** a. */
  | { readonly family: "constant"; readonly a: number }
  /** a r^(t - 1), 0 < r < 1. */
  | { readonly family: "geometric"; readonly a: number; readonly r: number };

/** Whether a schedule meets the conditions, and the sums they are about. */
export interface RobbinsMonro {
  /** Sum of all rates; Infinity when it diverges, as it must. */
  readonly sum: number;
  /** Sum of their squares; must be finite. */
  readonly squareSum: number;
  /** Both conditions. */
  readonly ok: boolean;
}

/** Riemann's zeta(s), s > 1, by Euler and Maclaurin's formula; Infinity for s <= 1. */
function zeta(s: number): number {
  if (s <= 1) return Infinity;
  const n = 20;
  let sum = 0;
  for (let k = 1; k < n; k++) sum += k ** -s;
  const tail = n ** (1 - s) / (s - 1) + n ** -s / 2;
  // Bernoulli terms B_2k / (2k)! * s (s+1) ... (s+2k-2) / n^(s+2k-1).
  let term = s * n ** (-s - 1);
  const coefficients = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160];
  return coefficients.reduce((total, coefficient, k) => {
    const next = total + coefficient * term;
    term *= (s + 2 * k + 1) * (s + 2 * k + 2) / n ** 2;
    return next;
  }, sum + tail);
}

function checkFamily(rates: RateFamily): void {
  checkPositive("a", rates.a);
  if (rates.family === "power") checkPositive("p", rates.p);
  if (rates.family === "geometric") checkInside("r", rates.r);
}

/** The rate at step t. @throws {InputError} on parameters out of range or t below 1. */
export function rateAt(rates: RateFamily, t: number): number {
  checkFamily(rates);
  checkWhole("t", t, 1);
  if (rates.family === "power") return rates.a / t ** rates.p;
  return rates.family === "constant" ? rates.a : rates.a * rates.r ** (t - 1);
}

/** Both sums in the limit. @throws {InputError} on parameters out of range. */
export function robbinsMonro(rates: RateFamily): RobbinsMonro {
  checkFamily(rates);
  const { a } = rates;
  let [sum, squareSum] = [Infinity, Infinity];
  if (rates.family === "power") {
    [sum, squareSum] = [a * zeta(rates.p), a ** 2 * zeta(2 * rates.p)];
  } else if (rates.family === "geometric") {
    [sum, squareSum] = [a / (1 - rates.r), a ** 2 / (1 - rates.r ** 2)];
  }
  return { sum, squareSum, ok: sum === Infinity && squareSum < Infinity };
}
