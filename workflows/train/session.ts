/**
 * What lives as long as a run, and what lives as long as one attempt at a stage.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { recordExam } from "../evaluate/exams.ts";
import {
  type AnsweredExam,
  answerExam,
  type Headline,
  headline,
} from "../evaluate/nursery_exam.ts";
import { recordSamples } from "../evaluate/samples.ts";
import { recordScores } from "../evaluate/scores.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { RunLog } from "../logging/run_log.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { judgeAll, score } from "../nursery/score.ts";
import type { AuditLog } from "../stages/audit.ts";
import type { Gatekeeper } from "../stages/gatekeeper.ts";
import type { LiveSources, OpenWorldModel } from "./live.ts";
import type { PreparedRun, PreparedStage, TrainerRequest } from "./prepare.ts";
import type { StepMetrics, TrainProgram } from "./program.ts";
import type { LookBack } from "./stage_preferences.ts";

/** Everything that lives as long as the run. */
export interface Run extends Pick<PreparedRun, "tokenizer" | "stages"> {
  readonly request: TrainerRequest;
  readonly gpu: Gpu;
  readonly report: Reporter;
  readonly log: RunLog;
  readonly audit: AuditLog;
  readonly scores: Record<string, Headline>;
  readonly heldOut: Record<string, { before: number | null; after: number | null }>;
  /** The world model, once a stage has needed it. */
  judge: OpenWorldModel | null;
}

/** A stage under way. */
export interface Session extends PreparedStage {
  readonly run: Run;
  readonly gate: Gatekeeper | null;
  readonly program: TrainProgram;
  readonly parameters: Parameters;
  readonly adapter: LoraAdapter | null;
  /** What is made with the live policy. */
  readonly live: LiveSources | null;
  /** Held-out loss before the stage. */
  readonly before: number | null;
  /** What the policy at the stage's beginning said of pairs; null without pairs. */
  readonly begun: LookBack | null;
  /** What is trained, as it was at the stage's beginning, by name. */
  readonly start: ReadonlyMap<string, Float32Array>;
  /** Metrics read from the GPU that no row has been made of yet. */
  readonly unlogged: StepMetrics[];
  /** What live sources reported in the same steps. */
  readonly unloggedLive: Readonly<Record<string, number>>[];
  /** Warnings that were given. */
  readonly warned: Set<string>;
}

/**
 * Sits the nursery's exam with a policy on the GPU and remembers its scores; nothing happens where no stage learns from the
 * nursery or `evaluate` is null.
 */
export async function examine(run: Run, name: string, parameters: Parameters): Promise<void> {
  const { evaluate, seed } = run.request.config;
  const nursery = run.stages.some(({ stage }) => stage.data === "nursery");
  if (!evaluate || !nursery || run.request.stopped()) return;
  await mark(run, name, await answerExam(parameters, { ...evaluate, split: "test", seed }));
}

/** Judges an exam and puts it on record, the headline last: who finds that finds all of it. */
export async function mark(run: Run, name: string, answered: AnsweredExam): Promise<void> {
  const { dialogues, replies } = answered;
  const { folder } = run.request;
  const scored = score(judgeAll(dialogues, replies));
  run.scores[name] = headline(scored);
  await recordSamples(folder, name, dialogues, replies);
  await recordExam(folder, name, scored);
  await recordScores(folder, name, run.scores[name]);
}
