/**
 * Where to measure next, so that a front is known with few runs.
 *
 * Settings are points of the unit cube. Two of them are neighbours when no third lies in the ball
 * between them (Gabriel & Sokal, 1969; on a line: when they are adjacent). The next setting is the
 * middle between two neighbours, and a rule says which two. All rules but `gap` are optimistic: where
 * both objectives change monotonically between two neighbours, nothing there exceeds the corner made
 * of the better value of each objective, so that corner bounds what can still be gained. A pair that
 * can gain nothing is never halved, and when no pair is left the search ends.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  checkDistribution,
  checkNonNegative,
  checkSameLength,
  checkSome,
  checkUnit,
} from "../theory/checks.ts";
import { checkPoints, front, type Objectives } from "./front.ts";
import { hypervolumeGain } from "./hypervolume.ts";

/** What was found at one setting. */
export interface MeasuredSetting {
  /** Where, each coordinate in [0, 1]. */
  readonly at: readonly number[];
  /** Values of the objectives, each to be maximised. */
  readonly objectives: Objectives;
}

/**
 * What is sought. `gap`: neighbours on the front that are far apart. `hypervolume`: where the volume
 * can grow most. The others: the best setting under one scalarisation, as in `scalarise.ts`.
 */
export type AdaptiveRule =
  | { readonly kind: "gap" }
  | { readonly kind: "hypervolume" }
  | { readonly kind: "weighted_sum"; readonly weights: readonly number[] }
  | {
    readonly kind: "tchebycheff";
    readonly weights: readonly number[];
    /** 1 in every objective by default. */
    readonly ideal?: Objectives;
    /** As in `tchebycheff`; 1e-3 by default. */
    readonly augmentation?: number;
  }
  | {
    readonly kind: "epsilon_constraint";
    /** Index of the objective to be maximised. */
    readonly objective: number;
    /** Smallest permitted value of each objective; the entry at `objective` is not used. */
    readonly floors: readonly number[];
  };

/** How near settings may come to each other. */
export interface AdaptiveOptions {
  /** Neighbours nearer than this in every coordinate are not halved; 0.01 by default. */
  readonly resolution?: number;
  /** Moves a setting to the nearest one that can be measured, e.g. of whole numbers. */
  readonly snap?: (at: readonly number[]) => number[];
}

/** Gains below this are rounding. */
const NOTHING = 1e-12;

/**
 * The next setting to measure, or null when the rule has nothing left to gain at this resolution.
 *
 * @example The far end of a gap is looked at first
 * ```ts
 * import { pareto } from "@infant/toolkit";
 *
 * const measured = [
 *   { at: [0], objectives: [0.9, 0.1] },
 *   { at: [0.5], objectives: [0.8, 0.2] },
 *   { at: [1], objectives: [0.1, 0.9] },
 * ];
 * console.log(pareto.nextSetting(measured, { kind: "gap" })); // [ 0.75 ]
 * ```
 * @throws {InputError} on no settings, or coordinates, objectives or weights that do not fit.
 */
export function nextSetting(
  measured: readonly MeasuredSetting[],
  rule: AdaptiveRule,
  { resolution = 0.01, snap = (at) => [...at] }: AdaptiveOptions = {},
): number[] | null {
  check(measured, rule, resolution);
  const gain = gainOf(measured.map(({ objectives }) => objectives), rule);
  const candidates = neighbours(measured.map(({ at }) => at)).flatMap(([a, b]) => {
    const [from, to] = [measured[a].at, measured[b].at];
    if (distance(from, to, "largest") <= resolution) return [];
    const at = snap(from.map((value, k) => (value + to[k]) / 2));
    const known = measured.some((one) => distance(one.at, at, "largest") < NOTHING);
    const worth = gain(a, b);
    return known || worth <= NOTHING ? [] : [{ at, worth, length: distance(from, to, "sum") }];
  });
  // Of equal worth, the pair whose middle is least known.
  candidates.sort((a, b) =>
    Math.abs(a.worth - b.worth) > NOTHING ? b.worth - a.worth : b.length - a.length
  );
  return candidates[0]?.at ?? null;
}

