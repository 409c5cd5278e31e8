/**
 * Fronts across seeds: the empirical attainment function (Grunert da Fonseca et al., 2001).
 *
 * Averaging fronts point by point has no meaning. What can be estimated is the probability that a
 * run attains a goal, that is, finds a point at least as good in every objective.
 */
import { checkInside, checkSome } from "../theory/checks.ts";
import { clopperPearson, type Interval } from "../theory/intervals.ts";
import { checkPlane, checkPoints, front, type Objectives, weaklyDominates } from "./front.ts";

/** How often runs attain a goal. */
export interface Attainment {
  /** Runs that attain it. */
  readonly attained: number;
  /** Runs in all. */
  readonly runs: number;
  /** Their share. */
  readonly rate: number;
  /** Exact interval of the probability. */
  readonly interval: Interval;
}

/**
 * Share of runs with a point at least as good as the goal in every objective.
 * @param runs the points of each run, one run a seed
 * @throws {InputError} on no runs, or a bad confidence.
 */
export function attainment(
  runs: readonly (readonly Objectives[])[],
  goal: Objectives,
  confidence = 0.95,
): Attainment {
  checkSome("runs", runs);
  runs.forEach((points, r) => checkPoints(`runs[${r}]`, [...points, goal]));
  const attained = runs.filter((points) => points.some((p) => weaklyDominates(p, goal))).length;
  return {
    attained,
    runs: runs.length,
    rate: attained / runs.length,
    interval: clopperPearson(attained, runs.length, confidence),
  };
}

/**
 * Attainment surface: the front of the goals (C, S) that at least a share `level` of runs attains.
 * Level 0.5 is the median front; a level near 0 the best, near 1 what nearly every run reaches.
 * @param level in (0, 1)
 * @returns points by rising C; none when too few runs found anything.
 * @throws {InputError} on no runs, a bad level, or points that are no pairs.
 */
export function attainmentSurface(
  runs: readonly (readonly Objectives[])[],
  level: number,
): Objectives[] {
  checkSome("runs", runs);
  checkInside("level", level);
  runs.forEach((points, r) => checkPlane(`runs[${r}]`, points));
  const needed = Math.ceil(level * runs.length - 1e-9);
  const capabilities = new Set(runs.flat().map(([c]) => c));
  const goals = [...capabilities].sort((a, b) => a - b).flatMap((capability) => {
    // The best safety of each run at this capability or more; `needed` runs attain that rank.
    const safeties = runs.map((points) =>
      points.reduce((most, [c, s]) => c >= capability ? Math.max(most, s) : most, -Infinity)
    );
    const attained = safeties.sort((a, b) => b - a)[needed - 1];
    return attained === -Infinity ? [] : [[capability, attained]];
  });
  return front(goals, "first").map((i) => goals[i]);
}
