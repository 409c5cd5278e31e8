/**
 * Softmax and its logarithm over rows of `width` logits, shifted by each row's maximum so that nothing overflows.
 */
import { NO_TARGET } from "../../workflows/data/batch.ts";
import { dot, type Numbers, row } from "./numbers.ts";

/** log sum_j exp(x_j), per row: [rows]. */
export function logSumExp(logits: Numbers, width: number): Float64Array {
  const out = new Float64Array(logits.length / width);
  for (let r = 0; r < out.length; r++) {
    let max = -Infinity;
    for (let i = 0; i < width; i++) max = Math.max(max, logits[r * width + i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(logits[r * width + i] - max);
    out[r] = max + Math.log(sum);
  }
  return out;
}

/**
 * exp(x_i) / sum_j exp(x_j), per row.
 * Divided by the sum rather than exp(x - logSumExp), which loses digits when the logits are large.
 */
export function softmax(logits: Numbers, width: number): Float64Array {
  const y = new Float64Array(logits.length);
  for (let start = 0; start < y.length; start += width) {
    let max = -Infinity;
    for (let i = 0; i < width; i++) max = Math.max(max, logits[start + i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += y[start + i] = Math.exp(logits[start + i] - max);
    for (let i = 0; i < width; i++) y[start + i] /= sum;
  }
  return y;
}

/** d_logits_i = y_i (d_y_i - sum_j y_j d_y_j), from the softmax's own result y. */
export function softmaxBackward(y: Float64Array, d_y: Float64Array, width: number): Float64Array {
  const d_logits = new Float64Array(y.length);
  for (let r = 0; r < y.length / width; r++) {
    const mean = dot(row(y, r, width), row(d_y, r, width));
    for (let i = r * width; i < (r + 1) * width; i++) d_logits[i] = y[i] * (d_y[i] - mean);
  }
  return d_logits;
}

/** x_i - logSumExp(x), per row, with the maximum taken off first: the large parts cancel exactly. */
export function logSoftmax(logits: Numbers, width: number): Float64Array {
  const y = new Float64Array(logits.length);
  for (let start = 0; start < y.length; start += width) {
    let max = -Infinity;
    for (let i = 0; i < width; i++) max = Math.max(max, logits[start + i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(logits[start + i] - max);
    for (let i = 0; i < width; i++) y[start + i] = logits[start + i] - max - Math.log(sum);
  }
  return y;
}

/** d_logits_i = d_y_i - softmax_i sum_j d_y_j, from the log-softmax's own result y. */
export function logSoftmaxBackward(
  y: Float64Array,
  d_y: Float64Array,
  width: number,
): Float64Array {
  const d_logits = new Float64Array(y.length);
  for (let r = 0; r < y.length / width; r++) {
    const sum = row(d_y, r, width).reduce((a, b) => a + b, 0);
    for (let i = r * width; i < (r + 1) * width; i++) d_logits[i] = d_y[i] - Math.exp(y[i]) * sum;
  }
  return d_logits;
}

/** log p(target) in each row: [rows]; 0 where the target is `NO_TARGET`. */
export function targetLogProbs(logits: Numbers, targets: Numbers, width: number): Float64Array {
  const logProbs = logSoftmax(logits, width);
  return Float64Array.from(targets, (t, r) => t === NO_TARGET ? 0 : logProbs[r * width + t]);
}

/** d_logits [rows, width] = d_y (onehot(target) - softmax), from d_y [rows]; zero rows at `NO_TARGET`. */
export function targetLogProbsBackward(
  logits: Numbers,
  targets: Numbers,
  d_y: Numbers,
  width: number,
): Float64Array {
  const d_logits = softmax(logits, width);
  for (let r = 0; r < targets.length; r++) {
    const d = targets[r] === NO_TARGET ? 0 : d_y[r];
    for (let i = 0; i < width; i++) {
      d_logits[r * width + i] = d * ((i === targets[r] ? 1 : 0) - d_logits[r * width + i]);
    }
  }
  return d_logits;
}