function check(
  measured: readonly MeasuredSetting[],
  rule: AdaptiveRule,
  resolution: number,
): void {
  checkSome("measured", measured);
  checkPoints("objectives", measured.map(({ objectives }) => objectives));
  measured.forEach(({ at }, i) => {
    checkSameLength(`measured[${i}].at`, at, "the first", measured[0].at);
    at.forEach((value, k) => checkUnit(`measured[${i}].at[${k}]`, value));
  });
  checkNonNegative("resolution", resolution);
  const [{ objectives }] = measured;
  if (objectives.length < 2) {
    throw new InputError(`a front needs at least two objectives, found ${objectives.length}`);
  }
  if (rule.kind === "epsilon_constraint") {
    checkSameLength("floors", rule.floors, "the objectives", objectives);
  } else if ("weights" in rule) {
    checkDistribution("weights", rule.weights);
    checkSameLength("weights", rule.weights, "the objectives", objectives);
  }
}

/** Squared length, or the largest difference of a coordinate. */
function distance(a: readonly number[], b: readonly number[], by: "sum" | "largest"): number {
  const moves = a.map((value, k) => Math.abs(value - b[k]));
  return by === "sum" ? moves.reduce((sum, move) => sum + move * move, 0) : Math.max(...moves);
}

/** Pairs without a third point in the ball that has them at its ends. */
function neighbours(points: readonly (readonly number[])[]): (readonly [number, number])[] {
  const squared = (a: number, b: number) => distance(points[a], points[b], "sum");
  return points.flatMap((_, a) =>
    points.slice(a + 1).flatMap((_, i) => {
      const b = a + 1 + i;
      const between = points.some((_, c) =>
        c !== a && c !== b && squared(a, c) + squared(c, b) <= squared(a, b)
      );
      return between ? [] : [[a, b] as const];
    })
  );
}

/** What can be gained between two measured settings. */
function gainOf(
  points: readonly Objectives[],
  rule: AdaptiveRule,
): (a: number, b: number) => number {
  if (rule.kind === "gap") return gapOf(points);
  const corner = (a: number, b: number) =>
    points[a].map((value, k) => Math.max(value, points[b][k]));
  if (rule.kind === "hypervolume") {
    const worst = points[0].map((_, k) => Math.min(...points.map((point) => point[k])));
    return (a, b) => hypervolumeGain(points, corner(a, b), worst);
  }
  const score = scoreOf(rule);
  const best = Math.max(...points.map(score));
  return (a, b) => {
    const most = score(corner(a, b));
    // Where nothing measured is feasible yet, any feasible corner is worth its value.
    return most === -Infinity ? 0 : best === -Infinity ? 1 + most : most - best;
  };
}

/** Distance between front points, each objective scaled to the front's extent. */
function gapOf(points: readonly Objectives[]): (a: number, b: number) => number {
  const optimal = new Set(front(points));
  const extent = points[0].map((_, k) => {
    const values = [...optimal].map((i) => points[i][k]);
    return Math.max(...values) - Math.min(...values) || 1;
  });
  return (a, b) =>
    optimal.has(a) && optimal.has(b)
      ? Math.hypot(...extent.map((width, k) => (points[a][k] - points[b][k]) / width))
      : 0;
}

type Scalarised = Exclude<AdaptiveRule, { kind: "gap" | "hypervolume" }>;

function scoreOf(rule: Scalarised): (point: Objectives) => number {
  switch (rule.kind) {
    case "weighted_sum":
      return (point) => point.reduce((sum, value, k) => sum + rule.weights[k] * value, 0);
    case "tchebycheff": {
      const { weights, augmentation = 1e-3, ideal = weights.map(() => 1) } = rule;
      return (point) => {
        const short = ideal.map((value, k) => value - point[k]);
        const sum = short.reduce((a, b) => a + b, 0);
        return -Math.max(...short.map((d, k) => weights[k] * d)) - augmentation * sum;
      };
    }
    case "epsilon_constraint":
      return (point) =>
        rule.floors.every((floor, k) => k === rule.objective || point[k] >= floor)
          ? point[rule.objective]
          : -Infinity;
  }
}
