/**
 * Everything that can be wrong with a run is found here, before a file is written or an hour is spent: the model, the data
 * of every stage, the adapters, the checkpoint to go on from, and whether every stage's program fits the GPU.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { type StageConfig, stageSteps, type TrainConfig } from "../config/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { Reporter } from "../logging/reporter.ts";
import { checkpointFolder, type CheckpointPlace } from "../run_folder.ts";
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
import { buildStage, checkFits, priorWeight } from "./stage_program.ts";

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
  const at = config.stages.findIndex(({ name }) =>
    name === (resume?.stage ?? config.stages[0].name)
  );
  const first = checkpoint?.state.complete ? at + 1 : at;
  const middle = first === at ? checkpoint : null;
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
    first,
    weights: middle ? await beginningOf(request, stages, at, middle) : start.weights,
    resumed: middle,
  };
}

/** The policy at the beginning of a stage that is resumed, where the stage still needs it: as prior or under adapters. */
async function beginningOf(
  { config, folder }: TrainerRequest,
  stages: readonly PreparedStage[],
  at: number,
  resumed: ReadCheckpoint,
): Promise<PolicyWeights> {
  if (priorWeight(stages[at].stage) === 0 && !resumed.adapter) return resumed.weights;
  if (at > 0) {
    const { stage, steps } = stages[at - 1];
    return await loadWeights(checkpointFolder(folder, { stage: stage.name, step: steps }));
  }
  const { weights } = await startingPolicy(config);
  checkSameShape(resumed, weights.config);
  return weights;
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
