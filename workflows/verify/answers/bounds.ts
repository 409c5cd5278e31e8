/** Known answers on intervals, sample sizes, bounds, maturation and regret (INFANT, 4-6). */
import { z } from "zod";
import {
  cumulativeBound,
  dropBound,
  mixtureViolation,
  probabilityOfDrop,
} from "../../theory/degradation.ts";
import {
  clopperPearson,
  clopperPearsonLower,
  clopperPearsonUpper,
} from "../../theory/intervals.ts";
import { activeEnvironments, firstStable, thresholdSchedule } from "../../theory/maturation.ts";
import { hoeffdingSampleSize, pacBound } from "../../theory/pac.ts";
import { exponentialWeights, regretBound } from "../../theory/regret.ts";
import { safetyBounds } from "../../theory/safety_bounds.ts";
import {
  demonstrationsPrinted,
  demonstrationsSolved,
  generalisationGap,
} from "../../theory/sample_complexity.ts";
import { intervalCoverage, wilson } from "../../theory/statistics/wilson.ts";
import { type Kinds, matrix, number, numbers, solve } from "./solve.ts";

const clamp = (value: number) => Math.min(1, value);

/** Kinds solved here. */
export const BOUND_KINDS: Kinds = {
  "infant.binomial-interval": solve({ k: number, n: number, conf: number }, ({ k, n, conf }) => {
    const { low, high } = clopperPearson(k, n, conf);
    const score = wilson(k, n, conf);
    return {
      phat: k / n,
      cpLower: low,
      cpUpper: high,
      cpUpperOneSided: clopperPearsonUpper(k, n, conf),
      cpLowerOneSided: clopperPearsonLower(k, n, conf),
      wilsonLower: score.low,
      wilsonUpper: score.high,
    };
  }),
  "infant.interval-coverage": solve(
    { n: number, p: number, conf: number },
    ({ n, p, conf }) => ({
      clopperPearson: intervalCoverage(n, p, conf, clopperPearson),
      wilson: intervalCoverage(n, p, conf, wilson),
    }),
  ),
  "infant.vc-bound": solve(
    { epsM: number, epsPi: number, gammaCov: number, pUnsafe: number },
    (rates) => {
      const { exact, exactWithPatterns, eq28, eq33, eq34 } = safetyBounds(rates);
      return {
        eq28,
        eq33,
        eq34,
        eq28Clamped: clamp(eq28),
        eq33Clamped: clamp(eq33),
        eq34Clamped: clamp(eq34),
        exactNoPattern: exact,
        exactWithPattern: exactWithPatterns,
      };
    },
  ),
  "infant.pac-bound": solve(
    {
      falseNegatives: number,
      N: number,
      delta: number,
      epsPi: number,
      gammaCov: number,
      pUnsafe: number,
    },
    ({ N, delta, ...rates }) => {
      const bound = pacBound({ ...rates, unsafeExamples: N, failure: delta });
      return {
        epsHat: bound.epsHat,
        tTheorem: bound.deviation36,
        tProof: bound.deviation38,
        bound36: bound.eq36,
        bound38: bound.eq38,
        boundClopperPearson: bound.clopperPearson,
      };
    },
  ),
  "infant.pac-sample-size": solve({ t: number, delta: number }, ({ t, delta }) => ({
    oneSided: hoeffdingSampleSize(t, delta, "one-sided"),
    twoSided: hoeffdingSampleSize(t, delta, "two-sided"),
  })),
  "infant.vi-sample-complexity": solve(
    { c: number, d: number, B: number, delta: number, epsilon: number },
    ({ c, d, B, delta, epsilon }) => {
      const real = demonstrationsPrinted({
        dimension: d,
        logBound: B,
        failure: delta,
        accuracy: epsilon,
        constant: c,
      });
      return { real, ceil: Math.ceil(real) };
    },
  ),
  "infant.generalisation-gap": solve(
    { d: number, N: number, delta: number },
    ({ d, N, delta }) => ({ gap: generalisationGap(d, N, delta) }),
  ),
  "infant.gap-sample-size": solve(
    { d: number, delta: number, epsilon: number },
    ({ d, delta, epsilon }) => ({ N: demonstrationsSolved(d, delta, epsilon) }),
  ),
  "infant.stage-thresholds": solve({ tau1: numbers, tauS: numbers, S: number }, (inputs) => {
    const { delta, schedule } = thresholdSchedule(inputs.tau1, inputs.tauS, inputs.S);
    return { delta, schedule };
  }),
  "infant.gating": solve(
    {
      tau1: numbers,
      tauS: numbers,
      S: number,
      m: numbers,
      environments: z.array(z.array(z.string())),
    },
    ({ tau1, tauS, S, m, environments }) => {
      const { schedule } = thresholdSchedule(tau1, tauS, S);
      const { gates, active } = activeEnvironments(m, schedule, environments);
      return { g: gates.map(Number), active };
    },
  ),
  "infant.n-stable": solve(
    { tau: numbers, nStable: number, tolerance: number, series: matrix },
    ({ tau, series, ...rule }) => ({
      strict: firstStable(series, tau, { ...rule, reading: "strict" }),
      tolerant: firstStable(series, tau, { ...rule, reading: "tolerant" }),
    }),
  ),
  "infant.n-stable-bound": solve(
    { xi: numbers, nStable: number, tolerance: number },
    ({ xi, nStable, tolerance }) => ({ ...dropBound(xi, nStable, tolerance) }),
  ),
  "infant.n-stable-counterexample": solve(
    { up: number, down: number, pUp: number, nStable: number, tolerance: number },
    ({ nStable, tolerance, ...walk }) => {
      const expectedChange = walk.pUp * walk.up - (1 - walk.pUp) * walk.down;
      // What Assumption 6.5 asks of xi: at least the expected fall, here rounding error.
      const xi = Math.max(0, -expectedChange);
      return {
        expectedChange,
        eq48RightSide: dropBound([xi], nStable, tolerance).union,
        trueProbability: probabilityOfDrop(walk, nStable, tolerance),
      };
    },
  ),
  "infant.eq49-mixture": solve({ v1: number, v2: number, w1: number }, ({ v1, v2, w1 }) => {
    const { mixture, printed, printedIsUpperBound } = mixtureViolation(v1, v2, w1);
    return { mixture, eq49: printed, eq49IsUpperBound: printedIsUpperBound };
  }),
  "infant.cumulative-bound": solve(
    { v0: number, xi: numbers },
    ({ v0, xi }) => ({ ...cumulativeBound(v0, xi) }),
  ),
  "infant.regret-bound": solve(
    { actions: number, T: number, G: number, eta: number },
    ({ actions, T, G, eta }) => {
      const { bound, bestRate, bestBound } = regretBound(actions, T, G, eta);
      return { bound, etaOptimal: bestRate, boundOptimal: bestBound };
    },
  ),
  "infant.hedge": solve({ eta: number, losses: matrix }, ({ eta, losses }) => {
    const { learnerLoss, bestFixed, regret, finalDistribution, bound } = exponentialWeights(
      losses,
      eta,
    );
    return { learnerLoss, bestFixed, regret, finalDistribution, bound };
  }),
};
