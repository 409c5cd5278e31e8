/**
 * The diagonal Fisher information and elastic weight consolidation (Kirkpatrick et al., arXiv:1612.00796).
 *
 * The empirical Fisher squares the gradient of each sequence as a whole, then averages; squaring the gradient of
 * a batch, or of single tokens, is another (wrong) quantity. The exact Fisher takes the expectation over the model's own
 * next token instead of the observed one (Kunstner et al., arXiv:1905.12558, on why this matters).
 */
import type { TokenBatch } from "../../workflows/data/batch.ts";
import type { Tensors } from "./optimizer.ts";
import { logSoftmax, targetLogProbs, targetLogProbsBackward } from "./softmax.ts";
import { backward, forward, type Policy } from "./transformer.ts";

/** One row of a batch as a batch of its own. */
export function rowOf(batch: TokenBatch, row: number): TokenBatch {
  const { length } = batch;
  const [from, to] = [row * length, (row + 1) * length];
  return {
    rows: 1,
    length,
    ids: batch.ids.slice(from, to),
    targets: batch.targets.slice(from, to),
    weights: batch.weights.slice(from, to),
    positions: batch.positions.slice(from, to),
    starts: batch.starts.slice(from, to),
  };
}

/** log p of one row's targets, weighted and summed, with its gradient. */
export function sequenceLogProb(
  policy: Policy,
  sequence: TokenBatch,
): { logProb: number; gradient: Tensors } {
  const { vocabSize } = policy.config;
  const activations = forward(policy, sequence);
  const logProbs = targetLogProbs(activations.logits, sequence.targets, vocabSize);
  const { logits } = activations;
  const d_logits = targetLogProbsBackward(logits, sequence.targets, sequence.weights, vocabSize);
  return {
    logProb: logProbs.reduce((sum, logProb, i) => sum + sequence.weights[i] * logProb, 0),
    gradient: backward(policy, sequence, activations, d_logits).parameters,
  };
}

/** F = mean over sequences of (d/dtheta log p(sequence))^2. */
export function empiricalFisher(policy: Policy, batch: TokenBatch): Tensors {
  const fisher: Tensors = new Map();
  for (let row = 0; row < batch.rows; row++) {
    addSquares(fisher, sequenceLogProb(policy, rowOf(batch, row)).gradient, 1 / batch.rows);
  }
  return fisher;
}

/** F = mean_x sum_y p(y|x) (d/dtheta log p(y|x))^2, y the one token after each context (equally long). */
export function exactFisher(policy: Policy, contexts: readonly (readonly number[])[]): Tensors {
  const { vocabSize } = policy.config;
  const fisher: Tensors = new Map();
  for (const context of contexts) {
    const tokens = contextTokens(context);
    const activations = forward(policy, tokens);
    const last = activations.logits.subarray(-vocabSize);
    const logProbs = logSoftmax(last, vocabSize);
    for (let y = 0; y < vocabSize; y++) {
      const d_logits = new Float64Array(activations.logits.length);
      d_logits.set(targetLogProbsBackward(last, [y], [1], vocabSize), d_logits.length - vocabSize);
      const { parameters } = backward(policy, tokens, activations, d_logits);
      addSquares(fisher, parameters, Math.exp(logProbs[y]) / contexts.length);
    }
  }
  return fisher;
}

/** log p(y | context) for every next token y. */
export function nextTokenLogProbs(policy: Policy, context: readonly number[]): Float64Array {
  const { logits } = forward(policy, contextTokens(context));
  return logSoftmax(logits.subarray(-policy.config.vocabSize), policy.config.vocabSize);
}

/** kappa/2 sum_i F_i (theta_i - anchor_i)^2 and its gradient kappa F (theta - anchor). */
export function ewcPenalty(
  theta: Tensors,
  anchor: Tensors,
  fisher: Tensors,
  kappa: number,
): { penalty: number; gradient: Tensors } {
  let penalty = 0;
  const gradient: Tensors = new Map();
  for (const [name, f] of fisher) {
    const [t, a] = [theta.get(name)!, anchor.get(name)!];
    gradient.set(name, f.map((value, i) => kappa * value * (t[i] - a[i])));
    f.forEach((value, i) => penalty += kappa / 2 * value * (t[i] - a[i]) ** 2);
  }
  return { penalty, gradient };
}

function contextTokens(context: readonly number[]) {
  return {
    rows: 1,
    length: context.length,
    ids: context,
    positions: context.map((_, i) => i),
    starts: context.map(() => 0),
  };
}

/** sum += weight * gradient^2 */
function addSquares(sum: Tensors, gradient: Tensors, weight: number): void {
  for (const [name, g] of gradient) {
    const total = sum.get(name) ?? new Float64Array(g.length);
    g.forEach((value, i) => total[i] += weight * value * value);
    sum.set(name, total);
  }
}
