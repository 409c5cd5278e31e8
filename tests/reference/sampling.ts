/**
 * From logits to the next token: Hugging Face's order and rules, repetition penalty -> temperature -> top-k -> top-p, then
 * a draw by inverting the distribution function over the vocabulary in its own order.
 *
 * Removed tokens get the logit -Infinity. Repetition penalty: Keskar et al., arXiv:1909.05858; top-p: Holtzman et al.,
 * arXiv:1904.09751.
 */
import type { Numbers } from "./numbers.ts";
import { softmax } from "./softmax.ts";

/** What to do to the logits before drawing; a missing entry changes nothing. */
export interface SamplingOptions {
  /** > 0 */
  readonly temperature?: number;
  /** >= 1 */
  readonly topK?: number;
  /** In (0, 1]. */
  readonly topP?: number;
  /** > 0; 1 is the identity. */
  readonly repetitionPenalty?: number;
}

/** Index of the largest logit; the first of equals. */
export function greedy(logits: Numbers): number {
  let best = 0;
  for (let v = 1; v < logits.length; v++) if (logits[v] > logits[best]) best = v;
  return best;
}

/** Each token that occurred, once however often: positive logits / penalty, negative ones * penalty. */
export function penaliseRepetition(
  logits: Numbers,
  seen: Iterable<number>,
  penalty: number,
): Float64Array {
  const out = Float64Array.from(logits);
  for (const v of seen) out[v] = logits[v] < 0 ? logits[v] * penalty : logits[v] / penalty;
  return out;
}

/** Keeps the logits that are at least the k-th largest, so ties with it stay. */
export function keepTopK(logits: Numbers, k: number): Float64Array {
  const sorted = Float64Array.from(logits).sort();
  const threshold = sorted[Math.max(0, sorted.length - k)];
  return Float64Array.from(logits, (x) => x >= threshold ? x : -Infinity);
}

/**
 * Keeps the smallest set of most probable tokens whose mass reaches p: from the least probable upwards, tokens
 * go while the mass so far is at most 1 - p; the most probable token always stays. Among equals the
 * lower id counts as less probable (a stable ascending sort).
 */
export function keepTopP(logits: Numbers, p: number): Float64Array {
  const probabilities = softmax(logits, logits.length);
  const ascending = Array.from(probabilities.keys()).sort((a, b) => logits[a] - logits[b]);
  const out = Float64Array.from(logits);
  let mass = 0;
  for (const v of ascending.slice(0, -1)) {
    mass += probabilities[v];
    if (mass <= 1 - p) out[v] = -Infinity;
  }
  return out;
}

/** The distribution that is drawn from: all rules in order, then softmax. */
export function samplingProbabilities(
  logits: Numbers,
  seen: Iterable<number>,
  { temperature = 1, topK, topP, repetitionPenalty = 1 }: SamplingOptions,
): Float64Array {
  let scores = penaliseRepetition(logits, seen, repetitionPenalty);
  scores = scores.map((x) => x / temperature);
  if (topK !== undefined) scores = keepTopK(scores, topK);
  if (topP !== undefined && topP < 1) scores = keepTopP(scores, topP);
  return softmax(scores, scores.length);
}

/** The first token at which the cumulated probability exceeds `uniform` in [0, 1). */
export function draw(probabilities: Numbers, uniform: number): number {
  let cumulated = 0;
  let last = 0;
  for (let v = 0; v < probabilities.length; v++) {
    if (probabilities[v] === 0) continue;
    cumulated += probabilities[v];
    last = v;
    if (cumulated > uniform) return v;
  }
  // Rounding can leave the sum just below 1.
  return last;
}
