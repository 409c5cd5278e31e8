/**
 * The gate of maturation (INFANT, Eq. 42-44 and the N_stable rule of the proof of Theorem 6.7) as plain functions of numbers.
 */
import { InputError } from "../../kernels/errors.ts";

/** Comparisons allow this much, because 0.1 + 0.2 is not 0.3 in binary. */
export const GATE_SLACK = 1e-12;

/** Thresholds of all stages (INFANT Eq. 42). */
export interface ThresholdSchedule {
  /** Rise of each threshold from one stage to the next; all 0 when there is one stage. */
  readonly delta: readonly number[];
  /** Thresholds of each metric, a row for each stage. */
  readonly schedule: readonly (readonly number[])[];
  /** Metrics whose threshold falls: for them a later stage may open before an earlier one. */
  readonly falling: readonly number[];
}

/**
 * tau(s) = tau(1) + (s - 1) Delta with Delta = (tau(S) - tau(1)) / (S - 1), INFANT Eq. 42; the last row is `last` exactly.
 *
 * With one stage the printed quotient is 0 / 0; its only row is then `last`, and `first` must be the same.
 * @param first Thresholds of stage 1, each in [0, 1].
 * @param last Thresholds of stage S.
 * @param stages Number of stages S, at least 1.
 * @throws {InputError} on thresholds outside [0, 1] or of different number, and when one stage has two rows of thresholds.
 */
export function thresholdSchedule(
  first: readonly number[],
  last: readonly number[],
  stages: number,
): ThresholdSchedule {
  if (!Number.isSafeInteger(stages) || stages < 1) {
    throw new InputError(
      `threshold schedule: expected a whole number of stages from 1, found ${stages}`,
    );
  }
  if (first.length !== last.length) {
    throw new InputError(
      `threshold schedule: ${first.length} first thresholds, but ${last.length} last ones`,
    );
  }
  const odd = [...first, ...last].find((tau) => !(tau >= 0 && tau <= 1));
  if (odd !== undefined) {
    throw new InputError(`threshold schedule: thresholds lie in [0, 1], found ${odd}`);
  }
  if (stages === 1 && first.some((tau, j) => tau !== last[j])) {
    throw new InputError(
      `threshold schedule: one stage has one row of thresholds, found two different ones`,
    );
  }
  const delta = first.map((tau, j) => stages === 1 ? 0 : (last[j] - tau) / (stages - 1));
  const schedule = Array.from(
    { length: stages },
    (_, s) => s === stages - 1 ? [...last] : first.map((tau, j) => tau + s * delta[j]),
  );
  return { delta, schedule, falling: delta.flatMap((rise, j) => rise < 0 ? [j] : []) };
}

/**
 * The gate g(s), INFANT Eq. 43: whether every metric reaches its threshold. A metric that is NaN reaches none.
 * @throws {InputError} when there are not as many metrics as thresholds.
 */
export function gateOpen(
  metrics: readonly number[],
  thresholds: readonly number[],
  slack: number = GATE_SLACK,
): boolean {
  if (metrics.length !== thresholds.length) {
    throw new InputError(`gate: ${metrics.length} metrics, but ${thresholds.length} thresholds`);
  }
  return metrics.every((m, j) => m >= thresholds[j] - slack);
}

/**
 * The active environment, INFANT Eq. 44: the union over all unlocked stages, sorted. Stages need not be nested when a
 * threshold falls, so a later one may be in without an earlier one.
 */
export function activeEnvironments(
  metrics: readonly number[],
  schedule: readonly (readonly number[])[],
  environments: readonly (readonly string[])[],
): { readonly gates: readonly boolean[]; readonly active: readonly string[] } {
  if (schedule.length !== environments.length) {
    throw new InputError(
      `active environments: ${schedule.length} stages, but ${environments.length} environments`,
    );
  }
  const gates = schedule.map((thresholds) => gateOpen(metrics, thresholds));
  const active = new Set(environments.filter((_, s) => gates[s]).flat());
  return { gates, active: [...active].sort() };
}

/** How "maintained for N_stable steps" is read: always at the threshold, or no further below it than a tolerance. */
export type StableReading = "strict" | "tolerant";

/** The N_stable rule of the proof of INFANT Theorem 6.7. */
export interface StableRule {
  /** Consecutive evaluations, at least 1. */
  readonly nStable: number;
  /** How far a metric may fall below its threshold in the tolerant reading; the paper's Eq. 48 has 0.05. */
  readonly tolerance: number;
  /** Strict: every evaluation reaches the thresholds. Tolerant: the first does, the others come within the tolerance. */
  readonly reading: StableReading;
}

/**
 * Length of the run of evaluations that the series ends with, by the N_stable rule; 0 when the last evaluation is not in one.
 * A tolerant run begins where the thresholds are reached and breaks where one is missed by more than the tolerance.
 * @param series A maturity vector for each evaluation, oldest first.
 */
export function stableRun(
  series: readonly (readonly number[])[],
  thresholds: readonly number[],
  { tolerance, reading }: Omit<StableRule, "nStable">,
): number {
  let run = 0;
  for (const metrics of series) {
    const reached = gateOpen(metrics, thresholds);
    const near = reading === "tolerant" && run > 0 &&
      gateOpen(metrics, thresholds.map((tau) => tau - tolerance));
    run = reached || near ? run + 1 : 0;
  }
  return run;
}

/**
 * First evaluation (from 0) at which thresholds have been maintained for N_stable evaluations; null when there is none.
 * @throws {InputError} unless nStable is whole and at least 1 and tolerance at least 0.
 */
export function firstStable(
  series: readonly (readonly number[])[],
  thresholds: readonly number[],
  rule: StableRule,
): number | null {
  const { nStable, tolerance } = rule;
  if (!Number.isSafeInteger(nStable) || nStable < 1 || !(tolerance >= 0)) {
    throw new InputError(
      `N_stable rule: expected a whole nStable from 1 and a tolerance from 0, found ${nStable} and ${tolerance}`,
    );
  }
  const at = series.findIndex((_, t) =>
    stableRun(series.slice(0, t + 1), thresholds, rule) >= nStable
  );
  return at < 0 ? null : at;
}
