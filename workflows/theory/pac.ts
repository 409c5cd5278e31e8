/**
 * PAC bound on the violation probability (INFANT, Theorem 5.5, Eq. 36-38).
 *
 * The theorem prints log(1/delta), its proof derives log(2/delta). Both are right: a bound from
 * above needs only Hoeffding's one-sided inequality (Eq. 36), the proof uses the two-sided one
 * (Eq. 38). The exact binomial limit of Clopper and Pearson holds as well and is smaller on small
 * rates, which are the interesting ones; prefer it.
 *
 * N counts UNSAFE examples, on which false negatives can occur, and none of them may have been used
 * to train the world model: with training examples the bound would need a complexity term.
 */
import { checkInside, checkPositive, checkUnit, checkWhole } from "./checks.ts";
import { clopperPearsonUpper } from "./intervals.ts";

/** Sides of the deviation that a bound must cover. */
export type Sides = "one-sided" | "two-sided";

/**
 * Hoeffding's deviation t of a mean of `samples` independent values of range 1: the mean is off by
 * more than t with probability at most `failure`. One-sided as in Eq. 36, two-sided as in Eq. 38.
 * @param failure in (0, 1), the paper's delta
 * @throws {InputError} outside these ranges.
 */
export function hoeffdingDeviation(
  samples: number,
  failure: number,
  sides: Sides = "one-sided",
): number {
  checkWhole("samples", samples, 1);
  return Math.sqrt(logInverse(failure, sides) / (2 * samples));
}

/**
 * Smallest number of samples whose Hoeffding deviation is at most `deviation`.
 * @throws {InputError} when `deviation` is not above 0 or `failure` not in (0, 1).
 */
export function hoeffdingSampleSize(
  deviation: number,
  failure: number,
  sides: Sides = "one-sided",
): number {
  checkPositive("deviation", deviation);
  return Math.max(1, Math.ceil(logInverse(failure, sides) / (2 * deviation ** 2)));
}

function logInverse(failure: number, sides: Sides): number {
  checkInside("failure", failure);
  return Math.log((sides === "one-sided" ? 1 : 2) / failure);
}

/** What Theorem 5.5 starts from. */
export interface PacInputs {
  /** Unsafe examples that the world model let pass. */
  readonly falseNegatives: number;
  /** Unsafe examples examined, none of them used in training. */
  readonly unsafeExamples: number;
  /** Probability with which the bound may fail, in (0, 1); the paper's delta. */
  readonly failure: number;
  /** Error rate of the projection, Eq. 26. */
  readonly epsPi: number;
  /** Coverage of the forbidden patterns, given a violation. */
  readonly gammaCov: number;
  /** Probability of an unsafe proposal. */
  readonly pUnsafe: number;
}

/** Bounds on V that hold with probability 1 - failure; they may exceed 1. */
export interface PacBound {
  /** Share of false negatives. */
  readonly epsHat: number;
  /** Deviation of Eq. 36, one-sided. */
  readonly deviation36: number;
  /** Deviation of Eq. 38, two-sided. */
  readonly deviation38: number;
  /** Eq. 36 as the theorem prints it. */
  readonly eq36: number;
  /** Eq. 36 with the constant of its proof, Eq. 38. */
  readonly eq38: number;
  /** Exact upper limit of the false negative rate, in place of epsHat + deviation. */
  readonly epsMUpper: number;
  /** The bound with the exact limit. */
  readonly clopperPearson: number;
}

/**
 * Theorem 5.5 in its three forms: false negatives are estimated, all other rates are taken as
 * given. Where they too are estimated, split `failure` among them and pass upper limits.
 * @throws {InputError} on counts that are not whole or rates that are no probabilities.
 */
export function pacBound(inputs: PacInputs): PacBound {
  const { falseNegatives, unsafeExamples, failure, epsPi, gammaCov, pUnsafe } = inputs;
  checkWhole("unsafeExamples", unsafeExamples, 1);
  checkInside("failure", failure);
  checkUnit("epsPi", epsPi);
  checkUnit("gammaCov", gammaCov);
  checkUnit("pUnsafe", pUnsafe);
  const epsMUpper = clopperPearsonUpper(falseNegatives, unsafeExamples, 1 - failure);
  const epsHat = falseNegatives / unsafeExamples;
  const deviation36 = hoeffdingDeviation(unsafeExamples, failure, "one-sided");
  const deviation38 = hoeffdingDeviation(unsafeExamples, failure, "two-sided");
  const rest = epsPi + (1 - gammaCov) * pUnsafe;
  return {
    epsHat,
    deviation36,
    deviation38,
    eq36: epsHat + deviation36 + rest,
    eq38: epsHat + deviation38 + rest,
    epsMUpper,
    clopperPearson: epsMUpper + rest,
  };
}
