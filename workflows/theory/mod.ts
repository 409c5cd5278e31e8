/**
 * The results of INFANT as functions, by section: what holds is computed, what is printed wrongly
 * stands beside it and says so in its name (`...Printed`) or its documentation.
 *
 * - Sample complexity, Eq. 15, 16: `demonstrationsPrinted`, `demonstrationsSolved`,
 *   `generalisationGap`
 * - Preferences, Eq. 8, 17, 18: `preferenceLoss`, `implicitReward`, `regularisedOptimum`
 * - Games, Eq. 19-24: `bilinearGame`, `quadraticGame`, `matrixGame` and their `nashGap`;
 *   `gradientDescentAscent`, `extragradient`, `averagedGapBound`, `fitPowerLaw`; `solveMatrixGame`,
 *   `pureDuality`; `exploitability` for what has no rate; `worstKl`
 * - Safety bounds, Eq. 25-35: `safetyBounds`, `overTurns`
 * - PAC bound, Eq. 36-38: `pacBound`, `hoeffdingDeviation`, `hoeffdingSampleSize`
 * - Regret, Eq. 39-41: `regretBound`, `exponentialWeights`, `regret`
 * - Maturation, Eq. 42-52: `thresholdSchedule`, `gateOpen`, `activeEnvironments`, `firstStable`,
 *   `dropBound`, `mixtureViolation`, `cumulativeBound`
 * - Lemmas, Eq. 60-62: `klDivergence`, `klOfChain`, `softmaxFisher`, `maximumOf`,
 *   `maximumOverInterval`
 * - Objective, Eq. 6-14, 27: `totalLoss`, `imprintingLoss`, `imaginationLoss`, `capacitorLoss`,
 *   `capacitorPolicy`, `plasticityPenalty`
 *
 * Beside them: the formulas of SAAA that need no model, and the statistics that reports rest on.
 *
 * @module
 */
export * from "./sample_complexity.ts";
export * from "./preference.ts";
export {
  bilinearGame,
  type Game,
  matrixGame,
  type Point,
  projectToSimplex,
  quadraticGame,
} from "./games/game.ts";
export * from "./games/dynamics.ts";
export * from "./games/matrix_game.ts";
export * from "./games/exploitability.ts";
export * from "./games/power_law.ts";
export * from "./safety_bounds.ts";
export * from "./pac.ts";
export * from "./regret.ts";
export * from "./maturation.ts";
export * from "./degradation.ts";
export * from "./information.ts";
export * from "./fisher.ts";
export * from "./danskin.ts";
export * from "./objective.ts";
export * from "./capacitor.ts";
export * from "./learning_rates.ts";
export * from "./lipschitz.ts";
export * from "./safety_scores.ts";
export * from "./intervals.ts";
export * from "./statistics/distributions.ts";
export * from "./statistics/wilson.ts";
export * from "./statistics/bootstrap.ts";
export * from "./statistics/paired.ts";
export * from "./statistics/multiple_testing.ts";
export * from "./statistics/calibration.ts";
export * from "./statistics/ranking.ts";
export * from "./statistics/agreement.ts";
