/**
 * Dominance and Pareto fronts (INFANT, Definition 7.3). Every objective is maximised.
 *
 * Eq. 54 as printed forbids only C' >= C with S' > S, so a point beaten in C at equal S stays
 * "optimal". The standard definition is used here; `frontPrinted` shows what Eq. 54 would keep.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkMatrix } from "../theory/checks.ts";

/** Values of all objectives, each to be maximised; for INFANT (capability, safety). */
export type Objectives = readonly number[];

/** @throws {InputError} unless all points are finite and of one length. */
export function checkPoints(name: string, points: readonly Objectives[]): void {
  if (points.length > 0) checkMatrix(name, points);
}

/** @throws {InputError} unless all points have two objectives. */
export function checkPlane(name: string, points: readonly Objectives[]): void {
  checkPoints(name, points);
  if (points.length === 0 || points[0].length === 2) return;
  throw new InputError(`${name}: expected two objectives, found ${points[0].length}`);
}

/** Whether `a` is at least as good as `b` in every objective. */
export function weaklyDominates(a: Objectives, b: Objectives): boolean {
  return a.every((value, k) => value >= b[k]);
}

/** Whether `a` is at least as good as `b` in every objective and better in one. */
export function dominates(a: Objectives, b: Objectives): boolean {
  return weaklyDominates(a, b) && a.some((value, k) => value > b[k]);
}

/** What becomes of equal points: all are kept, or the first of each. */
export type Duplicates = "all" | "first";

/**
 * Indices of the points that no other dominates, in the order given.
 *
 * @example
 * ```ts
 * import { pareto } from "@infant/toolkit";
 *
 * const points = [[0.9, 0.2], [0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]; // [capability, safety]
 * console.log(pareto.front(points), pareto.front(points, "first")); // [ 0, 1, 3 ] [ 0, 1 ]
 * ```
 * @throws {InputError} on points of different lengths, or values that are not finite.
 */
export function front(points: readonly Objectives[], duplicates: Duplicates = "all"): number[] {
  checkPoints("points", points);
  const equal = (a: Objectives, b: Objectives) => a.every((value, k) => value === b[k]);
  return points.flatMap((point, i) => {
    const beaten = points.some((other) => dominates(other, point));
    const repeated = duplicates === "first" && points.slice(0, i).some((p) => equal(p, point));
    return beaten || repeated ? [] : [i];
  });
}

/**
 * What Eq. 54 keeps as printed: points for which no other has C' >= C and S' > S. Too much; for
 * comparison only.
 * @param points pairs (C, S)
 * @throws {InputError} unless points are finite pairs.
 */
export function frontPrinted(points: readonly Objectives[]): number[] {
  checkPlane("points", points);
  return points.flatMap(([c, s], i) =>
    points.some(([otherC, otherS]) => otherC >= c && otherS > s) ? [] : [i]
  );
}
