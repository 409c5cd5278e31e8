/**
 * Kernels that may read textures give the same bits from textures and from buffers, and a tape copies a tensor once until it changes.
 */
import { type Gpu, openGpu } from "../../../kernels/gpu/device.ts";
import type { CompiledKernel } from "../../../kernels/gpu/kernel.ts";
import { readFloats, readTensors } from "../../../kernels/gpu/readback.ts";
import { readingKernel } from "../../../kernels/gpu/reading.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../../kernels/losses/kl_divergence.ts";
import { adamw, createKnobs, sgd } from "../../../kernels/optimizer/optimizer.ts";
import { knobValues } from "../../../kernels/optimizer/schedule.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { languageModelHead } from "../../../kernels/policy/transformer.ts";
import { assert, assertEquals } from "../../assert.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { randomValues, tensorOf, testGpu, testUnless } from "../harness.ts";
import { packedBatch, runPolicy } from "../policy/policies.ts";

const reason = ({ fastTextures }: Gpu) => fastTextures ? null : "no textures are read here";

/** Kernels that were compiled with textures, by name. */
function fromTextures(gpu: Gpu): Set<string> {
  return new Set(
    [...gpu.pipelines.values()].flatMap((compiled) => {
      const { kernel } = compiled as CompiledKernel;
      return kernel.bindings.some(({ texture }) => texture) ? [kernel.name] : [];
    }),
  );
}

/** Losses and gradients of a policy. */
async function pass(gpu: Gpu, family: keyof typeof tinyConfigs) {
  const config = tinyConfigs[family];
  const parameters = loadParameters(gpu, randomWeights(config, 1));
  const batch = packedBatch(config);
  const { outputs, gradients } = await runPolicy(parameters, batch, (tape, hidden, tokens) => {
    const logits = languageModelHead(tape, parameters, hidden);
    const prior = tensorOf(
      gpu,
      "prior",
      logits.shape,
      randomValues(logits.rows * logits.columns, 4),
    );
    const { value } = crossEntropy(tape, logits, tokens.targets, tokens.weights);
    return [logits, value, klDivergence(tape, logits, prior, tokens.weights, "policy_prior")];
  });
  return { outputs, gradients };
}

/** Parameters and state after three updates. */
async function updates(gpu: Gpu, length: number) {
  const vector = (seed: number) => tensorOf(gpu, "vector", [length], randomValues(length, seed));
  const zeros = () => persistent(gpu, "zeros", [length]);
  const runs = [adamw, sgd].map((optimizer) => ({
    optimizer,
    arenas: { theta: vector(1), d_theta: vector(2), m: zeros(), v: zeros() },
  }));
  const knobs = createKnobs(gpu);
  const metrics = tensorOf(gpu, "metrics", [2], [3, 0]);
  const tape = new Tape(gpu, "updates");
  const settings = { weightDecay: 0.1, decayEnd: Math.floor(length / 128) * 64, length };
  const betas = { beta1: 0.9, beta2: 0.999, eps: 1e-3 };
  adamw(tape, runs[0].arenas, metrics, 0, knobs, { ...settings, ...betas });
  sgd(tape, runs[1].arenas, metrics, 0, knobs, { ...settings, momentum: 0.9 });
  const schedule = {
    kind: "constant",
    learningRate: 0.1,
    warmupSteps: 0,
    totalSteps: 3,
  } as const;
  for (let step = 0; step < 3; step++) {
    upload(gpu, knobs, knobValues(step, { schedule, ...betas, maxGradNorm: 1 }));
    tape.run();
  }
  const values = await readTensors(
    gpu,
    runs.flatMap(({ arenas: { theta, m, v } }) => [theta, m, v]),
  );
  tape.destroy();
  return values;
}

await testUnless(
  "policies and optimizers: the same bits from textures and from buffers",
  reason,
  async (gpu) => {
    const everywhere = await openGpu({ matmul: "textures", matmulEverywhere: true });
    for (const family of ["gpt2", "llama"] as const) {
      assertEquals(await pass(everywhere, family), await pass(gpu, family), family);
    }
    assertEquals(await updates(everywhere, 200), await updates(gpu, 200));
    const read = fromTextures(everywhere);
    for (
      const kernel of [
        "norm",
        "norm_backward",
        "norm_backward_weight",
        "activation",
        "activation_backward",
        "rope",
        "cross_entropy",
        "cross_entropy_backward",
        "kl_divergence",
        "kl_divergence_backward",
        "adamw",
        "sgd",
      ]
    ) assert(read.has(kernel), `${kernel} read no texture`);
    everywhere.close();
  },
);

await testUnless(
  "updates in several windows, from textures, are those of one from buffers",
  reason,
  async (gpu) => {
    const length = 2 ** 22 + 192; // one whole window, and a short one
    const buffers = await openGpu({ matmul: "registers", matmulEverywhere: true });
    assertEquals(await updates(gpu, length), await updates(buffers, length));
    buffers.close();
  },
);

const DOUBLE = `
@group(0) @binding(0) var<storage, read> x_before: array<vec4f>;
@group(0) @binding(1) var<storage, read> by: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] = x_before[id.x] * by[id.x]; }`;

/** Values that are large enough for textures. */
const ENOUGH = 2 ** 14;

Deno.test("a copy is made once until its tensor changes, and anew after that", async () => {
  const gpu = await testGpu();
  const multiply = readingKernel("multiply", DOUBLE, ["x_before", "by"]);
  const x = tensorOf(gpu, "x", [ENOUGH], new Float64Array(ENOUGH).fill(3));
  const by = tensorOf(gpu, "by", [ENOUGH], new Float64Array(ENOUGH).fill(2));
  const tape = new Tape(gpu, "powers");
  const groups = [ENOUGH / 32] as const;
  for (let i = 0; i < 3; i++) tape.dispatch({ ...multiply(tape, { x, by }), groups });
  assertEquals(tape.mirror(by).place, tape.mirror(by).place);
  const before = tape.mirror(x).place;
  tape.clear(x);
  assert(tape.mirror(x).place !== before);
  tape.dispatch({ ...multiply(tape, { x, by }), groups });
  tape.run();
  assertEquals(new Set(await readFloats(gpu, x)), new Set([0]));
  tape.destroy();
});

await testUnless(
  "a tape that is refreshed sees what it reads as it was then",
  reason,
  async (gpu) => {
    const multiply = readingKernel("multiply", DOUBLE, ["x_before", "by"]);
    const fill = (tensor: Tensor, value: number) =>
      upload(gpu, tensor, new Float32Array(ENOUGH).fill(value));
    const [x, by] = ["x", "by"].map((name) => persistent(gpu, name, [ENOUGH]));
    const tape = new Tape(gpu, "refreshed", { refreshed: true });
    tape.dispatch({ ...multiply(tape, { x, by }), groups: [ENOUGH / 32] });
    const refresh = () => {
      const encoder = gpu.device.createCommandEncoder();
      tape.refresh(encoder);
      gpu.device.queue.submit([encoder.finish()]);
    };
    fill(x, 1);
    fill(by, 2);
    refresh();
    tape.run();
    fill(by, 5); // not seen before the next refresh; x, which the tape changes, always is
    tape.run();
    assertEquals((await readFloats(gpu, x))[7], 4);
    refresh();
    tape.run();
    assertEquals(new Set(await readFloats(gpu, x)), new Set([20]));
    tape.destroy();
  },
);
