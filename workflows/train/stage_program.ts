/**
 * What a stage needs on the GPU: the policy's parameters, its prior where the loss has one, and the recorded step.
 */
import { type Gpu, mib } from "../../kernels/gpu/device.ts";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { Parameters } from "../../kernels/policy/parameters.ts";
import { arenaFloats, storedSpecs } from "../../kernels/policy/storage.ts";
import { type StageConfig, warmupSteps } from "../config/config.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { loraForPolicy } from "./lora.ts";
import { type ProgramSettings, TrainProgram } from "./program.ts";

/** A stage on the GPU; parameters hold zeros until something is loaded. */
export interface StageProgram {
  readonly parameters: Parameters;
  /** The frozen policy of the KL term; null where the stage has none. */
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
  readonly seed: number;
}

/**
 * Makes and compiles a stage's program.
 * @throws {InputError} when it does not fit the adapter.
 */
export function buildStage(gpu: Gpu, options: StageProgramOptions): StageProgram {
  const { policy, adapter, stage, steps, seed } = options;
  const rho = priorWeight(stage);
  const lora = adapter && loraForPolicy(adapter);
  const parameters = new Parameters(gpu, policy, { lora });
  const prior = rho > 0 ? new Parameters(gpu, policy, { trainable: false }) : null;
  const settings = programSettings(stage, steps, seed, { rho, prior });
  const program = new TrainProgram(parameters, settings);
  const destroy = () => {
    program.destroy();
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

/** Weight of the KL divergence from the stage's prior, INFANT Eq. 7; 0 where the loss has none. */
export function priorWeight(stage: StageConfig): number {
  return stage.kind === "value_imprinting" ? stage.rho : 0;
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
  };
}

/**
 * Checks, before anything is allocated, that the parameters of a policy fit into one buffer.
 * @throws {InputError} with both sizes.
 */
export function checkFits(gpu: Gpu, policy: PolicyConfig): void {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  const bytes = 4 * storedSpecs(policy).reduce((sum, spec) => sum + arenaFloats(spec), 0);
  if (bytes <= most) return;
  throw new InputError(
    `model: its parameters need a buffer of ${mib(bytes)}, this adapter allows ${mib(most)}: ` +
      `lower width, layers or mlp_width`,
  );
}
