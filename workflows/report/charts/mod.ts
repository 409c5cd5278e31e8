/**
 * Charts as pure functions from data to a Vega-Lite specification; `show` displays one in a notebook, `toSvg` draws it.
 *
 * Every rate has its interval, every series a colour and a shape, and every chart says in `description` what it shows.
 *
 * @module
 */
export { lossChart, termNames, termsChart } from "./losses.ts";
export {
  type Ablation,
  ablationChart,
  examChart,
  familiesChart,
  type FamilyRates,
  type RateGroup,
  type RateRow,
  ratesChart,
  type RatesOptions,
} from "./rates.ts";
export { type Evaluation, maturityChart } from "./gates.ts";
export { boundsChart, chainOf, type ChainStep, waterfallChart } from "./certificate.ts";
export { frontierChart, type FrontierPoint, frontNames } from "./pareto.ts";
export { gapLaw, type GapSeries, nashGapChart } from "./games.ts";
export { type Trajectory, trajectoryChart } from "./trajectory.ts";
export { type Curve, curvesChart, type CurvesOptions } from "./curves.ts";
export {
  fisherChart,
  type FisherRow,
  fisherRows,
  forgettingChart,
  type ForgettingSeries,
} from "./memory.ts";
export { type Estimated, percentText, rateText } from "./parts.ts";
export { PALETTE, SHAPES } from "../palette.ts";
