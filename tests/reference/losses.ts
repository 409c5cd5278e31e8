/**
 * Losses over full rows of logits: weighted token cross-entropy, the two Kullback-Leibler divergences between a
 * policy and a fixed prior, and the Jensen-Shannon divergence.
 *
 * Every loss is sum_i w_i l_i / total over tokens i; `total` is handed in, so that a batch cut into pieces gives the same
 * loss and gradients as the whole batch. Gradients go to the policy's logits only.
 */
import { NO_TARGET } from "../../workflows/data/batch.ts";
import type { Numbers } from "./numbers.ts";
import { logSoftmax, targetLogProbs, targetLogProbsBackward } from "./softmax.ts";

/** A loss with its parts and its gradient. */
export interface TokenLoss {
  /** sum_i w_i l_i / total */
  readonly loss: number;
  /** l_i before weighting, [tokens]; 0 for tokens that do not count. */
  readonly perToken: Float64Array;
  /** [tokens, vocab] */
  readonly d_logits: Float64Array;
}

/** Sum of the weights of tokens with a target, or 1 if that is 0: a batch with nothing to learn has loss 0. */
export function totalWeight(weights: Numbers, targets?: Numbers): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) if (targets?.[i] !== NO_TARGET) sum += weights[i];
  return sum === 0 ? 1 : sum;
}

/** l_i = -log softmax(logits_i)[target_i]; tokens whose target is `NO_TARGET` have loss and gradient 0. */
export function crossEntropy(
  logits: Numbers,
  targets: Numbers,
  weights: Numbers,
  vocab: number,
  total: number = totalWeight(weights, targets),
): TokenLoss {
  const perToken = targetLogProbs(logits, targets, vocab).map((logProb) => -logProb);
  const d_logProbs = Float64Array.from(weights, (w) => -w / total);
  const d_logits = targetLogProbsBackward(logits, targets, d_logProbs, vocab);
  return { loss: weightedMean(perToken, weights, total), perToken, d_logits };
}

/**
 * l_i = KL(p || q) = sum_v p_v log(p_v / q_v), p the policy and q the prior at token i (INFANT's direction).
 * d l / d z_v = p_v (log(p_v / q_v) - KL).
 */
export function klPolicyPrior(
  policyLogits: Numbers,
  priorLogits: Numbers,
  weights: Numbers,
  vocab: number,
  total: number = totalWeight(weights),
): TokenLoss {
  return divergence(policyLogits, priorLogits, weights, vocab, total, (logP, logQ, d) => {
    const kl = sumOver(logP, (v) => Math.exp(logP[v]) * (logP[v] - logQ[v]));
    logP.map(Math.exp).forEach((p, v) => d[v] = p === 0 ? 0 : p * (logP[v] - logQ[v] - kl));
    return kl;
  });
}

/** l_i = KL(q || p) = sum_v q_v log(q_v / p_v), p the policy and q the prior; d l / d z_v = p_v - q_v. */
export function klPriorPolicy(
  policyLogits: Numbers,
  priorLogits: Numbers,
  weights: Numbers,
  vocab: number,
  total: number = totalWeight(weights),
): TokenLoss {
  return divergence(policyLogits, priorLogits, weights, vocab, total, (logP, logQ, d) => {
    logP.forEach((lp, v) => d[v] = Math.exp(lp) - Math.exp(logQ[v]));
    return sumOver(logQ, (v) => Math.exp(logQ[v]) * (logQ[v] - logP[v]));
  });
}

/**
 * l_i = JS(p, q) = 1/2 KL(p || m) + 1/2 KL(q || m), m = (p + q) / 2 (Lin, 1991); between 0 and ln 2.
 * d l / d z_v = p_v / 2 (log(p_v / m_v) - KL(p || m)).
 */
export function jensenShannon(
  policyLogits: Numbers,
  priorLogits: Numbers,
  weights: Numbers,
  vocab: number,
  total: number = totalWeight(weights),
): TokenLoss {
  return divergence(policyLogits, priorLogits, weights, vocab, total, (logP, logQ, d) => {
    const p = logP.map(Math.exp);
    const q = logQ.map(Math.exp);
    const m = p.map((_, v) => (p[v] + q[v]) / 2);
    const klPM = klOfProbabilities(p, m);
    p.forEach((_, v) => d[v] = p[v] === 0 ? 0 : p[v] / 2 * (Math.log(p[v] / m[v]) - klPM));
    return jensenShannonOf(p, q);
  });
}

/** JS(p, q) of two distributions. */
export function jensenShannonOf(p: Numbers, q: Numbers): number {
  const m = Float64Array.from(p, (value, v) => (value + q[v]) / 2);
  return (klOfProbabilities(p, m) + klOfProbabilities(q, m)) / 2;
}

/** sum_v p_v log(p_v / q_v) of two distributions, with 0 log 0 = 0. */
export function klOfProbabilities(p: Numbers, q: Numbers): number {
  let sum = 0;
  for (let v = 0; v < p.length; v++) if (p[v] > 0) sum += p[v] * Math.log(p[v] / q[v]);
  return sum;
}

/** The loop all divergences share; `at` gives one token's value and fills its gradient. */
function divergence(
  policyLogits: Numbers,
  priorLogits: Numbers,
  weights: Numbers,
  vocab: number,
  total: number,
  at: (logP: Float64Array, logQ: Float64Array, d: Float64Array) => number,
): TokenLoss {
  const logP = logSoftmax(policyLogits, vocab);
  const logQ = logSoftmax(priorLogits, vocab);
  const d_logits = new Float64Array(policyLogits.length);
  const perToken = Float64Array.from(weights, (w, i) => {
    const part = (a: Float64Array) => a.subarray(i * vocab, (i + 1) * vocab);
    const d = part(d_logits);
    const value = at(part(logP), part(logQ), d);
    for (let v = 0; v < vocab; v++) d[v] *= w / total;
    return value;
  });
  return { loss: weightedMean(perToken, weights, total), perToken, d_logits };
}

/** sum over v with 0 log 0 = 0: terms of probability zero are left out. */
function sumOver(logProbs: Float64Array, term: (v: number) => number): number {
  let sum = 0;
  for (let v = 0; v < logProbs.length; v++) if (Math.exp(logProbs[v]) > 0) sum += term(v);
  return sum;
}

function weightedMean(perToken: Float64Array, weights: Numbers, total: number): number {
  let sum = 0;
  // A token without weight may have an infinite loss; 0 * Infinity must not become NaN.
  perToken.forEach((loss, i) => sum += weights[i] === 0 ? 0 : weights[i] * loss);
  return sum / total;
}
