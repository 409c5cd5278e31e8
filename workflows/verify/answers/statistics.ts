/** Known answers on tests, calibration, ranking and agreement. */
import { z } from "zod";
import { cohenKappa, krippendorffAlpha } from "../../theory/statistics/agreement.ts";
import {
  bootstrapRate,
  enumeratedBootstrap,
  mean,
  median,
} from "../../theory/statistics/bootstrap.ts";
import { calibration, multiclassScores } from "../../theory/statistics/calibration.ts";
import { benjaminiHochberg, holm } from "../../theory/statistics/multiple_testing.ts";
import { mcNemar, signTest } from "../../theory/statistics/paired.ts";
import { auroc, averagePrecision, kendallTauB, spearman } from "../../theory/statistics/ranking.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

const flags = z.array(z.union([z.literal(0), z.literal(1)]).transform((flag) => flag === 1));

/** Kinds solved here. */
export const STATISTICS_KINDS: Kinds = {
  "stat.bootstrap-binary": solve({ k: number, n: number, conf: number }, ({ k, n, conf }) => {
    const { low, high, standardError } = bootstrapRate(k, n, conf);
    return { lower: low, upper: high, stdErr: standardError };
  }),
  "stat.bootstrap-exact": solve({ sample: numbers, conf: number }, ({ sample, conf }) => {
    const { resamples, low, high, standardError } = enumeratedBootstrap(sample, mean, conf);
    const medianMean = enumeratedBootstrap(sample, median, conf).mean;
    return { resamples, lower: low, upper: high, stdErr: standardError, medianMean };
  }),
  "stat.mcnemar": solve({ b: number, c: number }, ({ b, c }) => ({ ...mcNemar(b, c) })),
  "stat.sign-test": solve(
    { differences: numbers },
    ({ differences }) => ({ ...signTest(differences) }),
  ),
  "stat.multiple-testing": solve({ p: numbers }, ({ p }) => ({
    holm: holm(p),
    benjaminiHochberg: benjaminiHochberg(p),
  })),
  "stat.ece": solve({ p: numbers, y: flags, bins: number }, ({ p, y, bins }) => {
    const found = calibration(p, y, bins);
    return {
      bins: found.bins.map((bin) => [bin.count, bin.meanPrediction, bin.positiveRate]),
      ece: found.ece,
      mce: found.mce,
      brier: found.brier,
    };
  }),
  "stat.brier-multiclass": solve(
    { p: matrix, y: numbers },
    ({ p, y }) => ({ ...multiclassScores(p, y) }),
  ),
  "stat.auc": solve({ scores: numbers, labels: flags }, ({ scores, labels }) => ({
    auroc: auroc(scores, labels),
    averagePrecision: averagePrecision(scores, labels),
  })),
  "stat.cohen-kappa": solve({ table: matrix }, ({ table }) => ({ kappa: cohenKappa(table) })),
  "stat.krippendorff": solve(
    { ratings: z.array(z.array(number.nullable())) },
    ({ ratings }) => ({
      nominal: krippendorffAlpha(ratings, "nominal"),
      ordinal: krippendorffAlpha(ratings, "ordinal"),
      interval: krippendorffAlpha(ratings, "interval"),
    }),
  ),
  "stat.rank-correlation": solve({ x: numbers, y: numbers }, ({ x, y }) => ({
    spearman: spearman(x, y),
    kendallTauB: kendallTauB(x, y),
  })),
};
