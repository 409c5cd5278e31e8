/**
 * How far a programme has come, read off its audit file: the record of decisions is the state, so a run that is killed anywhere
 * goes on with the decision it had made, or makes the same one again.
 *
 * An attempt is one training of a stage from the last promoted policy; after a rollback the next one is called `NAME_retry1`.
 */
import type { GateConfig } from "../config/config.ts";
import type { CheckpointPlace } from "../run_folder.ts";
import { type CumulativeBound, cumulativeBound } from "../theory/degradation.ts";
import { clopperPearson } from "../theory/intervals.ts";
import type { AuditEntry } from "./audit.ts";
import { environments, type Impact, measuredImpacts } from "./environments.ts";
import type { GateAction, GateDecision, Vector } from "./gate.ts";
import type { Maturity } from "./maturity.ts";

/** The entry of a gate's decision. */
export interface GateEntry extends AuditEntry, GateDecision, CheckpointPlace, Maturity {
  /** Always so. */
  readonly event: "gate";
  /** Thresholds of the stage. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Rows of `metrics.jsonl` before the one of this decision. */
  readonly rows: number;
}

/** The entry of what was measured before the first gated stage: what a first regression is told by. */
export interface ReferenceEntry extends AuditEntry, CheckpointPlace, Maturity {
  /** Always so. */
  readonly event: "reference";
  /** Rows of `metrics.jsonl` before the one of this measurement. */
  readonly rows: number;
}

/** Whether an entry is a gate's decision. */
export function isGate(entry: AuditEntry): entry is GateEntry {
  return entry.event === "gate";
}

/** Whether an entry is the measurement before the first gated stage. */
export function isReference(entry: AuditEntry): entry is ReferenceEntry {
  return entry.event === "reference";
}

/** Name of an attempt at a stage: its own, or with `_retryN` after N rollbacks. */
export function attemptName(stage: string, rollbacks: number): string {
  return rollbacks === 0 ? stage : `${stage}_retry${rollbacks}`;
}

/** All names that attempts at a stage can have, in their order. */
export function attemptNames(
  stage: string,
  gate: Pick<GateConfig, "max_rollbacks"> | null,
): string[] {
  return Array.from({ length: 1 + (gate?.max_rollbacks ?? 0) }, (_, i) => attemptName(stage, i));
}

/** The newest attempt at a stage. */
export interface Attempt {
  /** Its name. */
  readonly name: string;
  /** Rollbacks of the stage so far. */
  readonly rollbacks: number;
  /** Portions granted. */
  readonly holds: number;
  /** Its evaluations, oldest first. */
  readonly entries: readonly GateEntry[];
  /** Its last decision; null: none yet. A rollback belongs to the attempt before. */
  readonly last: GateAction | null;
}

/** The newest attempt at a stage by a run's audit entries. */
export function attemptAt(entries: readonly AuditEntry[], stage: string): Attempt {
  const gates = entries.filter(isGate);
  let rollbacks = 0;
  for (;;) {
    const name = attemptName(stage, rollbacks);
    const own = gates.filter((entry) => entry.stage === name);
    const last = own.at(-1)?.action ?? null;
    if (last === "roll_back") {
      rollbacks++;
      continue;
    }
    const holds = own.filter(({ action }) => action === "hold").length;
    return { name, rollbacks, holds, entries: own, last };
  }
}

/** The maturity vector of the policy that was last promoted, or of the one before the first gate; null: nothing was measured. */
export function referenceOf(entries: readonly AuditEntry[]): Vector | null {
  const last = entries.findLast((entry) =>
    isReference(entry) || (isGate(entry) && entry.action === "promote")
  );
  return last ? (last as ReferenceEntry | GateEntry).metrics : null;
}

/** What a programme shows of INFANT Theorem 6.7 and Corollary 6.8. */
export interface DegradationReport {
  /** xi(s) at the introduction of each environment, measured on the policy of the promotion before. */
  readonly impacts: readonly (Impact & { readonly stage: string })[];
  /** Eq. 51 and 52 from the upper ends of all intervals. */
  readonly bound: CumulativeBound;
  /** V of the last promoted policy on each environment, the number that the bound speaks of. */
  readonly violations: Maturity["violations"];
  /** Its mean over the environments: V on the union with equal weights. */
  readonly truth: number;
}

/**
 * The measured xi(s) and the cumulative bound of a run, beside what came true. Each term's interval is taken at 5% divided by their number, so
 * that all hold together at 95%.
 *
 * V(theta_0) of Eq. 51 is read as the paper's last sentence does: after the training on the first environment.
 * @returns null until a stage was promoted.
 */
export function degradation(entries: readonly AuditEntry[]): DegradationReport | null {
  const promoted = entries.filter(isGate).filter(({ action }) => action === "promote");
  const last = promoted.at(-1);
  if (!last) return null;
  const terms = promoted.length;
  const impacts = promoted.slice(0, -1).flatMap(({ stage, violations }, s) => {
    const unlocked = environments().filter((e) => e.stage === s + 2).map(({ name }) => name);
    return measuredImpacts(violations, 1 - 0.05 / terms)
      .filter(({ to }) => unlocked.includes(to)).map((impact) => ({ ...impact, stage }));
  });
  const rates = Object.values(last.violations);
  const { k, n } = Object.values(promoted[0].violations)[0] ?? { k: 0, n: 0 };
  const initial = clopperPearson(k, n, 1 - 0.05 / terms).high;
  return {
    impacts,
    bound: cumulativeBound(initial, impacts.map(({ high }) => Math.max(0, high))),
    violations: last.violations,
    truth: rates.reduce((sum, { rate }) => sum + (rate ?? 0), 0) / Math.max(1, rates.length),
  };
}
