/**
 * Tests on pairs: two models on the same questions (McNemar, 1947; Fagerland et al., 2013), and the
 * sign test.
 */
import { checkFinite, checkWhole } from "../checks.ts";
import { binomialCdf, normalCdf } from "./distributions.ts";

/** McNemar's test in its forms; each p is two-sided. */
export interface McNemar {
  /** Exact binomial p: never too small. */
  readonly exact: number;
  /** Mid-p: the exact p less half the probability of what was seen. */
  readonly midP: number;
  /** (b - c)^2 / (b + c). */
  readonly chi2: number;
  /** p of `chi2`, one degree of freedom; only for large b + c. */
  readonly pChi2: number;
  /** With the continuity correction. */
  readonly chi2Corrected: number;
  /** p of `chi2Corrected`. */
  readonly pCorrected: number;
}

/** Twice the smaller binomial tail at p = 1/2, at most 1. */
function signP(k: number, n: number): number {
  return Math.min(1, 2 * binomialCdf(Math.min(k, n - k), n, 0.5));
}

/**
 * McNemar's test. Without discordant pairs every p is 1.
 * @param b pairs on which only the first is right
 * @param c pairs on which only the second is right
 * @throws {InputError} unless both are whole and not negative.
 */
export function mcNemar(b: number, c: number): McNemar {
  checkWhole("b", b, 0);
  checkWhole("c", c, 0);
  const [n, k] = [b + c, Math.min(b, c)];
  // P(chi^2_1 > v) = 2 Phi(-sqrt v).
  const tail = (value: number) => Math.min(1, 2 * normalCdf(-Math.sqrt(value)));
  const chi2 = n === 0 ? 0 : (b - c) ** 2 / n;
  const chi2Corrected = n === 0 ? 0 : Math.max(Math.abs(b - c) - 1, 0) ** 2 / n;
  const seen = binomialCdf(k, n, 0.5) - binomialCdf(k - 1, n, 0.5);
  return {
    exact: signP(k, n),
    midP: b === c ? 1 : 2 * binomialCdf(k, n, 0.5) - seen,
    chi2,
    pChi2: tail(chi2),
    chi2Corrected,
    pCorrected: tail(chi2Corrected),
  };
}

/** A sign test. */
export interface SignTest {
  /** Differences above 0. */
  readonly positive: number;
  /** Differences below 0. */
  readonly negative: number;
  /** Two-sided exact p. */
  readonly p: number;
}

/**
 * The exact sign test of paired differences; zeros are left out.
 * @throws {InputError} on differences that are not finite.
 */
export function signTest(differences: readonly number[]): SignTest {
  checkFinite("differences", differences);
  const positive = differences.filter((difference) => difference > 0).length;
  const negative = differences.filter((difference) => difference < 0).length;
  return { positive, negative, p: signP(positive, positive + negative) };
}
