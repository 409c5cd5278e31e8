/**
 * How much safety can be lost while stages open (INFANT, Eq. 45-52).
 *
 * Theorem 6.7 is called monotonic improvement; what it proves is bounded degradation: V does not
 * rise by more than xi(s) a stage. That xi(s) vanishes for later stages is asserted in print, and
 * here it is measured.
 */
import {
  checkInside,
  checkNonNegative,
  checkPositive,
  checkSome,
  checkUnit,
  checkWhole,
} from "./checks.ts";

/** Bound on the probability that metrics drop. */
export interface DropBound {
  /** Per metric, clamped to 1. */
  readonly perMetric: readonly number[];
  /** That any metric drops: the sum, clamped to 1. */
  readonly union: number;
}

/**
 * Right side of Eq. 48: by Markov's inequality, a metric falls by more than `tolerance` within
 * `steps` steps with probability at most steps * expectedDrop / tolerance.
 *
 * The paper fills in xi_j of Assumption 6.5, which bounds the expected CHANGE. Markov's inequality
 * needs the expected DROP, E[max(m_t - m_t+1, 0)]: a metric that goes up and down without moving on
 * average has xi_j = 0 and still drops (`probabilityOfDrop` gives a case of 27 %). Pass expected
 * drops, as `expectedDrops` estimates them, for a bound; pass xi_j for the number in print.
 *
 * @param perStep expected drop of each metric in one step, at least 0
 * @throws {InputError} on negative numbers or a `steps` that is not whole.
 */
export function dropBound(perStep: readonly number[], steps: number, tolerance: number): DropBound {
  checkSome("perStep", perStep);
  perStep.forEach((drop, j) => checkNonNegative(`perStep[${j}]`, drop));
  checkWhole("steps", steps, 1);
  checkPositive("tolerance", tolerance);
  const bounds = perStep.map((drop) => steps * drop / tolerance);
  return {
    perMetric: bounds.map((bound) => Math.min(1, bound)),
    union: Math.min(1, bounds.reduce((a, b) => a + b, 0)),
  };
}

/**
 * Mean drop of each metric between neighbouring steps, E[max(m_t - m_t+1, 0)]: what `dropBound`
 * needs.
 * @param series metrics of each step, at least two steps
 * @throws {InputError} on fewer than two steps.
 */
export function expectedDrops(series: readonly (readonly number[])[]): number[] {
  checkWhole("steps in the series", series.length, 2);
  return series[0].map((_, j) => {
    let sum = 0;
    for (let t = 1; t < series.length; t++) sum += Math.max(0, series[t - 1][j] - series[t][j]);
    return sum / (series.length - 1);
  });
}

/** A metric that moves up or down by fixed amounts, step by step, independently. */
export interface TwoPointWalk {
  /** Size of a step up, above 0. */
  readonly up: number;
  /** Size of a step down, above 0. */
  readonly down: number;
  /** Probability of a step up. */
  readonly pUp: number;
}

/**
 * Exact probability that such a metric, starting at its threshold, is below it by more than
 * `tolerance` after any of the first `steps` steps: the counter-example to Eq. 48 as printed.
 *
 * @example
 * ```ts
 * import { theory } from "@infant/toolkit";
 *
 * // Expected change 0.9 * 0.01 - 0.1 * 0.09 = 0, so Eq. 48 with xi = 0 claims probability 0.
 * const walk = { up: 0.01, down: 0.09, pUp: 0.9 };
 * console.log(theory.probabilityOfDrop(walk, 3, 0.05).toFixed(3)); // 0.271
 * ```
 * @throws {InputError} on sizes that are not positive or a probability outside (0, 1).
 */
export function probabilityOfDrop(walk: TwoPointWalk, steps: number, tolerance: number): number {
  const { up, down, pUp } = walk;
  checkPositive("up", up);
  checkPositive("down", down);
  checkInside("pUp", pUp);
  checkWhole("steps", steps, 1);
  checkPositive("tolerance", tolerance);
  // Probability of each number of steps up among t, for walks that never dropped.
  let alive = [1];
  let dropped = 0;
  for (let t = 1; t <= steps; t++) {
    const next = new Array<number>(t + 1).fill(0);
    alive.forEach((probability, ups) => {
      next[ups] += probability * (1 - pUp);
      next[ups + 1] += probability * pUp;
    });
    for (let ups = 0; ups <= t; ups++) {
      if (ups * up - (t - ups) * down >= -tolerance - 1e-12) continue;
      dropped += next[ups];
      next[ups] = 0;
    }
    alive = next;
  }
  return dropped;
}

/** V on the union of two environments, beside what the paper prints. */
export interface UnionViolation {
  /** w V(E1) + (1 - w) V(E2), for contexts drawn from E1 with probability w. */
  readonly mixture: number;
  /** Right side of Eq. 49, V(E1) + [V(E2) - V(E1)]: simply V(E2). */
  readonly printed: number;
  /** Whether the printed value bounds the mixture: only where the new environment is no safer. */
  readonly printedIsUpperBound: boolean;
}

/**
 * Violation probability on the union of earlier environments and a new one (Eq. 44, 49).
 *
 * Eq. 49 is printed as an identity and is none: V on a union needs weights.
 * @param earlier V on the earlier environments
 * @param added V on the new one
 * @param weight probability that a context comes from the earlier ones
 * @throws {InputError} outside [0, 1].
 */
export function mixtureViolation(earlier: number, added: number, weight: number): UnionViolation {
  checkUnit("earlier", earlier);
  checkUnit("added", added);
  checkUnit("weight", weight);
  return {
    mixture: weight * earlier + (1 - weight) * added,
    printed: earlier + (added - earlier),
    printedIsUpperBound: added >= earlier,
  };
}

/** Cumulative bound on V. */
export interface CumulativeBound {
  /** V0 plus all impacts; above 1 it says nothing. */
  readonly bound: number;
  /** The bound, at most 1. */
  readonly clamped: number;
  /** The bound after each stage, not clamped. */
  readonly running: readonly number[];
}

/**
 * Eq. 51, 52: V after all stages is at most V before them plus the impact xi(s) of each.
 * @param initial V before the first stage
 * @param impacts xi(s) of each stage, at least 0: measure them, e.g. by upper confidence limits
 * @throws {InputError} when `initial` is no probability or an impact is negative.
 */
export function cumulativeBound(initial: number, impacts: readonly number[]): CumulativeBound {
  checkUnit("initial", initial);
  let bound = initial;
  const running = impacts.map((impact, s) => {
    checkNonNegative(`impacts[${s}]`, impact);
    return bound += impact;
  });
  return { bound, clamped: Math.min(1, bound), running };
}
