/**
 * Danskin's theorem: the gradient of a maximum (INFANT, Lemma A.3, Eq. 20 and 62).
 *
 * Where the maximiser is unique, the gradient of max over psi of f(theta, psi) is that of f at it.
 * Where several psi attain the maximum, as with the texts of an edit ball they often do, there is
 * no gradient: the directional derivative is the largest of theirs, and the subdifferential their
 * convex hull.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkFinite, checkMatrix, checkSameLength, checkSome } from "./checks.ts";

/** Values within this of the maximum count as attaining it. */
const TIE = 1e-12;

/** A maximum over finitely many psi. */
export interface FiniteMaximum {
  /** max f. */
  readonly value: number;
  /** Every psi that attains it, by index, within 1e-12. */
  readonly active: readonly number[];
  /** Gradients of f in theta at the active psi: the subdifferential is their convex hull. */
  readonly activeGradients: readonly (readonly number[])[];
  /** The gradient where the active psi agree on it, else null: there is none. */
  readonly gradient: readonly number[] | null;
}

/**
 * Eq. 62 over a finite set: value, active set and gradient of max f(theta, psi).
 *
 * @param values f(theta, psi) of each psi
 * @param gradients its gradient in theta, of each psi
 * @example
 * ```ts
 * import { theory } from "@infant/toolkit";
 *
 * // |theta| = max(theta, -theta) has no gradient at 0, but a derivative in each direction.
 * const tie = theory.maximumOf([0, 0], [[1], [-1]]);
 * console.log(tie.gradient, theory.directionalDerivative(tie, [-2])); // null 2
 * ```
 * @throws {InputError} on no psi, or sizes that differ.
 */
export function maximumOf(
  values: readonly number[],
  gradients: readonly (readonly number[])[],
): FiniteMaximum {
  checkSome("values", values);
  checkFinite("values", values);
  checkMatrix("gradients", gradients);
  checkSameLength("gradients", gradients, "values", values);
  const value = values.reduce((a, b) => Math.max(a, b));
  const active = values.flatMap((v, i) => v >= value - TIE ? [i] : []);
  const activeGradients = active.map((i) => gradients[i]);
  const [first, ...others] = activeGradients;
  const agree = others.every((other) => other.every((slope, j) => slope === first[j]));
  return { value, active, activeGradients, gradient: agree ? first : null };
}

/**
 * Derivative of the maximum in a direction: the largest of the active gradients' (Danskin, 1966).
 * It exists with ties too.
 * @throws {InputError} when the direction has another length than theta.
 */
export function directionalDerivative(
  { activeGradients }: FiniteMaximum,
  direction: readonly number[],
): number {
  checkSameLength("direction", direction, "theta", activeGradients[0]);
  return activeGradients
    .map((gradient) => gradient.reduce((sum, slope, j) => sum + slope * direction[j], 0))
    .reduce((a, b) => Math.max(a, b));
}

/** A function of theta and of a number psi, strictly concave in psi. */
export interface ConcaveInPsi {
  /** f(theta, psi). */
  value(theta: number, psi: number): number;
  /** Its derivative in psi, falling in psi. */
  slopeInPsi(theta: number, psi: number): number;
  /** Its derivative in theta. */
  slopeInTheta(theta: number, psi: number): number;
}

/** A maximum over an interval. */
export interface IntervalMaximum {
  /** max f. */
  readonly value: number;
  /** The maximiser. */
  readonly psi: number;
  /** Derivative of the maximum in theta: that of f at the maximiser. */
  readonly slope: number;
}

/**
 * Eq. 62 over an interval, for a function strictly concave in psi, whose maximiser is thus unique.
 * The maximiser is found by bisection on the slope.
 * @throws {InputError} unless low <= high are finite.
 */
export function maximumOverInterval(
  f: ConcaveInPsi,
  theta: number,
  [low, high]: readonly [low: number, high: number],
): IntervalMaximum {
  checkFinite("interval", [low, high]);
  if (low > high) throw new InputError(`interval: expected low <= high, found ${low}, ${high}`);
  const at = (psi: number): IntervalMaximum => ({
    value: f.value(theta, psi),
    psi,
    slope: f.slopeInTheta(theta, psi),
  });
  if (f.slopeInPsi(theta, low) <= 0) return at(low);
  if (f.slopeInPsi(theta, high) >= 0) return at(high);
  let [left, right] = [low, high];
  for (;;) {
    const middle = left + (right - left) / 2;
    const slope = f.slopeInPsi(theta, middle);
    if (slope === 0 || middle <= left || middle >= right) return at(middle);
    if (slope > 0) left = middle;
    else right = middle;
  }
}
