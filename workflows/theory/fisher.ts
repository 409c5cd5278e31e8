/**
 * Fisher information of softmax policies (INFANT, Lemma A.2, Eq. 61) and the quadratic penalty that
 * uses its diagonal (Eq. 14).
 *
 * Eq. 61's identity, squared score = minus curvature, holds with the action drawn from the MODEL.
 * Code for elastic weight consolidation often squares the gradient at the labels of the data
 * instead; that empirical Fisher is another quantity (Kunstner et al., 2019), and both are here.
 */
import {
  checkFinite,
  checkMatrix,
  checkNonNegative,
  checkSameLength,
  checkSome,
  checkWhole,
} from "./checks.ts";

/** Softmax of finite logits. @throws {InputError} on no or infinite logits. */
export function softmax(logits: readonly number[]): number[] {
  checkSome("logits", logits);
  checkFinite("logits", logits);
  const top = logits.reduce((a, b) => Math.max(a, b));
  const weights = logits.map((logit) => Math.exp(logit - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/**
 * Fisher information of a softmax in its logits, diag(p) - p p^T: the mean outer product of the
 * score, and minus the mean Hessian of log p. Its diagonal is p_i (1 - p_i).
 * @throws {InputError} on no or infinite logits.
 */
export function softmaxFisher(logits: readonly number[]): number[][] {
  const p = softmax(logits);
  return p.map((row, i) => p.map((column, j) => (i === j ? row : 0) - row * column));
}

/** Scores of a linear policy: W x. */
function logitsOf(weights: readonly (readonly number[])[], x: readonly number[]): number[] {
  return weights.map((row) => row.reduce((sum, weight, j) => sum + weight * x[j], 0));
}

/** Mean over inputs of x_j^2 times a factor per class. */
function meanDiagonal(
  weights: readonly (readonly number[])[],
  inputs: readonly (readonly number[])[],
  factors: (probabilities: readonly number[], n: number) => readonly number[],
): number[][] {
  checkMatrix("weights", weights);
  checkMatrix("inputs", inputs);
  checkSameLength("inputs[0]", inputs[0], "weights[0]", weights[0]);
  const sums = weights.map((row) => row.map(() => 0));
  inputs.forEach((x, n) => {
    factors(softmax(logitsOf(weights, x)), n).forEach((factor, k) =>
      x.forEach((value, j) => sums[k][j] += factor * value ** 2 / inputs.length)
    );
  });
  return sums;
}

/**
 * Diagonal Fisher information of the policy softmax(W x), by Eq. 61: actions drawn from the model.
 * @param weights W, [actions][features]
 * @param inputs contexts x, [contexts][features]
 * @returns [actions][features].
 * @throws {InputError} on sizes that differ.
 */
export function fisherOfLinearPolicy(
  weights: readonly (readonly number[])[],
  inputs: readonly (readonly number[])[],
): number[][] {
  return meanDiagonal(weights, inputs, (p) => p.map((value) => value * (1 - value)));
}

/**
 * Empirical Fisher diagonal of the policy softmax(W x): squared gradients at given labels. Not the
 * Fisher information of Eq. 61.
 * @param labels index of the labelled action of each input
 * @throws {InputError} on sizes that differ or a label that is no action.
 */
export function empiricalFisherOfLinearPolicy(
  weights: readonly (readonly number[])[],
  inputs: readonly (readonly number[])[],
  labels: readonly number[],
): number[][] {
  checkSameLength("labels", labels, "inputs", inputs);
  labels.forEach((label, n) => {
    checkWhole(`labels[${n}]`, label, 0);
    checkWhole(`actions beyond labels[${n}]`, weights.length - label, 1);
  });
  return meanDiagonal(
    weights,
    inputs,
    (p, n) => p.map((value, k) => (Number(labels[n] === k) - value) ** 2),
  );
}

/** A penalty and its gradient. */
export interface Penalty {
  /** sum (kappa/2) F_i (theta_i - anchor_i)^2. */
  readonly penalty: number;
  /** kappa F_i (theta_i - anchor_i). */
  readonly gradient: readonly number[];
}

/**
 * Eq. 14, the plasticity regulariser: elastic weight consolidation (Kirkpatrick et al., 2017).
 * @param theta parameters now
 * @param anchor parameters after value imprinting
 * @param fisher Fisher diagonal at the anchor, at least 0
 * @param kappa strength, at least 0
 * @throws {InputError} on lists of different lengths or negative factors.
 */
export function plasticityPenalty(
  theta: readonly number[],
  anchor: readonly number[],
  fisher: readonly number[],
  kappa: number,
): Penalty {
  checkSameLength("anchor", anchor, "theta", theta);
  checkSameLength("fisher", fisher, "theta", theta);
  fisher.forEach((value, i) => checkNonNegative(`fisher[${i}]`, value));
  checkNonNegative("kappa", kappa);
  const gradient = theta.map((value, i) => kappa * fisher[i] * (value - anchor[i]));
  const penalty = gradient.reduce((sum, slope, i) => sum + slope * (theta[i] - anchor[i]) / 2, 0);
  return { penalty, gradient };
}
