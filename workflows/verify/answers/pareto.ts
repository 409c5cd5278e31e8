/** Known answers on fronts, indicators and scalarisations (INFANT, section 7; SAAA, Eq. 24). */
import { z } from "zod";
import { tchebycheffOnCurve, weightedSumOnCurve } from "../../pareto/curve.ts";
import { front, frontPrinted } from "../../pareto/front.ts";
import { hypervolume } from "../../pareto/hypervolume.ts";
import { lambdaStar } from "../../pareto/lambda_star.ts";
import { capability } from "../../pareto/metrics.ts";
import { epsilonConstraint, support, tchebycheff, weightedSum } from "../../pareto/scalarise.ts";
import { rateOfWeight, tradeOffRate, weightOfRate } from "../../pareto/tradeoff.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

const points = { points: matrix };
const volume = solve(
  { ...points, reference: numbers },
  ({ points, reference }) => ({ hypervolume: hypervolume(points, reference) }),
);
const both = (w: number) => [w, 1 - w];

/** Kinds solved here. */
export const PARETO_KINDS: Kinds = {
  "infant.capability": solve(
    { weights: numbers, perf: numbers },
    ({ weights, perf }) => ({ C: capability(weights, perf) }),
  ),
  "infant.pareto-2d": solve(points, ({ points }) => ({
    front: front(points),
    frontDedup: front(points, "first"),
    eq54Literal: frontPrinted(points),
  })),
  "infant.pareto-3d": solve(points, ({ points }) => ({
    front: front(points),
    frontDedup: front(points, "first"),
  })),
  "infant.hypervolume-2d": volume,
  "infant.hypervolume-3d": volume,
  "infant.scalarisation-discrete": solve(
    { ...points, weights: numbers, epsilons: numbers },
    ({ points, weights, epsilons }) => ({
      weightedSum: weights.map((w) => weightedSum(points, both(w))),
      ...support(points),
      tchebycheff: weights.map((w) => tchebycheff(points, both(w))),
      epsilonConstraint: epsilons.map((floor) => epsilonConstraint(points, 0, [0, floor])),
    }),
  ),
  "infant.scalarisation-analytic": solve({ w: number }, ({ w }) => {
    const circle = (c: number) => Math.sqrt(1 - c * c);
    const parabola = (c: number) => (1 - Math.sqrt(c)) ** 2;
    return {
      circleWeightedSumC: weightedSumOnCurve(circle, w),
      circleTchebycheffC: tchebycheffOnCurve(circle, w),
      parabolaWeightedSumC: weightedSumOnCurve(parabola, w),
      parabolaTchebycheffC: tchebycheffOnCurve(parabola, w),
    };
  }),
  "infant.tradeoff-rate": solve({ a: numbers, b: numbers, w: number }, ({ a, b, w }) => {
    // C = 1 - |theta - a|^2 and S = 1 - |theta - b|^2: the weighted sum is largest between a and b.
    const theta = a.map((value, i) => w * value + (1 - w) * b[i]);
    const from = (centre: readonly number[]) => theta.map((value, i) => value - centre[i]);
    const quality = (centre: readonly number[]) => 1 - Math.hypot(...from(centre)) ** 2;
    const gradient = (centre: readonly number[]) => from(centre).map((value) => -2 * value);
    const direction = a.map((value, i) => value - b[i]);
    return {
      theta,
      C: quality(a),
      S: quality(b),
      dSdC: tradeOffRate(gradient(a), gradient(b), direction),
    };
  }),
  "infant.tradeoff-circle": solve({ t: number }, ({ t }) => {
    const [C, S] = [Math.sin(t), Math.cos(t)];
    const w = weightOfRate(tradeOffRate([S], [-C], [1]));
    return { C, S, w, dSdC: rateOfWeight(w) };
  }),
  "saaa.lambda-star": solve(
    { table: z.array(z.tuple([number, number, number])), sMin: number },
    ({ table, sMin }) => {
      const rows = table.map(([lambda, performance, safety]) => ({ lambda, performance, safety }));
      const { feasible, lambda, printed } = lambdaStar(rows, sMin);
      return { feasible, argmaxReading: lambda, argminReading: printed };
    },
  ),
};
