/**
 * What a point of capability costs in safety along a front (INFANT, Proposition 7.7), and where the
 * cost changes most.
 *
 * Eq. 59 as printed divides one gradient vector by another and multiplies by d theta / d omega: it
 * is not a well-formed expression. Along the front, theta moves with the weight omega, and
 *
 *     dS/dC = (grad S . theta') / (grad C . theta') = -omega / (1 - omega)
 *
 * the second equality at a smooth optimum of omega C + (1 - omega) S.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkFinite, checkSameLength, checkUnit } from "../theory/checks.ts";
import { checkPlane, front, type Objectives } from "./front.ts";

/**
 * Eq. 59 in its well-formed version: (grad S . direction) / (grad C . direction).
 * @param gradientC gradient of capability in the parameters
 * @param gradientS gradient of safety
 * @param direction d theta / d omega
 * @throws {InputError} on vectors of different lengths, or when C does not change in the direction.
 */
export function tradeOffRate(
  gradientC: readonly number[],
  gradientS: readonly number[],
  direction: readonly number[],
): number {
  checkFinite("direction", direction);
  const along = (name: string, gradient: readonly number[]) => {
    checkSameLength(name, gradient, "direction", direction);
    checkFinite(name, gradient);
    return gradient.reduce((sum, slope, i) => sum + slope * direction[i], 0);
  };
  const [dC, dS] = [along("gradientC", gradientC), along("gradientS", gradientS)];
  if (dC === 0) throw new InputError("direction: capability does not change along it");
  return dS / dC;
}

/**
 * dS/dC at a smooth optimum of w C + (1 - w) S: -w / (1 - w), -Infinity at w = 1.
 * @throws {InputError} outside [0, 1].
 */
export function rateOfWeight(weight: number): number {
  checkUnit("weight", weight);
  return weight === 0 ? 0 : -weight / (1 - weight);
}

/**
 * The weight whose weighted sum is optimal where the front has this slope: the inverse of
 * `rateOfWeight`.
 * @throws {InputError} when the rate is above 0: along a front, safety falls as capability rises.
 */
export function weightOfRate(rate: number): number {
  if (!(rate <= 0)) throw new InputError(`rate: expected at most 0 on a front, found ${rate}`);
  return rate === -Infinity ? 1 : -rate / (1 - rate);
}

/** One step along a front. */
export interface FrontStep {
  /** Index of the point with less capability. */
  readonly from: number;
  /** Index of the next point. */
  readonly to: number;
  /** Change of safety per change of capability, below 0. */
  readonly rate: number;
}

/**
 * Trade-off rates between neighbours on the front of points (C, S), by rising C.
 * @throws {InputError} unless points are finite pairs.
 */
export function tradeOffRates(points: readonly Objectives[]): FrontStep[] {
  const path = byCapability(points);
  return path.slice(1).map((to, i) => {
    const from = path[i];
    const rate = (points[to][1] - points[from][1]) / (points[to][0] - points[from][0]);
    return { from, to, rate };
  });
}

/** Indices of the front, each point once, by rising C. */
function byCapability(points: readonly Objectives[]): number[] {
  checkPlane("points", points);
  return front(points, "first").sort((a, b) => points[a][0] - points[b][0]);
}

/** A point where a front bends outwards. */
export interface Knee {
  /** Index of the point. */
  readonly index: number;
  /** Height above the straight line between the front's ends, both axes scaled to [0, 1]. */
  readonly height: number;
}

/**
 * Knee points of the front of points (C, S): those higher above the line between the front's ends
 * than both neighbours (Das, 1999), the highest first. Beyond a knee, a little more of one
 * objective costs much of the other. None where the front is straight or curves inwards.
 * @throws {InputError} unless points are finite pairs.
 */
export function knees(points: readonly Objectives[]): Knee[] {
  const path = byCapability(points);
  if (path.length < 3) return [];
  const [first, last] = [points[path[0]], points[path[path.length - 1]]];
  const heights = path.map((i) => {
    const c = (points[i][0] - first[0]) / (last[0] - first[0]);
    const s = (points[i][1] - last[1]) / (first[1] - last[1]);
    return (c + s - 1) / Math.SQRT2;
  });
  return path
    .map((index, i) => ({ index, height: heights[i], i }))
    .filter(({ height, i }) =>
      height > 1e-12 && height >= heights[i - 1] && height > heights[i + 1]
    )
    .sort((a, b) => b.height - a.height)
    .map(({ index, height }) => ({ index, height }));
}
