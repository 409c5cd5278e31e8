/**
 * The maturation gate: promote, hold or roll back (INFANT section 6.1), as a function of what was measured.
 *
 * Gate s stands at the end of stage s, as in the proof of Theorem 6.7: thresholds tau(s), maintained for N_stable evaluations,
 * unlock stage s + 1 and its environment. (Definition 6.3 reads as if they unlocked stage s itself, which could then never begin.)
 * The paper has no rollback: here a stage is undone when a metric fell, by more than a tolerance and by more than chance, below what
 * it was when training was last promoted.
 */
import { InputError } from "../../kernels/errors.ts";
import type { GateConfig } from "../config/config.ts";
import type { Rate } from "../nursery/score.ts";
import { gateOpen, stableRun, thresholdSchedule } from "../theory/maturation.ts";
import { rateDifference } from "./rates.ts";

/** What a gate does. */
export type GateAction =
  /** The stage is not at its end; this evaluation counts towards N_stable. */
  | "wait"
  /** All thresholds were maintained: the next stage begins. */
  | "promote"
  /** Not mature: the stage is trained for another portion. */
  | "hold"
  /** A metric regressed: back to the policy of the last promotion, and the stage again at a lower learning rate. */
  | "roll_back"
  /** Holds or rollbacks are used up: the programme ends with the policy of the last promotion. */
  | "stop";

/** A maturity vector by the names of its metrics. */
export type Vector = Readonly<Record<string, Rate>>;

/** What a gate knows when it decides. */
export interface GateState {
  /** The metrics of the policy that was last promoted. */
  readonly reference: Vector;
  /** The evaluations of this attempt at the stage, oldest first, the newest included. */
  readonly evaluations: readonly Vector[];
  /** Whether the stage has trained for its length, and all portions granted since. */
  readonly atEnd: boolean;
  /** Portions granted in this attempt. */
  readonly holds: number;
  /** Rollbacks of this stage so far. */
  readonly rollbacks: number;
}

/** A metric that fell. */
export interface Regression {
  /** Name of the metric. */
  readonly metric: string;
  /** The fall, above 0. */
  readonly drop: number;
  /** The fall is at least this, at 95%. */
  readonly atLeast: number;
}

/** A decision with all that led to it. */
export interface GateDecision {
  /** What to do. */
  readonly action: GateAction;
  /** Why, in words. */
  readonly reason: string;
  /** Metrics below their thresholds in the newest evaluation. */
  readonly missed: readonly string[];
  /** Metrics that fell beyond tolerance and chance since the last promotion. */
  readonly regressions: readonly Regression[];
  /** Evaluations in a row, the newest included, for which the thresholds are maintained. */
  readonly run: number;
}

/** Thresholds of a programme (INFANT Eq. 42) by the names of the metrics. */
export interface GateThresholds {
  /** Thresholds of each gated stage. */
  readonly stages: readonly Readonly<Record<string, number>>[];
  /** Metrics whose threshold falls from stage to stage, so that stages are not nested. */
  readonly falling: readonly string[];
}

/**
 * The threshold schedule of a configuration over `stages` gated stages. With one stage it has the last thresholds. Before the stage
 * that `since` names for a metric its threshold is 0, since what no environment has shown cannot be asked: the paper's schedule asks
 * for all metrics from the first stage on.
 * @throws {InputError} when `first` and `last` name different metrics, or `since` others.
 */
export function gateThresholds(
  { first, last, since = {} }:
    & Pick<GateConfig, "first" | "last">
    & Partial<Pick<GateConfig, "since">>,
  stages: number,
): GateThresholds {
  const names = Object.keys(last);
  const odd = Object.keys(first).find((name) => !(name in last)) ??
    names.find((name) => !(name in first));
  if (odd !== undefined) {
    throw new InputError(
      `gate: first and last must name the same metrics, "${odd}" is in one only`,
    );
  }
  const unknown = Object.keys(since).find((name) => !(name in last));
  if (unknown !== undefined) {
    throw new InputError(`gate: since names "${unknown}", which has no threshold`);
  }
  const rows = (of: Readonly<Record<string, number>>) => names.map((name) => of[name]);
  const { schedule, falling } = thresholdSchedule(
    rows(stages === 1 ? last : first),
    rows(last),
    stages,
  );
  return {
    stages: schedule.map((row, s) =>
      Object.fromEntries(row.map((tau, j) => [names[j], s + 1 < (since[names[j]] ?? 1) ? 0 : tau]))
    ),
    falling: falling.map((j) => names[j]),
  };
}

