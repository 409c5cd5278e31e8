/**
 * Bounds on the violation probability of the Value Capacitor policy (INFANT, Theorem 5.4,
 * Eq. 28-35).
 *
 * A reply violates when the policy proposes an unsafe action (probability p), and the world model
 * misses it (epsM), or sees it and the projection fails (epsPi). That is all: without patterns the
 * violation probability is at most p [epsM + (1 - epsM) epsPi]. The third term of Eq. 33 is the
 * event "detected and projected and not matched", which is safe by assumption; patterns would
 * multiply the escapes instead. Eq. 28, 33 and 34 stay valid, they only add slack:
 *
 *     exact with patterns <= exact <= Eq. 33 <= Eq. 34 <= Eq. 28
 *
 * The O(1/T) term of Eq. 28 is left out: it is unspecified, and p already depends on training.
 */
import { checkUnit, checkWhole } from "./checks.ts";

/** Error rates of the layers, all probabilities. */
export interface SafetyRates {
  /** False negative rate of the world model: P(not flagged | unsafe), Eq. 25. */
  readonly epsM: number;
  /** Error rate of the projection: P(projected action unsafe | unsafe), Eq. 26. */
  readonly epsPi: number;
  /** Coverage of the forbidden patterns: P(match | violation), as the proof reads Eq. 5. */
  readonly gammaCov: number;
  /** Probability that the policy proposes an unsafe action. */
  readonly pUnsafe: number;
}

/** The bounds, from the sharpest to the loosest; those in print may exceed 1. */
export interface SafetyBounds {
  /**
   * p (1 - gammaCov) [epsM + (1 - epsM) epsPi]: patterns as a last filter. It assumes that the
   * coverage is the same on the texts that escape; they may be the very texts that patterns miss,
   * so only a coverage measured on escapes counts.
   */
  readonly exactWithPatterns: number;
  /** p [epsM + (1 - epsM) epsPi]: reached when the rates hold with equality. */
  readonly exact: number;
  /** Eq. 33. */
  readonly eq33: number;
  /** Eq. 34. */
  readonly eq34: number;
  /** Eq. 28 (and 35), without the O(1/T) term. */
  readonly eq28: number;
}

/**
 * Bounds of Theorem 5.4, for one action; for several turns see `overTurns`.
 *
 * @example
 * ```ts
 * import { theory } from "@infant/toolkit";
 *
 * const rates = { epsM: 0.05, epsPi: 0.02, gammaCov: 0.9, pUnsafe: 0.1 };
 * const { exact, eq28 } = theory.safetyBounds(rates);
 * console.log(exact.toFixed(4), eq28.toFixed(4)); // 0.0069 0.0800
 * ```
 * @throws {InputError} when a rate is no probability.
 */
export function safetyBounds(rates: SafetyRates): SafetyBounds {
  const { epsM, epsPi, gammaCov, pUnsafe } = rates;
  for (const [name, rate] of Object.entries(rates)) checkUnit(name, rate);
  const escape = epsM + (1 - epsM) * epsPi;
  const uncovered = 1 - gammaCov;
  return {
    exactWithPatterns: pUnsafe * escape * uncovered,
    exact: pUnsafe * escape,
    eq33: pUnsafe * (escape + (1 - epsM) * (1 - epsPi) * uncovered),
    eq34: pUnsafe * (epsM + epsPi + uncovered),
    eq28: epsM + epsPi + uncovered * pUnsafe,
  };
}

/**
 * A bound per action becomes one per dialogue of `turns` actions: the union bound, at most 1.
 *
 * Theorem 5.4 speaks of trajectories and argues about one action; this is the missing step.
 * @throws {InputError} when the bound is no probability or `turns` is not whole.
 */
export function overTurns(perAction: number, turns: number): number {
  checkUnit("perAction", perAction);
  checkWhole("turns", turns, 1);
  return Math.min(1, perAction * turns);
}
