/**
 * What follows from a run's record: its stages with their attempts, the policies to compare, time and tokens.
 */
import type { Headline } from "../evaluate/nursery_exam.ts";
import { type GateEntry, isGate, isReference } from "../stages/programme.ts";
import type { Evaluation } from "./charts/gates.ts";
import type { CheckpointRecord, RunData, Settings } from "./run_data.ts";

/** A stage of the configuration and what became of it. */
export interface StageFacts {
  /** Its name. */
  readonly name: string;
  /** Its settings; empty where the configuration is missing. */
  readonly settings: Settings;
  /** Names of its attempts that left a trace, in order. */
  readonly attempts: readonly string[];
  /** The last checkpoint of its last attempt. */
  readonly checkpoint: CheckpointRecord | null;
  /** Decisions of its gate. */
  readonly gates: readonly GateEntry[];
  /** Exam after it, as the run's `scores.json` has it. */
  readonly exam: { readonly name: string; readonly headline: Headline } | null;
}

/** Each stage of a run, in order. */
export function stagesOf(run: RunData): StageFacts[] {
  const named = listOf(run.config?.stages).map((settings) => settings as Settings);
  const traces = [...new Set(run.metrics.map(({ stage }) => stage))];
  const stages = named.length > 0 ? named : traces.filter((name) => !/_retry\d+$/.test(name))
    .map((name): Settings => ({ name }));
  return stages.map((settings) => {
    const name = String(settings.name);
    const isOurs = (attempt: string) => attempt.replace(/_retry\d+$/, "") === name;
    const attempts = traces.filter(isOurs);
    const examined = Object.entries(run.scores).findLast(([policy]) => isOurs(policy));
    return {
      name,
      settings,
      attempts,
      checkpoint: run.checkpoints.findLast(({ stage }) => stage === attempts.at(-1)) ?? null,
      gates: (run.audit?.entries ?? []).filter(isGate).filter(({ stage }) => isOurs(stage)),
      exam: examined ? { name: examined[0], headline: examined[1] } : null,
    };
  });
}

/** The evaluations of a run's gates, with the measurement before the first. */
export function evaluationsOf(run: RunData): Evaluation[] {
  return (run.audit?.entries ?? []).filter((one): one is Evaluation =>
    isGate(one) || isReference(one)
  );
}

/** The policies that a report compares: the helpful one before safety training, and the last one. */
export interface BeforeAfter {
  /** Name of the policy after the last stage of language modelling, or else of the first examined. */
  readonly before: string;
  /** Name of the last one that was examined. */
  readonly after: string;
}

/**
 * Before and after by the names in `names`, which are in the order of training; null with fewer than two, or when no stage after
 * language modelling was examined.
 */
export function beforeAfter(run: RunData, names: readonly string[]): BeforeAfter | null {
  if (names.length < 2) return null;
  const raw = listOf(run.config?.stages).map((one) => one as Settings)
    .filter(({ kind }) => kind === "language_modelling").map(({ name }) => String(name));
  const after = names[names.length - 1];
  if (raw.includes(after)) return null;
  const before = names.findLast((name) => raw.includes(name) && name !== after) ?? names[0];
  return { before, after };
}

/** Whether the run came to its end: its last decision says so; older runs without one are taken as ended. */
export function outcomeOf(run: RunData): string | null {
  const end = run.audit?.entries.findLast(({ event }) => event === "end");
  if (end) return String(end.outcome);
  return run.audit === null && Object.keys(run.scores).length > 1 ? "finished" : null;
}

/** Tokens trained in the whole run, retries included. */
export function tokensOf(run: RunData): number {
  const byStage = new Map<string, number>();
  for (const { stage, num_tokens } of run.metrics) {
    if (typeof num_tokens === "number") byStage.set(stage, num_tokens);
  }
  return [...byStage.values()].reduce((sum, tokens) => sum + tokens, 0);
}

/** Seconds of all sessions; null where no event file tells. */
export function secondsOf(run: RunData): number | null {
  if (run.sessions.length === 0) return null;
  return run.sessions.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** A list, or none where there is something else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Every setting by its dotted path, lists by the names of their entries. */
export function flatSettings(value: unknown, path = ""): [path: string, value: string][] {
  if (Array.isArray(value) && value.every((one) => typeof one === "object" && one?.name)) {
    return value.flatMap((one) => flatSettings(one, join(path, String(one.name))));
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, one]) => flatSettings(one, join(path, key)));
  }
  return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
}

const join = (path: string, key: string): string => path === "" ? key : `${path}.${key}`;
