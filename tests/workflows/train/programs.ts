/**
 * Small policies, batches and recorded steps for tests of the training step.
 */
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters, type Parameters } from "../../../kernels/policy/parameters.ts";
import type { TokenBatch, TokenExample } from "../../../workflows/data/batch.ts";
import { assembleBatch } from "../../../workflows/data/pack/assemble.ts";
import { packExamples } from "../../../workflows/data/pack/pack.ts";
import { type ProgramSettings, TrainProgram } from "../../../workflows/train/program.ts";
import { randomValues, testGpu } from "../../kernels/harness.ts";

/** The architecture of the preset `nursery`, over a smaller vocabulary. */
export const NURSERY_POLICY: PolicyConfig = {
  family: "llama",
  vocabSize: 64,
  context: 64,
  layers: 2,
  width: 96,
  heads: 4,
  kvHeads: 4,
  headDim: 24,
  mlpWidth: 256,
  norm: "rmsnorm",
  normEps: 1e-5,
  activation: "swiglu",
  positions: "rope",
  ropeTheta: 10000,
  ropeDims: 24,
  parallelResidual: false,
  qkvBias: false,
  outBias: false,
  mlpBias: false,
  tiedHead: true,
  bosTokenId: 1,
  eosTokenId: 2,
  padTokenId: 0,
};

/** The smallest policy that has all parts. */
export const TINY_POLICY: PolicyConfig = {
  ...NURSERY_POLICY,
  layers: 1,
  width: 16,
  heads: 2,
  kvHeads: 2,
  headDim: 8,
  ropeDims: 8,
  mlpWidth: 16,
};

/** GPT-2 small (Radford et al. 2019), 124 million parameters. */
export const GPT2_SMALL: PolicyConfig = {
  ...NURSERY_POLICY,
  family: "gpt2",
  vocabSize: 50257,
  context: 1024,
  layers: 12,
  width: 768,
  heads: 12,
  kvHeads: 12,
  headDim: 64,
  mlpWidth: 3072,
  norm: "layernorm",
  activation: "gelu_tanh",
  positions: "learned",
  ropeTheta: 0,
  ropeDims: 0,
  qkvBias: true,
  outBias: true,
  mlpBias: true,
};

/** Settings of a step over one batch of 2 x 16, with changes. */
export function settingsOf(changes: Partial<ProgramSettings> = {}): ProgramSettings {
  return {
    rows: 2,
    length: 16,
    accumulation: 1,
    optimizer: "adamw",
    betas: [0.9, 0.99],
    eps: 1e-8,
    momentum: 0,
    weightDecay: 0.01,
    maxGradNorm: 1,
    schedule: { kind: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 10_000 },
    recompute: false,
    dropout: 0,
    seed: 3,
    objective: { rho: 0, prior: null },
    ...changes,
  };
}

/** Packed rows of examples of many lengths and weights, so that batches differ in total weight. */
export function rowsOf(rows: number, length: number, seed: number): TokenExample[][] {
  const numbers = randomValues(4096, seed, 1);
  let at = 0;
  const next = (below: number) => Math.floor((numbers[at++ % numbers.length] + 1) / 2 * below);
  return Array.from({ length: rows }, () => {
    const examples: TokenExample[] = [];
    for (let left = length; left >= 2;) {
      const size = Math.min(left, 2 + next(length - 2));
      const ids = Array.from({ length: size }, () => 3 + next(61));
      examples.push({ ids, weights: ids.map((_, i) => i === 0 ? 0 : [0, 0.05, 1, 1][next(4)]) });
      left -= size;
    }
    return examples;
  });
}

/** A batch of such rows. */
export function batchOfRows(rows: readonly TokenExample[][], length: number): TokenBatch {
  const packed = rows.map((examples) => packExamples(examples, length, "wrapped")[0]);
  return assembleBatch(packed, length, 0);
}

/** A random policy on the test device and one recorded step over it. */
export async function recorded(
  config: PolicyConfig,
  changes: Partial<ProgramSettings> = {},
): Promise<{ parameters: Parameters; program: TrainProgram; destroy(): void }> {
  const parameters = loadParameters(await testGpu(), initialWeights(config, 1));
  const program = new TrainProgram(parameters, settingsOf(changes));
  return {
    parameters,
    program,
    destroy() {
      program.destroy();
      parameters.destroy();
    },
  };
}
