/**
 * One number out of several objectives, over a finite set of points (Miettinen, 1999). Every
 * objective is maximised.
 *
 * INFANT's Theorem 7.6 (ii) says that weighted sums (Eq. 56) reach every Pareto point. They do on
 * convex attainable sets only: a point in a dent of the front is best for no weight. Tchebycheff
 * scalarisation and epsilon-constraints reach those too.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  checkDistribution,
  checkFinite,
  checkNonNegative,
  checkSameLength,
  checkSome,
  checkWhole,
} from "../theory/checks.ts";
import type { Interval } from "../theory/intervals.ts";
import { checkPlane, checkPoints, dominates, front, type Objectives } from "./front.ts";

/** Scores nearer than this count as equal. */
const TIE = 1e-12;

/** Every index with the largest score. */
function best(scores: readonly number[]): number[] {
  const most = scores.reduce((a, b) => Math.max(a, b));
  return scores.flatMap((score, i) => score >= most - TIE ? [i] : []);
}

function checkScalarised(points: readonly Objectives[], weights: readonly number[]): void {
  checkSome("points", points);
  checkPoints("points", points);
  checkDistribution("weights", weights);
  checkSameLength("weights", weights, "a point", points[0]);
}

/**
 * Eq. 56: every index that maximises the weighted sum.
 * @param weights at least 0, sum 1; for INFANT (omega, 1 - omega)
 * @throws {InputError} on no points, or weights that do not fit.
 */
export function weightedSum(points: readonly Objectives[], weights: readonly number[]): number[] {
  checkScalarised(points, weights);
  return best(points.map((point) => point.reduce((sum, value, k) => sum + weights[k] * value, 0)));
}

/** Reference of the Tchebycheff distance. */
export interface TchebycheffOptions {
  /** The point distances are measured from; 1 in every objective by default. */
  readonly ideal?: Objectives;
  /**
   * Weight of the sum of distances that is added, at least 0; 0 by default. A small positive one
   * (1e-3) keeps points out that are only weakly Pareto optimal.
   */
  readonly augmentation?: number;
}

/**
 * Augmented Tchebycheff (Steuer & Choo, 1983): every index that minimises
 * max w_k (ideal_k - f_k) + augmentation * sum (ideal_k - f_k).
 *
 * With an ideal that no point exceeds, some weights find every Pareto point, supported or not.
 * @throws {InputError} on no points, weights that do not fit, or a point beyond the ideal.
 */
export function tchebycheff(
  points: readonly Objectives[],
  weights: readonly number[],
  { ideal = weights.map(() => 1), augmentation = 0 }: TchebycheffOptions = {},
): number[] {
  checkScalarised(points, weights);
  checkSameLength("ideal", ideal, "weights", weights);
  checkFinite("ideal", ideal);
  checkNonNegative("augmentation", augmentation);
  return best(points.map((point, i) => {
    const distances = ideal.map((value, k) => value - point[k]);
    if (distances.some((distance) => distance < 0)) {
      throw new InputError(`points[${i}]: (${point}) lies beyond the ideal (${ideal})`);
    }
    const largest = distances.reduce((most, d, k) => Math.max(most, weights[k] * d), 0);
    return -largest - augmentation * distances.reduce((a, b) => a + b, 0);
  }));
}

/**
 * Epsilon-constraint: the point that maximises one objective while every other reaches its floor,
 * or null when none does. Of several, a point that no other of them dominates, the first of these.
 * @param objective index of the objective to be maximised
 * @param floors smallest permitted value of each objective; the entry at `objective` is not used
 * @throws {InputError} on floors or an objective that do not fit.
 */
export function epsilonConstraint(
  points: readonly Objectives[],
  objective: number,
  floors: readonly number[],
): number | null {
  checkPoints("points", points);
  if (points.length === 0) return null;
  checkSameLength("floors", floors, "a point", points[0]);
  checkWhole("objective", objective, 0);
  checkWhole("objectives beyond the chosen one", floors.length - objective, 1);
  let chosen: number | null = null;
  for (const [i, point] of points.entries()) {
    if (!floors.every((floor, k) => k === objective || point[k] >= floor)) continue;
    const held = chosen === null ? null : points[chosen];
    const better = held === null || point[objective] > held[objective] ||
      (point[objective] === held[objective] && dominates(point, held));
    if (better) chosen = i;
  }
  return chosen;
}

/**
 * For each point (C, S), the weights w of C for which it maximises w C + (1 - w) S: an interval, or
 * null when there is none. Exact, not a sweep.
 * @throws {InputError} unless points are finite pairs.
 */
export function supportingWeights(points: readonly Objectives[]): (Interval | null)[] {
  checkPlane("points", points);
  return points.map(([c, s]) => {
    let [low, high] = [0, 1];
    for (const [otherC, otherS] of points) {
      // w * gain + loss >= 0 keeps this point at least level with the other.
      const loss = s - otherS;
      const gain = c - otherC - loss;
      if (gain > 0) low = Math.max(low, -loss / gain);
      else if (gain < 0) high = Math.min(high, -loss / gain);
      else if (loss < 0) return null;
    }
    return low <= high + TIE ? { low: Math.min(low, high), high } : null;
  });
}

/** Pareto points told apart by whether a weighted sum finds them. */
export interface Support {
  /** Best for some weight in [0, 1]. */
  readonly supported: readonly number[];
  /** Pareto optimal, and best for none: Theorem 7.6 (ii) fails at these. */
  readonly unsupported: readonly number[];
}

/**
 * Splits the front of points (C, S) into those that some weighted sum finds and those that none
 * does.
 * @throws {InputError} unless points are finite pairs.
 */
export function support(points: readonly Objectives[]): Support {
  const weights = supportingWeights(points);
  const optimal = front(points);
  return {
    supported: optimal.filter((i) => weights[i] !== null),
    unsupported: optimal.filter((i) => weights[i] === null),
  };
}
