/** Known answers on the formulas of SAAA that need no model. */
import { z } from "zod";
import { countEntropy, ensembleUncertainty } from "../../theory/information.ts";
import { rateAt, type RateFamily, robbinsMonro } from "../../theory/learning_rates.ts";
import { sigmoidSteepness, softmaxSteepness, spectralNorm } from "../../theory/lipschitz.ts";
import {
  blockParameters,
  estimateFailure,
  estimateSampleSize,
  safetyScore,
  syntheticReward,
} from "../../theory/safety_scores.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

/** Kinds solved here. */
export const SAAA_KINDS: Kinds = {
  "saaa.safety-score": solve(
    { scores: numbers, weights: numbers },
    ({ scores, weights }) => ({ safety: safetyScore(scores, weights) }),
  ),
  "saaa.synthetic-reward": solve(
    { coefficients: numbers, components: numbers },
    ({ coefficients, components }) => ({ ...syntheticReward(components, coefficients) }),
  ),
  "saaa.perspective-entropy": solve(
    { counts: numbers },
    ({ counts }) => ({ ...countEntropy(counts) }),
  ),
  "saaa.uncertainty": solve({ members: matrix }, ({ members }) => {
    const found = ensembleUncertainty(members);
    return {
      predictiveEntropy: found.predictive,
      expectedEntropy: found.expected,
      mutualInformation: found.mutualInformation,
      eq20Literal: found.eq20Printed,
      eq20Decomposed: found.expected + found.mutualInformation,
    };
  }),
  "saaa.safety-preservation": solve(
    { n: number, eps: numbers, rho: numbers },
    ({ n, eps, rho }) => ({ ...estimateFailure(n, eps, rho) }),
  ),
  "saaa.safety-preservation-n": solve(
    { K: number, eps: number, rho: number, delta: number },
    ({ K, eps, rho, delta }) => ({ n: estimateSampleSize(K, eps, rho, delta) }),
  ),
  "saaa.robbins-monro": solve(
    {
      family: z.enum(["power", "constant", "geometric"]),
      a: number,
      p: number.optional(),
      r: number.optional(),
    },
    ({ family, a, p = NaN, r = NaN }) => {
      const families: Record<RateFamily["family"], RateFamily> = {
        power: { family: "power", a, p },
        constant: { family: "constant", a },
        geometric: { family: "geometric", a, r },
      };
      const rates = families[family];
      const { sum, squareSum, ok } = robbinsMonro(rates);
      let partialSum1000 = 0;
      for (let t = 1; t <= 1000; t++) partialSum1000 += rateAt(rates, t);
      return {
        sumDiverges: sum === Infinity,
        squareSumConverges: squareSum < Infinity,
        ok,
        sum,
        squareSum,
        partialSum1000,
      };
    },
  ),
  "saaa.lipschitz-binary": solve({ v: numbers, x: numbers }, ({ v, x }) => {
    const { value, gradientNorm, certified } = sigmoidSteepness(v, x);
    return { p: value, gradientNorm, lipschitz: certified };
  }),
  "saaa.lipschitz-softmax": solve({ W: matrix, s: numbers, x: numbers }, ({ W, s, x }) => {
    const { value, gradient, gradientNorm, certified } = softmaxSteepness(W, s, x);
    return { value, gradient, gradientNorm, specNormW: spectralNorm(W), bound: certified };
  }),
  "saaa.table1-overall": solve({ values: numbers, printed: number }, ({ values, printed }) => {
    const equal = values.map(() => 1 / values.length);
    const mean = 100 * safetyScore(values.map((value) => value / 100), equal);
    const rounded = Math.floor(mean * 10 + 0.5 + 1e-9) / 10;
    return { mean, rounded, agrees: Math.abs(rounded - printed) < 1e-9 };
  }),
  "saaa.parameter-count": solve(
    { layers: number, width: number, stated: number },
    ({ layers, width, stated }) => {
      const count = blockParameters(layers, width);
      return { blockParameters: count, ratio: count / stated };
    },
  ),
};
