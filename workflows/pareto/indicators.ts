/**
 * How far a found front is from a reference front. Every objective is maximised.
 *
 * The plus variants (Ishibuchi et al., 2015) count only shortfalls, so that a dominating point is
 * never rated worse; plain GD and IGD lack this. Epsilon indicators are Zitzler et al.'s (2003).
 */
import { InputError } from "../../kernels/errors.ts";
import { checkSameLength, checkSome } from "../theory/checks.ts";
import { checkPoints, type Objectives } from "./front.ts";

type Distance = (found: Objectives, reference: Objectives) => number;

const euclidean: Distance = (a, z) => Math.hypot(...z.map((value, k) => value - a[k]));
const shortfall: Distance = (a, z) => Math.hypot(...z.map((value, k) => Math.max(0, value - a[k])));

function checkFronts(found: readonly Objectives[], reference: readonly Objectives[]): void {
  for (const [name, points] of [["found", found], ["reference", reference]] as const) {
    checkSome(name, points);
    checkPoints(name, points);
  }
  checkSameLength("a found point", found[0], "a reference point", reference[0]);
}

/** Mean over `from` of the smallest distance to a point of `to`. */
function meanNearest(
  from: readonly Objectives[],
  to: readonly Objectives[],
  distance: (from: Objectives, to: Objectives) => number,
): number {
  const nearest = from.map((point) => Math.min(...to.map((other) => distance(point, other))));
  return nearest.reduce((a, b) => a + b, 0) / nearest.length;
}

/**
 * Generational distance: mean distance from each found point to the nearest reference point.
 * @throws {InputError} on no points, or points of different lengths.
 */
export function gd(found: readonly Objectives[], reference: readonly Objectives[]): number {
  checkFronts(found, reference);
  return meanNearest(found, reference, euclidean);
}

/** GD+: as `gd`, counting only shortfalls of the found points. @throws as `gd`. */
export function gdPlus(found: readonly Objectives[], reference: readonly Objectives[]): number {
  checkFronts(found, reference);
  return meanNearest(found, reference, shortfall);
}

/**
 * Inverted generational distance: mean distance from each reference point to the nearest found one.
 * It sees gaps, which GD does not.
 * @throws {InputError} on no points, or points of different lengths.
 */
export function igd(found: readonly Objectives[], reference: readonly Objectives[]): number {
  checkFronts(found, reference);
  return meanNearest(reference, found, (z, a) => euclidean(a, z));
}

/** IGD+: as `igd`, counting only shortfalls of the found points. @throws as `igd`. */
export function igdPlus(found: readonly Objectives[], reference: readonly Objectives[]): number {
  checkFronts(found, reference);
  return meanNearest(reference, found, (z, a) => shortfall(a, z));
}

/** The largest, over reference points, of the smallest cost at which a found point covers it. */
function worstCover(
  found: readonly Objectives[],
  reference: readonly Objectives[],
  cost: (found: number, reference: number) => number,
): number {
  checkFronts(found, reference);
  const covers = reference.map((z) =>
    Math.min(...found.map((a) => Math.max(...z.map((value, k) => cost(a[k], value)))))
  );
  return Math.max(...covers);
}

/**
 * Additive epsilon indicator: the least number that, added to every objective of every found point,
 * makes the found set weakly dominate the reference. Below 0 where it does so with room to spare.
 * @throws {InputError} on no points, or points of different lengths.
 */
export function additiveEpsilon(
  found: readonly Objectives[],
  reference: readonly Objectives[],
): number {
  return worstCover(found, reference, (a, z) => z - a);
}

/**
 * Multiplicative epsilon indicator: the least factor on every found objective that makes the found
 * set weakly dominate the reference. 1 for equal sets.
 * @throws {InputError} on no points, or objectives that are not above 0.
 */
export function multiplicativeEpsilon(
  found: readonly Objectives[],
  reference: readonly Objectives[],
): number {
  if ([...found, ...reference].some((point) => point.some((value) => !(value > 0)))) {
    throw new InputError("points: the multiplicative epsilon indicator needs values above 0");
  }
  return worstCover(found, reference, (a, z) => z / a);
}
