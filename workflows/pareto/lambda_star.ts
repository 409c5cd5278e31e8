/**
 * The best trade-off under a minimum of safety (SAAA, Theorem 3, Eq. 24).
 *
 * Eq. 24 prints "arg min Performance", which is right only when Performance is a loss; the text
 * means a quality. And no lambda exists when none reaches the minimum, which the theorem leaves
 * out: the answer then is null.
 */
import { checkFinite } from "../theory/checks.ts";

/** What was measured at one lambda. */
export interface LambdaRow {
  /** Weight of safety. */
  readonly lambda: number;
  /** Mean performance, larger is better. */
  readonly performance: number;
  /** Mean safety. */
  readonly safety: number;
}

/** The lambda chosen, by both readings. */
export interface LambdaStar {
  /** Every lambda with enough safety, rising. */
  readonly feasible: readonly number[];
  /** Feasible, of largest performance, the smallest of several; null when none is feasible. */
  readonly lambda: number | null;
  /** Eq. 24 as printed: that of smallest performance. */
  readonly printed: number | null;
}

/**
 * Eq. 24 over measured rows. Safety that was estimated should be passed as its lower confidence
 * limit.
 * @throws {InputError} on numbers that are not finite.
 */
export function lambdaStar(rows: readonly LambdaRow[], minimumSafety: number): LambdaStar {
  rows.forEach(({ lambda, performance, safety }, i) =>
    checkFinite(`rows[${i}]`, [lambda, performance, safety])
  );
  checkFinite("minimumSafety", [minimumSafety]);
  const feasible = rows
    .filter(({ safety }) => safety >= minimumSafety)
    .sort((a, b) => a.lambda - b.lambda);
  const pick = (better: (a: number, b: number) => boolean) =>
    feasible.reduce<LambdaRow | null>(
      (held, row) => held === null || better(row.performance, held.performance) ? row : held,
      null,
    )?.lambda ?? null;
  return {
    feasible: feasible.map(({ lambda }) => lambda),
    lambda: pick((a, b) => a > b),
    printed: pick((a, b) => a < b),
  };
}
