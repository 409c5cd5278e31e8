/**
 * Training and greedy generation with the float64 policy: the loops against which the GPU's are compared.
 */
import { parameterSpecs } from "../../kernels/policy/config.ts";
import type { TokenBatch } from "../../workflows/data/batch.ts";
import { crossEntropy } from "./losses.ts";
import { type AdamWOptions, adamwState, adamwStep, clipByGlobalNorm } from "./optimizer.ts";
import type { Tensors } from "./optimizer.ts";
import { greedy } from "./sampling.ts";
import { type Activations, backward, forward, type Policy } from "./transformer.ts";

/** Token cross-entropy of a batch, and the gradients of all parameters. */
export function lossAndGradients(
  policy: Policy,
  batch: TokenBatch,
): { loss: number; gradients: Tensors; activations: Activations } {
  const activations = forward(policy, batch);
  const { loss, d_logits } = crossEntropy(
    activations.logits,
    batch.targets,
    batch.weights,
    policy.config.vocabSize,
  );
  const gradients = backward(policy, batch, activations, d_logits).parameters;
  return { loss, gradients, activations };
}

/** What to run: AdamW's hyper-parameters, the clipping norm and the number of steps. */
export interface TrainingOptions extends Omit<AdamWOptions, "decays"> {
  readonly maxNorm: number;
  readonly steps: number;
}

/** Losses and norms before each update, and the largest |gradient| every element ever had. */
export interface Trajectory {
  readonly losses: number[];
  readonly norms: number[];
  readonly largest: Tensors;
}

/** Trains on one batch again and again, changing the policy's parameters; matrices decay, vectors do not. */
export function train(policy: Policy, batch: TokenBatch, options: TrainingOptions): Trajectory {
  const { parameters, config } = policy;
  const specs = parameterSpecs(config);
  const matrices = new Set(specs.filter((p) => p.shape.length === 2).map((p) => p.name));
  const state = adamwState(parameters);
  const trajectory: Trajectory = { losses: [], norms: [], largest: new Map() };
  for (let step = 0; step < options.steps; step++) {
    const { loss, gradients } = lossAndGradients(policy, batch);
    const { clipped, norm } = clipByGlobalNorm(gradients, options.maxNorm);
    adamwStep(parameters, clipped, state, { ...options, decays: (name) => matrices.has(name) });
    trajectory.losses.push(loss);
    trajectory.norms.push(norm);
    for (const [name, g] of gradients) {
      const before = trajectory.largest.get(name) ?? new Float64Array(g.length);
      trajectory.largest.set(name, g.map((value, i) => Math.max(Math.abs(value), before[i])));
    }
  }
  return trajectory;
}

/** Continues a prompt with the likeliest tokens, recomputing everything at each; logits are those that chose. */
export function generateGreedily(
  policy: Policy,
  prompt: readonly number[],
  count: number,
): { ids: number[]; logits: Float64Array } {
  const { vocabSize } = policy.config;
  const logits = new Float64Array(count * vocabSize);
  const ids = [...prompt];
  for (let n = 0; n < count; n++) {
    const positions = Array.from(ids.keys());
    const starts = new Uint32Array(ids.length);
    const tokens = { rows: 1, length: ids.length, ids, positions, starts };
    const last = forward(policy, tokens).logits.subarray(-vocabSize);
    logits.set(last, n * vocabSize);
    ids.push(greedy(last));
  }
  return { ids: ids.slice(prompt.length), logits };
}
