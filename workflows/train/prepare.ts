/**
 * Everything that can be wrong with a run is found here, before a file is written or an hour is spent: the model, the data
 * of every stage, the adapters, the checkpoint to go on from, and whether every stage's program fits the GPU.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { type StageConfig, stageSteps, type TrainConfig } from "../config/config.ts";
import { hash32 } from "../data/random.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { Reporter } from "../logging/reporter.ts";
import { checkpointFolder, type CheckpointPlace } from "../run_folder.ts";
import { type AuditEntry, AuditLog } from "../stages/audit.ts";
import { gateThresholds } from "../stages/gate.ts";
import { metric, NURSERY_METRICS } from "../stages/maturity.ts";
import "../stages/text_metrics.ts"; // registers its metrics
import { attemptAt, attemptNames } from "../stages/programme.ts";
import { type ReadCheckpoint, readCheckpoint } from "./checkpoint.ts";
import { newAdapter } from "./lora.ts";
import {
  checkSameShape,
  loadWeights,
  nurseryTokenizer,
  policyConfig,
  startingPolicy,
} from "./policy_source.ts";
import { openStageData, type StageData } from "./sources.ts";
import { buildStage, checkFits } from "./stage_program.ts";
import { needsBeginning } from "./stage_terms.ts";

/** What to train, where, and who listens. */
export interface TrainerRequest {
  /** What to train. */
  readonly config: TrainConfig;
  /** The run folder. */
  readonly folder: string;
  /** The checkpoint to go on from; null: a new run. */
  readonly resume: CheckpointPlace | null;
  /** Hears how it goes. */
  readonly reporter: Reporter;
  /** True once the run should save a checkpoint and stop. */
  readonly stopped: () => boolean;
}

/** A stage that is ready to be trained. */
export interface PreparedStage {
  readonly stage: StageConfig;
  readonly data: StageData;
  readonly steps: number;
}

/** A run that is ready to start. */
export interface PreparedRun {
  readonly tokenizer: Tokenizer | null;
  readonly stages: readonly PreparedStage[];
  /** What was decided so far. */
  readonly audit: AuditLog;
  /** Stage to begin with; the number of stages where all are complete. */
  readonly first: number;
  /** The policy at the beginning of that stage. */
  readonly weights: PolicyWeights;
  /** The checkpoint in the middle of that stage; null: it begins anew. */
  readonly resumed: ReadCheckpoint | null;
}

/** Opens and checks everything; writes nothing. @throws {InputError} on the first thing that is wrong. */
export async function prepareRun(request: TrainerRequest, gpu: Gpu): Promise<PreparedRun> {
  const { config, folder, resume } = request;
  const checkpoint = resume && await readCheckpoint(checkpointFolder(folder, resume));
  const start = checkpoint ?? await startingPolicy(config, (policy) => checkFits(gpu, policy));
  if (checkpoint && "family" in config.model && checkpoint.tokenizer) {
    checkSameShape(checkpoint, policyConfig(config.model, checkpoint.tokenizer));
  }
  await checkStages(config, start.weights.config);
  checkGate(config);
  checkWorldModel(config);
  const audit = resume ? await AuditLog.open(folder) : AuditLog.begin(folder);
  const at = resume
    ? config.stages.findIndex(({ name }) => attemptNames(name, config.gate).includes(resume.stage))
    : 0;
  const first = checkpoint?.state.complete ? at + 1 : at;
  // After a rollback the newest attempt may have no checkpoint yet: it begins where the one before began.
  const current = first === at &&
    attemptAt(audit.entries, config.stages[at].name).name === resume?.stage;
  const middle = current ? checkpoint : null;
  const floats = tryPrograms(gpu, config, start.weights.config, config.stages.slice(first));
  if (middle) checkMoments(middle, floats);
  const stages: PreparedStage[] = [];
  for (const stage of config.stages) {
    const data = await openStageData(stage, start.tokenizer, config.seed);
    stages.push({ stage, data, steps: stageSteps(stage, data.epochTokens) });
  }
  return {
    tokenizer: start.tokenizer,
    stages,
    audit,
    first,
    weights: checkpoint && first === at
      ? await beginningOf(request, stages, audit.entries, at, checkpoint)
      : start.weights,
    resumed: middle,
  };
}

/** The policy at the beginning of a stage that is resumed, where it is still needed: as prior, under adapters, or to go back to. */
async function beginningOf(
  { config, folder }: TrainerRequest,
  stages: readonly PreparedStage[],
  entries: readonly AuditEntry[],
  at: number,
  resumed: ReadCheckpoint,
): Promise<PolicyWeights> {
  const needed = isGated(config, stages[at].stage) || needsBeginning(stages[at].stage);
  if (!needed && !resumed.adapter) return resumed.weights;
  if (at > 0) {
    return await loadWeights(checkpointFolder(folder, completedPlace(entries, stages[at - 1])));
  }
  const { weights } = await startingPolicy(config);
  checkSameShape(resumed, weights.config);
  return weights;
}

