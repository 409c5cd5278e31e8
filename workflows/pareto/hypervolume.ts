/**
 * Hypervolume: the volume that a set of points dominates above a reference point (Zitzler & Thiele,
 * 1998). The only common indicator that rises strictly whenever a set improves.
 */
import { checkFinite, checkSameLength } from "../theory/checks.ts";
import { checkPoints, front, type Objectives } from "./front.ts";

/**
 * Dominated volume above the reference, all objectives maximised. Points that do not exceed the
 * reference in every objective add nothing. Time grows as n^(d-1) for d objectives.
 *
 * @example
 * ```ts
 * import { pareto } from "@infant/toolkit";
 *
 * console.log(pareto.hypervolume([[0.5, 1], [1, 0.5]], [0, 0])); // 0.75
 * ```
 * @throws {InputError} on points that differ in length from the reference.
 */
export function hypervolume(points: readonly Objectives[], reference: Objectives): number {
  checkPoints("points", points);
  checkFinite("reference", reference);
  if (points.length > 0) checkSameLength("reference", reference, "a point", points[0]);
  const above = points.filter((point) => point.every((value, k) => value > reference[k]));
  return volume(above.map((point) => point.map((value, k) => value - reference[k])));
}

/** Slices along the last objective: each slab is its height times the volume one dimension down. */
function volume(points: readonly Objectives[]): number {
  if (points.length === 0) return 0;
  const last = points[0].length - 1;
  if (last === 0) return points.reduce((most, [value]) => Math.max(most, value), 0);
  const falling = front(points, "first").map((i) => points[i]).sort((a, b) => b[last] - a[last]);
  const flat = falling.map((point) => point.slice(0, last));
  return falling.reduce((sum, point, i) => {
    const height = point[last] - (falling[i + 1]?.[last] ?? 0);
    return height > 0 ? sum + height * volume(flat.slice(0, i + 1)) : sum;
  }, 0);
}

/**
 * How much the hypervolume grows by one more point: 0 when it is dominated. A sweep that seeks the
 * front measures where this is largest.
 * @throws {InputError} on points that differ in length from the reference.
 */
export function hypervolumeGain(
  points: readonly Objectives[],
  candidate: Objectives,
  reference: Objectives,
): number {
  const grown = hypervolume([...points, candidate], reference);
  return Math.max(0, grown - hypervolume(points, reference));
}
