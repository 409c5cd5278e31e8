/**
 * The step of `deno task train` without arguments: the policy and the batches of the nursery preset's first stage.
 */
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { ArchitectureConfig } from "../config/config.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { TokenBatch } from "../data/batch.ts";
import { NurserySource } from "../train/nursery_source.ts";
import { startingPolicy } from "../train/policy_source.ts";

const { config } = resolveConfig({ preset: "nursery" });
const [stage] = config.stages;

/** Name of the policy in tables, e.g. `llama 2 layers, width 96, 8 x 64`. */
export function nurseryName(): string {
  const { family, layers, width } = config.model as ArchitectureConfig;
  return `${family} ${layers} layers, width ${width}, ${stage.batch_size} x ${stage.length}`;
}

/** Tokens of a step. */
export const NURSERY_TOKENS: number = stage.batch_size * stage.length;

/** The policy at the start of the first stage. */
export async function nurseryWeights(): Promise<PolicyWeights> {
  return (await startingPolicy(config)).weights;
}

/** The first batch of the first stage. */
export function nurseryBatch(): TokenBatch {
  return new NurserySource({
    corpus: "raw",
    rows: stage.batch_size,
    length: stage.length,
    seed: config.seed,
    promptWeight: stage.prompt_weight,
    packing: stage.packing,
  }).batch(0);
}
