/**
 * LayerNorm (Ba et al., arXiv:1607.06450) and RMSNorm (Zhang and Sennrich, arXiv:1910.07467) over rows of `width` numbers.
 *
 * Both write y = n * weight (+ bias) with n = (x - mean) / std. Their backward passes differ only by what the
 * normalisation removes from the gradient: RMSNorm its part along n, LayerNorm also its mean.
 */
import { dot, type Numbers } from "./numbers.ts";

/** What a norm's backward pass gives; RMSNorm has no bias and leaves `d_bias` out of account. */
export interface NormGradients {
  /** [rows, width] */
  readonly d_x: Float64Array;
  /** [width] */
  readonly d_weight: Float64Array;
  /** [width] */
  readonly d_bias: Float64Array;
}

/** y = (x - mean) / sqrt(var + eps) * weight + bias, with the biased variance. x, y: [rows, width]. */
export function layerNorm(
  x: Numbers,
  weight: Numbers,
  bias: Numbers,
  width: number,
  eps: number,
): Float64Array {
  const { normed } = normalise(x, width, eps, true);
  return normed.map((n, i) => n * weight[i % width] + bias[i % width]);
}

/** d_x, d_weight, d_bias of {@linkcode layerNorm}. */
export function layerNormBackward(
  x: Numbers,
  weight: Numbers,
  d_y: Numbers,
  width: number,
  eps: number,
): NormGradients {
  return normBackward(x, weight, d_y, width, eps, true);
}

/** y = x / sqrt(mean(x^2) + eps) * weight. x, y: [rows, width]. */
export function rmsNorm(x: Numbers, weight: Numbers, width: number, eps: number): Float64Array {
  const { normed } = normalise(x, width, eps, false);
  return normed.map((n, i) => n * weight[i % width]);
}

/** d_x and d_weight of {@linkcode rmsNorm}. */
export function rmsNormBackward(
  x: Numbers,
  weight: Numbers,
  d_y: Numbers,
  width: number,
  eps: number,
): NormGradients {
  return normBackward(x, weight, d_y, width, eps, false);
}

/** normed = (x - mean) / std per row; mean is 0 unless `centred`. */
function normalise(
  x: Numbers,
  width: number,
  eps: number,
  centred: boolean,
): { normed: Float64Array; rstd: Float64Array } {
  const normed = Float64Array.from(x);
  const rstd = new Float64Array(x.length / width);
  for (let r = 0; r < rstd.length; r++) {
    const n = normed.subarray(r * width, (r + 1) * width);
    const mean = centred ? n.reduce((a, b) => a + b, 0) / width : 0;
    for (let i = 0; i < width; i++) n[i] -= mean;
    rstd[r] = 1 / Math.sqrt(dot(n, n) / width + eps);
    for (let i = 0; i < width; i++) n[i] *= rstd[r];
  }
  return { normed, rstd };
}

/** d_x = rstd (d_n - [mean(d_n)] - n mean(d_n n)), with d_n = d_y weight; the bracket only if centred. */
function normBackward(
  x: Numbers,
  weight: Numbers,
  d_y: Numbers,
  width: number,
  eps: number,
  centred: boolean,
): NormGradients {
  const { normed, rstd } = normalise(x, width, eps, centred);
  const d_x = new Float64Array(x.length);
  const d_weight = new Float64Array(width);
  const d_bias = new Float64Array(width);
  for (let r = 0; r < rstd.length; r++) {
    const n = normed.subarray(r * width, (r + 1) * width);
    const d_n = Float64Array.from(n, (_, i) => d_y[r * width + i] * weight[i]);
    const mean = centred ? d_n.reduce((a, b) => a + b, 0) / width : 0;
    const along = dot(d_n, n) / width;
    for (let i = 0; i < width; i++) {
      d_x[r * width + i] = rstd[r] * (d_n[i] - mean - n[i] * along);
      d_weight[i] += d_y[r * width + i] * n[i];
      d_bias[i] += d_y[r * width + i];
    }
  }
  return { d_x, d_weight, d_bias };
}
