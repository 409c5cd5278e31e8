/**
 * Golden case of value imprinting (INFANT Eq. 7): cross-entropy, KL in both directions, and their
 * sum, with gradients.
 */
import { z } from "zod";
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { type Direction, klDivergence } from "../../kernels/losses/kl_divergence.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../data/batch.ts";
import { totalWeight } from "../data/pack/assemble.ts";
import { TrainProgram } from "../train/program.ts";
import { batchOf, type GoldenCase, LABELLED, shifted } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { type PassInputs, runPass, total } from "./pass.ts";
import { type Check, relativeError } from "./result.ts";

const INPUTS = LABELLED.extend({ rhos: z.array(z.number().positive()).min(1) });

/** Everything a KL case holds. */
export async function checkKl(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(INPUTS);
  const batch = batchOf(inputs);
  const policy = loadParameters(gpu, await golden.model());
  const prior = loadParameters(gpu, await golden.model("prior.safetensors"), { trainable: false });
  const divergence = (direction: Direction) => ({ tape, logits, tokens, frozen }: PassInputs) => [
    klDivergence(tape, logits, frozen(prior), tokens.weights, direction),
  ];
  try {
    const checks = [
      ...await loss(golden, policy, batch, "ce", ({ tape, logits, tokens }) => [
        crossEntropy(tape, logits, tokens.targets, tokens.weights).value,
      ]),
      ...await loss(golden, policy, batch, "kl_theta_prior", divergence("policy_prior")),
      ...await loss(golden, policy, batch, "kl_prior_theta", divergence("prior_policy")),
    ];
    for (const rho of inputs.rhos) checks.push(...await imprint(golden, policy, prior, batch, rho));
    return checks;
  } finally {
    policy.destroy();
    prior.destroy();
  }
}

/** One loss: its value, its values per token where the case has them, its gradients. */
async function loss(
  golden: GoldenCase,
  policy: Parameters,
  batch: TokenBatch,
  name: string,
  record: (inputs: PassInputs) => readonly Tensor[],
): Promise<Check[]> {
  const { values: [value], gradients } = await runPass(policy, batch, record);
  const checks = [
    scalar(name, total(value), golden),
    golden.compareParameters(`grad_${name}`, policy.config, gradients!, LIMITS.gradient),
  ];
  const perToken = golden.find(`${name}_per_token`);
  if (!perToken) return checks;
  const scale = totalWeight(batch);
  const got = shifted(value.map((x) => x * scale), batch.length);
  const worst = relativeError(got, perToken);
  return [...checks, { quantity: `${name} per token`, worst, limit: LIMITS.forward }];
}

function scalar(name: string, value: number, golden: GoldenCase): Check {
  const worst = relativeError([value], [golden.number(name)]);
  return { quantity: name, worst, limit: LIMITS.forward };
}

/**
 * Cross-entropy + rho KL(policy || prior), through the trainer's own program with a learning rate
 * of 0.
 */
async function imprint(
  golden: GoldenCase,
  policy: Parameters,
  prior: Parameters,
  batch: TokenBatch,
  rho: number,
): Promise<Check[]> {
  const name = `imprint_rho_${
    (Number.isInteger(rho) ? rho.toFixed(1) : `${rho}`).replace(".", "_")
  }`;
  const program = new TrainProgram(policy, {
    rows: batch.rows,
    length: batch.length,
    accumulation: 1,
    optimizer: "sgd",
    betas: [0, 0],
    eps: 1,
    momentum: 0,
    weightDecay: 0,
    maxGradNorm: null,
    schedule: { kind: "constant", learningRate: 0, warmupSteps: 0, totalSteps: 1 },
    recompute: false,
    dropout: 0,
    seed: 0,
    objective: { rho, prior },
  });
  try {
    program.step(0, [batch]);
    const [metrics] = await program.metrics();
    const gradients = await policy.read(policy.gradients!);
    return [
      scalar(name, metrics.loss, golden),
      golden.compareParameters(`grad_${name}`, policy.config, gradients, LIMITS.gradient),
    ];
  } finally {
    program.destroy();
  }
}
