/**
 * Kernels run within the limits that every WebGPU adapter has, whatever the adapter of the moment allows: devices are opened with
 * those limits, so every test of a kernel is a test of this too. Here: that it is so, that a kernel beyond them is
 * refused, and a whole training run within them.
 */
import { DeviceError } from "../../kernels/errors.ts";
import { Gpu, openGpu } from "../../kernels/gpu/device.ts";
import { compileKernel, defineKernel } from "../../kernels/gpu/kernel.ts";
import { readFloats, settle } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { adamw, createKnobs } from "../../kernels/optimizer/optimizer.ts";
import { knobValues } from "../../kernels/optimizer/schedule.ts";
import { TokenTensors } from "../../kernels/policy/batch.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { globalNorm } from "../../kernels/reduce/global_norm.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import type { TokenBatch } from "../../workflows/data/batch.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../assert.ts";
import { randomWeights, tinyConfigs } from "../reference/tiny_policies.ts";
import { train } from "../reference/training.ts";
import { toPolicy } from "../reference/transformer.ts";
import { assertTensors, packedBatch } from "./policy/policies.ts";

const SETTINGS = { betas: [0.9, 0.99], eps: 1e-3, weightDecay: 0.1, maxNorm: 0.5 } as const;
const LEARNING_RATE = 0.01;
const STEPS = 3;

// Measured on lavapipe, at worst: losses 3.6e-7, norms 7.7e-7, weights 9.9e-8 of a tensor's norm.
const LOSS_TOLERANCE = 2e-6;
const NORM_TOLERANCE = 4e-6;
const WEIGHT_TOLERANCE = 5e-7;

Deno.test("compute shaders get WebGPU's default limits and no more", async () => {
  const gpu = await openGpu();
  const { limits } = gpu.device;
  assertEquals(limits.maxStorageBuffersPerShaderStage, 8);
  assertEquals(limits.maxComputeInvocationsPerWorkgroup, 256);
  assertEquals(limits.maxComputeWorkgroupSizeX, 256);
  assertEquals(limits.maxComputeWorkgroupStorageSize, 16_384);
  gpu.close();
});

/** Asserts that a shader is refused when its pipeline is made. */
async function assertRefused(shader: string): Promise<void> {
  const gpu = await openGpu();
  await assertRejects(async () => {
    compileKernel(gpu, defineKernel("greedy", shader));
    await settle(gpu);
  }, DeviceError);
  gpu.close();
}

Deno.test("a kernel with workgroups of 257 is refused", () =>
  assertRefused("@compute @workgroup_size(257) fn main() {}"));

Deno.test({
  name:
    "a kernel with 16388 bytes of workgroup memory is refused (Deno does not check: in Chromium)",
  ignore: !("document" in globalThis),
  fn: () =>
    assertRefused(
      "var<workgroup> a: array<u32, 4097>; @compute @workgroup_size(8) fn main() { a[0] = 1u; }",
    ),
});

/** Gradient of a batch into the parameters' gradients, its loss into metrics[0]. */
function recordGradient(parameters: Parameters, tokens: TokenTensors, metrics: Tensor): Tape {
  const { gpu, config } = parameters;
  const tape = new Tape(gpu, "gradient");
  tape.clear(parameters.gradients!);
  const rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
  const hidden = transformer(tape, parameters, tokens, { rope });
  const logits = languageModelHead(tape, parameters, hidden);
  sumInto(tape, crossEntropy(tape, logits, tokens.targets, tokens.weights).value, metrics, 0);
  tape.backward();
  return tape;
}

/** Norm of the gradient into metrics[1], then one AdamW step. */
function recordUpdate(parameters: Parameters, metrics: Tensor, knobs: Tensor): Tape {
  const { gpu, theta, gradients, decayEnd, trainableEnd: length } = parameters;
  const tape = new Tape(gpu, "update");
  globalNorm(tape, gradients!, metrics, 1);
  const m = persistent(gpu, "m", [length]);
  const v = persistent(gpu, "v", [length]);
  const [beta1, beta2] = SETTINGS.betas;
  const settings = { ...SETTINGS, beta1, beta2, decayEnd, length };
  adamw(tape, { theta, d_theta: gradients!, m, v }, metrics, 1, knobs, settings);
  return tape;
}

/** Trains on one batch again and again: losses and gradient norms before each update. */
async function trainOnGpu(
  parameters: Parameters,
  batch: TokenBatch,
): Promise<{ losses: number[]; norms: number[] }> {
  const { gpu, config } = parameters;
  const tokens = new TokenTensors(gpu, config, batch.rows, batch.length);
  tokens.upload(batch, { weightScale: 1 / batch.weights.reduce((a, b) => a + b, 0) });
  const metrics = persistent(gpu, "metrics", [4]);
  const knobs = createKnobs(gpu);
  const gradient = recordGradient(parameters, tokens, metrics);
  const update = recordUpdate(parameters, metrics, knobs);
  const schedule = {
    kind: "constant",
    learningRate: LEARNING_RATE,
    warmupSteps: 0,
    totalSteps: STEPS,
  } as const;
  const [beta1, beta2] = SETTINGS.betas;
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    upload(gpu, knobs, knobValues(step, { schedule, beta1, beta2, maxGradNorm: SETTINGS.maxNorm }));
    gradient.run();
    update.run();
    const [loss, norm] = await readFloats(gpu, metrics);
    losses.push(loss);
    norms.push(norm);
  }
  return { losses, norms };
}

Deno.test(`${STEPS} steps of AdamW within the limits, in the schedules of a GPU`, async () => {
  const opened = await openGpu();
  const gpu = new Gpu(opened.device, { ...opened.info, software: false });
  const weights = randomWeights(tinyConfigs.llama, 5);
  const parameters = loadParameters(gpu, weights);
  const batch = packedBatch(tinyConfigs.llama, 6);
  const got = await trainOnGpu(parameters, batch);
  const policy = toPolicy(weights);
  const want = train(policy, batch, { ...SETTINGS, lr: LEARNING_RATE, steps: STEPS });
  assert(want.norms[0] > SETTINGS.maxNorm, "clipping was not tried");
  for (let step = 0; step < STEPS; step++) {
    assertAlmostEquals(got.losses[step], want.losses[step], LOSS_TOLERANCE);
    assertAlmostEquals(got.norms[step], want.norms[step], NORM_TOLERANCE);
  }
  assertTensors((await parameters.weights()).tensors, policy.parameters, WEIGHT_TOLERANCE);
  gpu.close();
  opened.close();
});
