/**
 * Scalarisation of a continuous front S(C), falling on [0, 1]: where weighted sums jump and
 * Tchebycheff does not (INFANT, Theorem 7.6 (ii) and (iii), Eq. 56).
 *
 * Part (iii) traces the front by the intermediate value theorem, which needs the solution to move
 * continuously with the weight. On a front that curves inwards the weighted sum jumps from one end
 * to the other at w = 1/2.
 */
import { checkUnit } from "../theory/checks.ts";

/** Safety as a falling function of capability, both in [0, 1]. */
export type SafetyOf = (capability: number) => number;

/** Points of the first search; the front may have that many dents. */
const GRID = 2048;

/**
 * The C that maximises w C + (1 - w) S(C): the best of a grid, refined by golden sections. Of equal
 * maxima the smallest C. Precise to about 1e-8, as far as values near a maximum can be told apart.
 * @throws {InputError} when the weight is outside [0, 1].
 */
export function weightedSumOnCurve(safetyOf: SafetyOf, weight: number): number {
  checkUnit("weight", weight);
  const score = (c: number) => weight * c + (1 - weight) * safetyOf(c);
  let top = 0;
  for (let i = 1; i <= GRID; i++) if (score(i / GRID) > score(top / GRID)) top = i;
  let [low, high] = [Math.max(0, top - 1) / GRID, Math.min(GRID, top + 1) / GRID];
  const golden = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-10) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (score(left) >= score(right)) high = right;
    else low = left;
  }
  // An end of the curve is the maximum itself, not a point near it.
  return [0, 1, (low + high) / 2].reduce((a, b) => score(b) > score(a) ? b : a);
}

/**
 * The C that minimises max(w (1 - C), (1 - w)(1 - S(C))): the first term falls with C and the
 * second rises, so they meet at the minimum; found by bisection. It moves continuously with w.
 * @throws {InputError} when the weight is outside [0, 1].
 */
export function tchebycheffOnCurve(safetyOf: SafetyOf, weight: number): number {
  checkUnit("weight", weight);
  const excess = (c: number) => weight * (1 - c) - (1 - weight) * (1 - safetyOf(c));
  if (excess(0) <= 0) return 0;
  let [low, high] = [0, 1];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (excess(middle) > 0) low = middle;
    else high = middle;
  }
}
