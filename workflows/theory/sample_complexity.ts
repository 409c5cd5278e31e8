/**
 * Sample complexity of value imprinting (INFANT, Proposition 4.3, Eq. 15 and 16).
 *
 * The paper prints Eq. 15 as the solution of Eq. 16, and it is not: solving Eq. 16 gives no factor
 * B^2, and log(N/d) instead of log(d/delta). Both numbers are here, told apart by name.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkInside, checkPositive, checkWhole } from "./checks.ts";

/** Quantities of Eq. 15. */
export interface DemonstrationsPrinted {
  /** Effective dimension d of the policy, at least 1. */
  readonly dimension: number;
  /** Bound B on |log pi(a|h)|, nats. */
  readonly logBound: number;
  /** Probability delta with which the bound may fail, in (0, 1). */
  readonly failure: number;
  /** The KL divergence epsilon to be reached, nats. */
  readonly accuracy: number;
  /** The "universal constant" c, which the paper does not give. */
  readonly constant: number;
}

/**
 * Eq. 15 as printed: c d B^2 log(d/delta) / epsilon^2 demonstrations. Not rounded.
 *
 * An order of magnitude only, since c is unspecified. For the number that Eq. 16 gives, see
 * `demonstrationsSolved`.
 * @throws {InputError} outside the ranges.
 */
export function demonstrationsPrinted(inputs: DemonstrationsPrinted): number {
  const { dimension, logBound, failure, accuracy, constant } = inputs;
  checkDimension(dimension);
  checkPositive("logBound", logBound);
  checkInside("failure", failure);
  checkPositive("accuracy", accuracy);
  checkPositive("constant", constant);
  return constant * dimension * logBound ** 2 * Math.log(dimension / failure) / accuracy ** 2;
}

/**
 * Eq. 16: the generalisation gap sqrt((d log(N/d) + log(1/delta)) / (2N)).
 *
 * A Hoeffding-type bound on a loss of range B would carry a factor B; Eq. 16 has none, so it holds
 * for losses in [0, 1] only.
 * @param samples N, at least d
 * @throws {InputError} outside the ranges.
 */
export function generalisationGap(dimension: number, samples: number, failure: number): number {
  checkDimension(dimension);
  checkWhole("samples", samples, Math.ceil(dimension));
  checkInside("failure", failure);
  return gapAt(dimension, samples, failure);
}

const gapAt = (dimension: number, samples: number, failure: number) =>
  Math.sqrt((dimension * Math.log(samples / dimension) - Math.log(failure)) / (2 * samples));

/**
 * Eq. 16 solved for N, exactly: the smallest N of at least e d whose gap is at most `accuracy`.
 *
 * From e d on the gap falls with N. Below, it is small only because log(N/d) is, which says nothing
 * about so few samples.
 * @throws {InputError} outside the ranges.
 */
export function demonstrationsSolved(
  dimension: number,
  failure: number,
  accuracy: number,
): number {
  checkDimension(dimension);
  checkInside("failure", failure);
  checkPositive("accuracy", accuracy);
  const enough = (samples: number) => gapAt(dimension, samples, failure) <= accuracy;
  let low = Math.ceil(Math.E * dimension);
  if (enough(low)) return low;
  let high = low * 2;
  while (!enough(high)) {
    [low, high] = [high, high * 2];
    if (high > Number.MAX_SAFE_INTEGER) {
      throw new InputError(`accuracy: ${accuracy} needs more samples than a number can count`);
    }
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function checkDimension(dimension: number): void {
  if (dimension >= 1 && dimension < Infinity) return;
  throw new InputError(`dimension: expected a number of at least 1, found ${dimension}`);
}
