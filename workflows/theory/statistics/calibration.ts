/**
 * Calibration of predicted probabilities (Brier, 1950; Guo et al., 2017).
 */
import { checkDistribution, checkSameLength, checkSome, checkUnit, checkWhole } from "../checks.ts";

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  /** Predictions in it. */
  readonly count: number;
  /** Their mean; null in an empty bin. */
  readonly meanPrediction: number | null;
  /** Share of them that came true; null in an empty bin. */
  readonly positiveRate: number | null;
}

/** How well probabilities match what happened. */
export interface Calibration {
  /** Bins of equal width over [0, 1]; the last one contains 1. */
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: mean gap of the bins, weighted by their counts. */
  readonly ece: number;
  /** Largest gap of a bin that is not empty. */
  readonly mce: number;
  /** Mean squared error. */
  readonly brier: number;
}

/**
 * Calibration of binary predictions.
 * @param predictions probabilities of the outcome
 * @param outcomes whether each came true
 * @throws {InputError} on lists of different lengths or numbers outside [0, 1].
 */
export function calibration(
  predictions: readonly number[],
  outcomes: readonly boolean[],
  bins = 10,
): Calibration {
  checkSome("predictions", predictions);
  checkSameLength("outcomes", outcomes, "predictions", predictions);
  checkWhole("bins", bins, 1);
  const tallies = Array.from({ length: bins }, () => ({ count: 0, sum: 0, positive: 0 }));
  let brier = 0;
  predictions.forEach((p, i) => {
    checkUnit(`predictions[${i}]`, p);
    const tally = tallies[Math.min(bins - 1, Math.floor(p * bins))];
    tally.count++;
    tally.sum += p;
    tally.positive += Number(outcomes[i]);
    brier += (p - Number(outcomes[i])) ** 2 / predictions.length;
  });
  let [ece, mce] = [0, 0];
  for (const { count, sum, positive } of tallies) {
    if (count === 0) continue;
    const gap = Math.abs(sum - positive) / count;
    ece += gap * count / predictions.length;
    mce = Math.max(mce, gap);
  }
  const shown = tallies.map(({ count, sum, positive }) => ({
    count,
    meanPrediction: count === 0 ? null : sum / count,
    positiveRate: count === 0 ? null : positive / count,
  }));
  return { bins: shown, ece, mce, brier };
}

/** Scores of predictions over several classes. */
export interface MulticlassScores {
  /** Mean over items of the squared distance to the true class, in [0, 2]. */
  readonly brier: number;
  /** Mean -log probability of the true class, nats. */
  readonly nll: number;
}

/**
 * Brier score and negative log-likelihood of predictions over several classes.
 * @param labels index of the true class of each item
 * @throws {InputError} on anything that is no distribution, or a label that is no class.
 */
export function multiclassScores(
  predictions: readonly (readonly number[])[],
  labels: readonly number[],
): MulticlassScores {
  checkSome("predictions", predictions);
  checkSameLength("labels", labels, "predictions", predictions);
  let [brier, nll] = [0, 0];
  predictions.forEach((p, i) => {
    checkDistribution(`predictions[${i}]`, p);
    checkWhole(`labels[${i}]`, labels[i], 0);
    checkWhole(`classes beyond labels[${i}]`, p.length - labels[i], 1);
    brier += p.reduce((sum, value, k) => sum + (value - Number(k === labels[i])) ** 2, 0);
    nll -= Math.log(p[labels[i]]);
  });
  return { brier: brier / predictions.length, nll: nll / predictions.length };
}
