/**
 * How well scores rank: area under the ROC curve, average precision, rank correlations.
 */
import { InputError } from "../../../kernels/errors.ts";
import { checkFinite, checkSameLength, checkWhole } from "../checks.ts";

/** Ranks from 1, ties share their mean rank. @throws {InputError} on values that are not finite. */
export function meanRanks(values: readonly number[]): number[] {
  checkFinite("values", values);
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let k = start; k < end; k++) ranks[order[k]] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

function checkLabels(scores: readonly number[], labels: readonly boolean[]): number {
  checkFinite("scores", scores);
  checkSameLength("labels", labels, "scores", scores);
  const positives = labels.filter((label) => label).length;
  if (positives > 0 && positives < labels.length) return positives;
  throw new InputError(`labels: expected both kinds, found ${positives} of ${labels.length} true`);
}

/**
 * Area under the ROC curve: probability that a true case scores above a false one, ties counted
 * half.
 * @throws {InputError} unless there are true and false labels.
 */
export function auroc(scores: readonly number[], labels: readonly boolean[]): number {
  const positives = checkLabels(scores, labels);
  const ranks = meanRanks(scores);
  const sum = ranks.reduce((total, rank, i) => labels[i] ? total + rank : total, 0);
  const wins = sum - positives * (positives + 1) / 2;
  return wins / (positives * (labels.length - positives));
}

/**
 * Average precision: precision at each distinct threshold, weighted by the rise in recall; no
 * interpolation.
 * @throws {InputError} unless there are true and false labels.
 */
export function averagePrecision(scores: readonly number[], labels: readonly boolean[]): number {
  const positives = checkLabels(scores, labels);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]);
  let [found, sum] = [0, 0];
  for (let start = 0; start < order.length;) {
    let end = start;
    const before = found;
    while (end < order.length && scores[order[end]] === scores[order[start]]) {
      found += Number(labels[order[end++]]);
    }
    sum += (found - before) / positives * found / end;
    start = end;
  }
  return sum;
}

function checkPair(x: readonly number[], y: readonly number[]): void {
  checkWhole("values", x.length, 2);
  checkFinite("x", x);
  checkFinite("y", y);
  checkSameLength("y", y, "x", x);
  for (const [name, values] of [["x", x], ["y", y]] as const) {
    if (values.every((value) => value === values[0])) {
      throw new InputError(`${name}: a correlation needs two different values, found only one`);
    }
  }
}

/**
 * Spearman's rho: the correlation of mean ranks.
 * @throws {InputError} on lists of different lengths, or one without two different values.
 */
export function spearman(x: readonly number[], y: readonly number[]): number {
  checkPair(x, y);
  const centre = (x.length + 1) / 2;
  const [a, b] = [x, y].map((values) => meanRanks(values).map((rank) => rank - centre));
  const dot = (u: readonly number[], v: readonly number[]) =>
    u.reduce((sum, value, i) => sum + value * v[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/**
 * Kendall's tau-b: concordant less discordant pairs, corrected for ties.
 * @throws {InputError} on lists of different lengths, or one without two different values.
 */
export function kendallTauB(x: readonly number[], y: readonly number[]): number {
  checkPair(x, y);
  let [agreement, untiedX, untiedY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const [signX, signY] = [Math.sign(x[i] - x[j]), Math.sign(y[i] - y[j])];
      agreement += signX * signY;
      untiedX += signX ** 2;
      untiedY += signY ** 2;
    }
  }
  return agreement / Math.sqrt(untiedX * untiedY);
}
