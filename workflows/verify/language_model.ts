/**
 * A language model's golden case: logits, loss, gradients, greedy generation, and a training run.
 */
import { z } from "zod";
import { createKvCache, destroyKvCache } from "../../kernels/attention/cache.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readFloats } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, upload } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { Generator } from "../../kernels/policy/generate.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import { headStride } from "../../kernels/policy/storage.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import { NO_TARGET, type TokenBatch } from "../data/batch.ts";
import { heldOutLoss } from "../evaluate/held_out_loss.ts";
import { type StepMetrics, TrainProgram } from "../train/program.ts";
import { batchOf, type GoldenCase, LABELLED, maskedLogits } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { runPass, total, unlabelled } from "./pass.ts";
import {
  type Check,
  differences,
  groupCheck,
  largestRelativeError,
  relativeError,
} from "./result.ts";

const INPUTS = LABELLED.extend({
  optimizer: z.object({
    lr: z.number().positive(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number().positive(),
    weight_decay: z.number().min(0),
    clip_grad_norm: z.number().positive(),
    steps: z.int().min(1),
  }),
  generation: z.object({
    prompt_ids: z.array(z.int()).min(1),
    max_new_tokens: z.int().min(1),
  }),
});

type Inputs = z.infer<typeof INPUTS>;

/** Everything a language model's case holds. */
export async function checkLanguageModel(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(INPUTS);
  const parameters = loadParameters(gpu, await golden.model());
  const batch = batchOf(inputs);
  try {
    return [
      ...await forwardAndBackward(golden, parameters, inputs, batch),
      ...await generation(golden, parameters, inputs.generation),
      // Last, because it changes the parameters.
      ...await training(golden, parameters, inputs.optimizer, batch),
    ];
  } finally {
    parameters.destroy();
  }
}

async function forwardAndBackward(
  golden: GoldenCase,
  parameters: Parameters,
  inputs: Inputs,
  batch: TokenBatch,
): Promise<Check[]> {
  const { config } = parameters;
  const pass = await runPass(
    parameters,
    batch,
    (
      { tape, logits, tokens },
    ) => [crossEntropy(tape, logits, tokens.targets, tokens.weights).value],
  );
  const logits = maskedLogits(pass.logits, inputs, config.vocabSize);
  const scored = batch.targets.reduce((n, target) => n + Number(target !== NO_TARGET), 0);
  return [
    {
      quantity: "logits",
      worst: relativeError(logits, golden.tensor("logits")),
      limit: LIMITS.forward,
    },
    {
      quantity: "scored tokens",
      worst: Math.abs(scored - golden.number("n_target_tokens")),
      limit: LIMITS.exact,
    },
    {
      quantity: "loss",
      worst: relativeError([total(pass.values[0])], [golden.number("loss")]),
      limit: LIMITS.forward,
    },
    golden.compareParameters("grad", config, pass.gradients!, LIMITS.gradient),
  ];
}

/**
 * Greedy generation twice: with a key/value cache, and from scratch for every token. The latter in
 * one pass over prompt and expected reply: causal attention makes its rows those of every prefix,
 * and they choose the expected reply exactly if generation would.
 */
async function generation(
  golden: GoldenCase,
  parameters: Parameters,
  { prompt_ids, max_new_tokens }: Inputs["generation"],
): Promise<Check[]> {
  const { gpu, config } = parameters;
  const expected = golden.numbers("generated_ids");
  const expectedLogits = golden.tensor("decode_logits");
  const generator = new Generator(parameters, { batch: 1, maxNew: max_new_tokens });
  try {
    const settings = { temperature: 0, seed: 0, padToken: 0 };
    const [reply] = await generator.generate([prompt_ids], settings);
    const tokens = [...prompt_ids, ...expected.slice(0, -1)];
    const all = (await runPass(parameters, unlabelled(tokens))).logits;
    const recomputed = all.subarray((prompt_ids.length - 1) * config.vocabSize);
    const cached = await cachedLogits(parameters, tokens, prompt_ids.length);
    const ids = (quantity: string, got: readonly number[]) => ({
      quantity,
      worst: differences(got, expected),
      limit: LIMITS.exact,
    });
    const logits = (quantity: string, got: Float32Array) => ({
      quantity,
      worst: relativeError(got, expectedLogits),
      limit: LIMITS.forward,
    });
    return [
      ids("generated ids, cached", reply.ids),
      ids("generated ids, recomputed", mostLikely(recomputed, config.vocabSize)),
      logits("decode logits, cached", cached),
      logits("decode logits, recomputed", recomputed),
    ];
  } finally {
    generator.destroy();
    await gpu.device.queue.onSubmittedWorkDone();
  }
}

/** The most likely token of each row, the first of equals. */
function mostLikely(logits: Float32Array, vocab: number): number[] {
  return Array.from({ length: logits.length / vocab }, (_, row) => {
    const values = logits.subarray(row * vocab, (row + 1) * vocab);
    return values.reduce((best, value, id) => value > values[best] ? id : best, 0);
  });
}

/**
 * Logits from token `first` - 1 on, [tokens.length - first + 1, vocabulary], each token read alone
 * through a cache.
 */
async function cachedLogits(
  parameters: Parameters,
  tokens: readonly number[],
  first: number,
): Promise<Float32Array> {
  const { gpu, config } = parameters;
  const kv = createKvCache(gpu, config, headStride(config), 1, tokens.length);
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const make = (name: string, count: number) => persistent(gpu, name, [count], "u32");
  const [ids, positions, starts] = ["ids", "positions", "starts"].map((name) => make(name, 1));
  const cursor = make("cursor", 4);
  const tape = new Tape(gpu, "cached decoding");
  const input = { rows: 1, length: 1, ids, positions, starts };
  const options = { rope, cache: { kv, cursor } };
  const logits = tape.noGrad(() =>
    languageModelHead(tape, parameters, transformer(tape, parameters, input, options))
  );
  tape.keep(logits);
  const { vocabSize } = config;
  const rows = new Float32Array((tokens.length - first + 1) * vocabSize);
  try {
    for (const [i, id] of tokens.entries()) {
      upload(gpu, ids, Uint32Array.of(id));
      upload(gpu, positions, Uint32Array.of(i));
      upload(gpu, cursor, Uint32Array.of(i, 0, 0, 0));
      tape.run();
      const row = i - first + 1;
      if (row >= 0) rows.set(await readFloats(gpu, logits), row * vocabSize);
    }
  } finally {
    tape.destroy();
    destroyKvCache(kv);
    for (const tensor of [ids, positions, starts, cursor, rope]) tensor?.place.buffer?.destroy();
  }
  return rows;
}

/** The optimiser's steps on the one batch, through the trainer's own program. */
async function training(
  golden: GoldenCase,
  parameters: Parameters,
  { lr, betas, eps, weight_decay, clip_grad_norm, steps }: Inputs["optimizer"],
  batch: TokenBatch,
): Promise<Check[]> {
  const program = new TrainProgram(parameters, {
    rows: batch.rows,
    length: batch.length,
    accumulation: 1,
    optimizer: "adamw",
    betas,
    eps,
    momentum: 0,
    weightDecay: weight_decay,
    maxGradNorm: clip_grad_norm,
    schedule: { kind: "constant", learningRate: lr, warmupSteps: 0, totalSteps: steps },
    recompute: false,
    dropout: 0,
    seed: 0,
    objective: { rho: 0, prior: null },
  });
  const metrics: StepMetrics[] = [];
  try {
    for (let step = 0; step < steps; step++) {
      if (program.metricsDue) metrics.push(...await program.metrics());
      program.step(step, [batch]);
    }
    metrics.push(...await program.metrics());
    const series = (
      quantity: string,
      got: readonly (number | null)[],
      want: readonly number[],
    ) => ({
      quantity,
      worst: largestRelativeError(got.map(Number), want),
      limit: LIMITS.trajectory,
    });
    const after = await heldOutLoss(parameters, [batch]);
    const losses = metrics.map(({ loss }) => loss);
    const norms = metrics.map(({ gradNorm }) => gradNorm);
    return [
      series(`losses of ${steps} steps`, losses, golden.numbers("train_losses")),
      series(`gradient norms of ${steps} steps`, norms, golden.numbers("train_grad_norms")),
      series("loss after training", [after], [golden.number("loss_after_training")]),
      ...finalParameters(golden, parameters.config, await parameters.read()),
    ];
  } finally {
    program.destroy();
  }
}

/**
 * A key bias has next to no gradient: its few digits decide what Adam divides by, in PyTorch's
 * float32 as well.
 */
function finalParameters(
  golden: GoldenCase,
  config: PolicyConfig,
  values: ReadonlyMap<string, Float32Array>,
): Check[] {
  const errors = golden.parameterErrors("final", config, values, "final_mask");
  const isKeyBias = ([name]: readonly [string, number]) => name.endsWith("k_proj.bias");
  const [keys, others] = [errors.filter(isKeyBias), errors.filter((error) => !isKeyBias(error))];
  const check = groupCheck(`final (${others.length} tensors)`, LIMITS.trajectory, others);
  if (keys.length === 0) return [check];
  return [check, groupCheck(`final (${keys.length} key biases)`, LIMITS.keyBiases, keys)];
}
