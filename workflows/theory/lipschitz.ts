/**
 * How much a score can change when its input does (SAAA, Theorem 4, Eq. 25).
 *
 * The theorem restates the definition of a Lipschitz constant; it is worth what the constant is
 * worth. A certified constant is an upper bound, a sampled one a LOWER estimate: never put the
 * second where the first is needed.
 */
import { checkFinite, checkMatrix, checkPositive, checkSameLength, checkWhole } from "./checks.ts";
import { softmax, softmaxFisher } from "./fisher.ts";
import { times, transposeTimes } from "./games/game.ts";

/** A score at one input, and how steep it can be anywhere. */
export interface Steepness {
  /** The score. */
  readonly value: number;
  /** Its gradient in the input. */
  readonly gradient: readonly number[];
  /** Euclidean norm of the gradient. */
  readonly gradientNorm: number;
  /** Certified Lipschitz constant for the Euclidean norm: an upper bound, everywhere. */
  readonly certified: number;
}

/**
 * sigmoid(v . x), with its exact Lipschitz constant |v| / 4, reached where v . x = 0.
 * @throws {InputError} on vectors of different lengths.
 */
export function sigmoidSteepness(v: readonly number[], x: readonly number[]): Steepness {
  checkSameLength("x", x, "v", v);
  checkFinite("v", v);
  checkFinite("x", x);
  const [value] = softmax([v.reduce((sum, weight, i) => sum + weight * x[i], 0), 0]);
  const gradient = v.map((weight) => weight * value * (1 - value));
  const norm = Math.hypot(...v);
  return { value, gradient, gradientNorm: value * (1 - value) * norm, certified: norm / 4 };
}

/**
 * scores . softmax(W x). Certified by |W| (max s - min s) / (2 sqrt 2), the spectral norm times the
 * worst case over distributions, which has two outcomes of probability 1/2.
 * @param weights W, [classes][features]
 * @param scores of each class
 * @throws {InputError} on sizes that differ.
 */
export function softmaxSteepness(
  weights: readonly (readonly number[])[],
  scores: readonly number[],
  x: readonly number[],
): Steepness {
  checkMatrix("weights", weights);
  checkSameLength("scores", scores, "weights", weights);
  checkSameLength("x", x, "weights[0]", weights[0]);
  checkFinite("scores", scores);
  checkFinite("x", x);
  const logits = times(weights, x);
  const value = softmax(logits).reduce((sum, p, k) => sum + p * scores[k], 0);
  const gradient = transposeTimes(weights, times(softmaxFisher(logits), scores));
  const range = Math.max(...scores) - Math.min(...scores);
  return {
    value,
    gradient,
    gradientNorm: Math.hypot(...gradient),
    certified: spectralNorm(weights) * range / (2 * Math.SQRT2),
  };
}

/**
 * Largest singular value of a matrix, by one-sided Jacobi rotations: columns are turned until they
 * are orthogonal, then the longest one is it.
 * @throws {InputError} on a ragged matrix.
 */
export function spectralNorm(matrix: readonly (readonly number[])[]): number {
  checkMatrix("matrix", matrix);
  const columns = matrix[0].map((_, j) => matrix.map((row) => row[j]));
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * b[i], 0);
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let i = 0; i < columns.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [columns[i], columns[j]];
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb)) continue;
        turned = true;
        const angle = Math.atan2(2 * ab, aa - bb) / 2;
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        columns[i] = a.map((value, k) => cos * value + sin * b[k]);
        columns[j] = b.map((value, k) => cos * value - sin * a[k]);
      }
    }
  }
  return Math.max(...columns.map((column) => Math.sqrt(dot(column, column))));
}

/**
 * The steepest chord among random pairs within `radius` of a point: a lower estimate of the
 * Lipschitz constant, never a certificate.
 * @param random uniform numbers in [0, 1)
 * @throws {InputError} on a radius that is not above 0 or fewer than one pair.
 */
export function sampledLipschitz(
  f: (x: readonly number[]) => number,
  centre: readonly number[],
  options: { readonly radius: number; readonly pairs: number; readonly random: () => number },
): number {
  const { radius, pairs, random } = options;
  checkFinite("centre", centre);
  checkPositive("radius", radius);
  checkWhole("pairs", pairs, 1);
  const near = () => centre.map((value) => value + radius * (2 * random() - 1));
  let steepest = 0;
  for (let i = 0; i < pairs; i++) {
    const [a, b] = [near(), near()];
    const distance = Math.hypot(...a.map((value, k) => value - b[k]));
    if (distance > 0) steepest = Math.max(steepest, Math.abs(f(a) - f(b)) / distance);
  }
  return steepest;
}