/** Whether a gate evaluates after `done` steps of a stage of `steps` steps, and after every portion that was granted. */
export function gateDue(
  done: number,
  steps: number,
  { n_stable, every }: Pick<GateConfig, "n_stable" | "every">,
): boolean {
  return done > 0 && done >= steps - (n_stable - 1) * every && (done - steps) % every === 0;
}

/**
 * Decides. In this order: a regression is rolled back; thresholds that were maintained promote; a stage that is not at its end
 * goes on; a portion is granted; or the programme stops.
 * @throws {InputError} when there is no evaluation, or one lacks a metric.
 */
export function decideGate(
  state: GateState,
  thresholds: Readonly<Record<string, number>>,
  gate: GateConfig,
): GateDecision {
  const now = state.evaluations.at(-1);
  if (!now) throw new InputError("gate: there is no evaluation to decide on");
  const { values, taus } = vectors(state, thresholds, gate);
  const missed = Object.keys(thresholds).filter((_, j) =>
    !gateOpen([values.at(-1)![j]], [taus[j]])
  );
  const { reading, tolerance, n_stable } = gate;
  const run = stableRun(values, taus, { reading, tolerance });
  const regressions = regressionsOf(state.reference, now, thresholds, gate.regression_tolerance);
  const facts = { missed, regressions, run };
  if (regressions.length > 0) {
    const words = regressions.map(({ metric, drop, atLeast }) =>
      `${metric} fell by ${share(drop)} to ${share(now[metric].rate!)} (at least ${
        share(atLeast)
      }, ` +
      `tolerance ${share(gate.regression_tolerance)})`
    ).join(", ");
    return state.rollbacks < gate.max_rollbacks
      ? { action: "roll_back", reason: `since the last promotion ${words}`, ...facts }
      : {
        action: "stop",
        reason: `since the last promotion ${words}; ${state.rollbacks} rollbacks are used up`,
        ...facts,
      };
  }
  if (state.atEnd && run >= n_stable) {
    const many = n_stable === 1 ? "" : ` for ${n_stable} evaluations (${reading})`;
    return {
      action: "promote",
      reason: `all thresholds are reached${many}: ${listed(now, thresholds)}`,
      ...facts,
    };
  }
  const why = missed.length > 0
    ? `below threshold: ${
      missed.map((name) => against(name, now[name], thresholds[name])).join(", ")
    }`
    : `thresholds are reached for ${run} of ${n_stable} evaluations`;
  if (!state.atEnd) return { action: "wait", reason: why, ...facts };
  if (state.holds < gate.max_holds) {
    return {
      action: "hold",
      reason: `${why}; portion ${state.holds + 1} of ${gate.max_holds}`,
      ...facts,
    };
  }
  return { action: "stop", reason: `${why}; ${state.holds} portions are used up`, ...facts };
}

/** Numbers in the order of the thresholds. */
function vectors(
  { evaluations }: GateState,
  thresholds: Readonly<Record<string, number>>,
  { compare }: Pick<GateConfig, "compare">,
): { values: number[][]; taus: number[] } {
  const names = Object.keys(thresholds);
  const values = evaluations.map((vector) =>
    names.map((name) => {
      const measured = vector[name];
      if (!measured) throw new InputError(`gate: metric "${name}" was not measured`);
      return compare === "low" ? measured.low : measured.rate ?? NaN;
    })
  );
  return { values, taus: names.map((name) => thresholds[name]) };
}

/** Metrics that fell by more than the tolerance with 95% confidence; those that the reference lacks are left out. */
function regressionsOf(
  reference: Vector,
  now: Vector,
  thresholds: Readonly<Record<string, number>>,
  tolerance: number,
): Regression[] {
  return Object.keys(thresholds).filter((name) => name in reference).flatMap((metric) => {
    const { difference, high } = rateDifference(reference[metric], now[metric]);
    return -high > tolerance ? [{ metric, drop: -difference, atLeast: -high }] : [];
  });
}

const share = (value: number): string => value.toFixed(3);

function against(name: string, { rate, low, high }: Rate, tau: number): string {
  return `${name} ${share(rate ?? NaN)} [${share(low)}, ${share(high)}] < ${share(tau)}`;
}

function listed(now: Vector, thresholds: Readonly<Record<string, number>>): string {
  return Object.entries(thresholds)
    .map(([name, tau]) => `${name} ${share(now[name].rate ?? NaN)} >= ${share(tau)}`).join(", ");
}