/** Where the checkpoint of a complete stage lies: at its last gate, where it has passed one. */
export function completedPlace(
  entries: readonly AuditEntry[],
  { stage, steps }: Pick<PreparedStage, "stage" | "steps">,
): CheckpointPlace {
  const { name, entries: own } = attemptAt(entries, stage.name);
  return { stage: name, step: own.at(-1)?.step ?? steps };
}

/** Whether a stage ends at a gate: all do but those that learn from raw text. */
export function isGated({ gate }: TrainConfig, { kind }: StageConfig): boolean {
  return gate !== null && kind !== "language_modelling";
}

/**
 * An attempt at a stage: as configured, or after rollbacks under another name, at a lower learning rate and with other data of the same
 * kind.
 */
export async function prepareAttempt(
  { config }: TrainerRequest,
  prepared: PreparedStage,
  tokenizer: Tokenizer | null,
  { name, rollbacks }: { readonly name: string; readonly rollbacks: number },
): Promise<PreparedStage> {
  if (rollbacks === 0) return prepared;
  const ratio = config.gate!.rollback_learning_rate_ratio ** rollbacks;
  const stage = { ...prepared.stage, name, learning_rate: ratio * prepared.stage.learning_rate };
  const data = await openStageData(stage, tokenizer, hash32(config.seed, "retry", rollbacks));
  return { ...prepared, stage, data };
}

/** Stages that learn from raw text alone have no gate, whatever the configuration says of gates. */
function checkGate(config: TrainConfig): void {
  const { gate, stages } = config;
  const gated = stages.filter((stage) => isGated(config, stage));
  if (!gate || gated.length === 0) return;
  gateThresholds(gate, gated.length);
  const names = Object.keys(gate.last);
  names.forEach(metric);
  const spoken = names.find((name) => NURSERY_METRICS.includes(name));
  if (spoken === undefined || stages.some(({ data }) => data === "nursery")) return;
  throw new InputError(
    `gate: the metric ${spoken} is about the nursery, from which no stage learns: use preference, prediction or metrics ` +
      `of your own, or set gate: null`,
  );
}

/** @throws {InputError} when a stage needs a world model that the run has not or cannot build. */
function checkWorldModel({ world_model, stages }: TrainConfig): void {
  const needing = stages.find((stage) =>
    stage.kind !== "language_modelling" && stage.weights.vc > 0
  );
  if (!needing) return;
  const nursery = stages.some(({ data }) => data === "nursery");
  const found = !world_model
    ? "there is none: set world_model: {}"
    : world_model.data === "nursery" && !nursery
    ? "its labelled replies are to come from the nursery, from which no stage learns: name a file as world_model.data"
    : null;
  if (found === null) return;
  throw new InputError(
    `stage ${needing.name}: weights.vc needs a world model, and ${found}, or set weights.vc to 0`,
  );
}

async function checkStages(config: TrainConfig, policy: PolicyConfig): Promise<void> {
  const words = (await nurseryTokenizer()).vocabSize;
  for (const { name, data, length } of config.stages) {
    if (data === "nursery" && policy.vocabSize !== words) {
      throw new InputError(
        `stage ${name}: the nursery has ${words} words, this policy's vocabulary ${policy.vocabSize}: ` +
          `start from a policy raised in the nursery, or give the stage other data`,
      );
    }
    if (length > policy.context) {
      throw new InputError(
        `stage ${name}: length must be at most the model's context (${policy.context}), found ${length}`,
      );
    }
  }
}

/**
 * Builds each remaining stage's program once, so that a buffer that is too large or an adapter that does not exist is known now:
 * before its data are read, whose batches may be as large. The number of steps does not change a program's size.
 * @returns Number of values that the first of them trains.
 */
function tryPrograms(
  gpu: Gpu,
  { lora, seed, precision }: TrainConfig,
  policy: PolicyConfig,
  stages: readonly StageConfig[],
): number {
  const adapter = lora && newAdapter(policy, lora, seed);
  const sizes = stages.map((stage) => {
    const built = buildStage(gpu, { policy, adapter, stage, steps: 1, seed, precision });
    built.destroy();
    return built.parameters.trainableEnd;
  });
  return sizes[0];
}

function checkMoments({ folder, optimizer }: ReadCheckpoint, floats: number): void {
  const found = optimizer?.m.length;
  if (found === floats && optimizer?.v.length === floats) return;
  throw new InputError(
    `${folder}/optimizer.safetensors: m and v must hold ${floats} values each, found ${found}: ` +
      `the configuration is not the one that made this checkpoint`,
  );
}
