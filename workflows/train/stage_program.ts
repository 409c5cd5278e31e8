/**
 * What a stage needs on the GPU: the policy's parameters, its prior where the loss has one, and the recorded step.
 */
import { type Gpu, mib } from "../../kernels/gpu/device.ts";
import { InputError } from "../../kernels/errors.ts";
import type { ScheduleSettings } from "../../kernels/optimizer/schedule.ts";
import { LossScaler, type LossScalerState } from "../../kernels/optimizer/loss_scaler.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { Parameters, type Precision } from "../../kernels/policy/parameters.ts";
import { arenaFloats, storedSpecs } from "../../kernels/policy/storage.ts";
import { type StageConfig, warmupSteps } from "../config/config.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { loraForPolicy } from "./lora.ts";
import { type ProgramSettings, TrainProgram } from "./program.ts";
import { needsFrozen, NO_SOURCES, stageObjective, type TermSources } from "./stage_terms.ts";

/** A stage on the GPU; parameters hold zeros until something is loaded. */
export interface StageProgram {
  readonly parameters: Parameters;
  /** The frozen policy of the stage's beginning, for a KL or as a reference; null where the stage needs none. */
  readonly prior: Parameters | null;
  readonly program: TrainProgram;
  /** Frees all three. */
  destroy(): void;
}

/** What decides a stage's program. */
export interface StageProgramOptions {
  readonly policy: PolicyConfig;
  readonly adapter: LoraAdapter | null;
  readonly stage: StageConfig;
  readonly steps: number;
  /** What a hold adds to the stage; absent: there is no gate. */
  readonly portions?: ScheduleSettings["portions"];
  readonly seed: number;
  readonly precision: Precision;
  /** What terms learn from, given the policy that is trained; absent: the program is only measured. */
  readonly sources?: (policy: Parameters) => TermSources;
  /** Where loss scaling goes on; absent: it starts anew (in float16) or is not used. */
  readonly lossScale?: LossScalerState | null;
}

/**
 * Makes and compiles a stage's program.
 * @throws {InputError} when it does not fit the adapter.
 */
export function buildStage(gpu: Gpu, options: StageProgramOptions): StageProgram {
  const { policy, adapter, stage, steps, seed, precision } = options;
  const lora = adapter && loraForPolicy(adapter);
  const parameters = new Parameters(gpu, policy, { lora, precision });
  const frozen = needsFrozen(stage, policy, adapter !== null);
  const prior = frozen ? new Parameters(gpu, policy, { trainable: false, precision }) : null;
  const sources = options.sources?.(parameters) ?? NO_SOURCES;
  const objective = stageObjective(stage, policy, adapter !== null, prior, sources);
  const plain = programSettings(stage, steps, seed, objective);
  const settings = {
    ...plain,
    schedule: { ...plain.schedule, portions: options.portions },
    lossScale: precision === "f16" ? options.lossScale ?? new LossScaler().state : null,
  };
  const program = new TrainProgram(parameters, settings);
  const destroy = () => {
    program.destroy();
    for (const term of objective.terms ?? []) term.destroy?.();
    parameters.destroy();
    prior?.destroy();
  };
  try {
    program.compile();
    return { parameters, prior, program, destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** A stage's settings as the program takes them. */
export function programSettings(
  stage: StageConfig,
  steps: number,
  seed: number,
  objective: ProgramSettings["objective"],
): ProgramSettings {
  return {
    rows: stage.batch_size,
    length: stage.length,
    accumulation: stage.gradient_accumulation,
    optimizer: stage.optimizer,
    betas: stage.betas,
    eps: stage.eps,
    momentum: stage.momentum,
    weightDecay: stage.weight_decay,
    maxGradNorm: stage.max_grad_norm,
    schedule: {
      kind: stage.schedule,
      learningRate: stage.learning_rate,
      warmupSteps: warmupSteps(stage, steps),
      totalSteps: steps,
      minRatio: stage.min_learning_rate_ratio,
    },
    recompute: stage.recompute,
    dropout: stage.dropout,
    seed,
    objective,
    path: stage.fisher?.kind === "synaptic",
  };
}

/**
 * Checks, before anything is allocated, that all parameters of a policy fit into one buffer and each into one binding.
 * @throws {InputError} with both sizes.
 */
export function checkFits(gpu: Gpu, policy: PolicyConfig): void {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const refuse = (what: string, bytes: number, most: number) => {
    if (bytes <= most) return;
    throw new InputError(
      `model: ${what} ${mib(bytes)} of GPU memory in one piece, this adapter allows ${
        mib(most)
      }: ` +
        `lower width, layers, mlp_width or the vocabulary`,
    );
  };
  const sizes = storedSpecs(policy).map((spec) => ({ spec, bytes: 4 * arenaFloats(spec) }));
  refuse("its parameters need", sizes.reduce((sum, { bytes }) => sum + bytes, 0), maxBufferSize);
  for (const { spec, bytes } of sizes) {
    refuse(`${spec.name} needs`, bytes, maxStorageBufferBindingSize);
  }
}
