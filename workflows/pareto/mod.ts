/**
 * The capability-safety trade-off (INFANT, section 7; SAAA, Eq. 24): fronts, scalarisations,
 * indicators, attainment across seeds, trade-off rates. Every objective is maximised.
 *
 * @example
 * ```ts
 * import { pareto } from "@infant/toolkit";
 *
 * const points = [[0.2, 0.9], [0.5, 0.6], [0.8, 0.5], [0.9, 0.1]]; // [capability, safety]
 * console.log(pareto.support(points)); // { supported: [ 0, 2, 3 ], unsupported: [ 1 ] }
 * console.log(pareto.tchebycheff(points, [0.5, 0.5])); // [ 1, 2 ]
 * ```
 *
 * @module
 */
export * from "./metrics.ts";
export {
  dominates,
  type Duplicates,
  front,
  frontPrinted,
  type Objectives,
  weaklyDominates,
} from "./front.ts";
export * from "./scalarise.ts";
export * from "./curve.ts";
export * from "./hypervolume.ts";
export * from "./indicators.ts";
export * from "./attainment.ts";
export * from "./tradeoff.ts";
export * from "./lambda_star.ts";
export * from "./adaptive.ts";
export type { Interval } from "../theory/intervals.ts";
