/**
 * The whole policy against the float64 transformer: every family, packed batches, adapters, recomputation, dropout.
 */
import { InputError } from "../../../kernels/errors.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import { loraScale } from "../../../kernels/policy/lora.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import { loadParameters, type Parameters } from "../../../kernels/policy/parameters.ts";
import { languageModelHead, type TransformerOptions } from "../../../kernels/policy/transformer.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { crossEntropy as referenceLoss } from "../../reference/losses.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { backward, forward, type Policy, toPolicy } from "../../reference/transformer.ts";
import { randomValues, relativeError, testGpu } from "../harness.ts";
import { assertTensors, packedBatch, type Pass, runPolicy } from "./policies.ts";

// Measured on lavapipe over all families below, at worst: logits 3.0e-7, gradients 1.8e-6.
const LOGIT_TOLERANCE = 1.5e-6;
const GRADIENT_TOLERANCE = 9e-6;

/** Forward pass, cross-entropy (its weights as they are) and backward pass. */
function train(
  parameters: Parameters,
  batch: TokenBatch,
  options: Partial<TransformerOptions> = {},
): Promise<Pass> {
  return runPolicy(parameters, batch, (tape, hidden, tokens) => {
    const logits = languageModelHead(tape, parameters, hidden);
    const { value } = crossEntropy(tape, logits, tokens.targets, tokens.weights);
    return [logits, value];
  }, options);
}

function reference(policy: Policy, batch: TokenBatch) {
  const activations = forward(policy, batch);
  const { vocabSize } = policy.config;
  const { d_logits } = referenceLoss(
    activations.logits,
    batch.targets,
    batch.weights,
    vocabSize,
    1,
  );
  const gradients = backward(policy, batch, activations, d_logits).parameters;
  return { logits: activations.logits, gradients };
}

/** Configurations beyond those of the families: what no real model has, but a user may make. */
const CONFIGS: Readonly<Record<string, PolicyConfig>> = {
  ...tinyConfigs,
  "llama with heads of 2 and an MLP of 5": {
    ...tinyConfigs.llama,
    width: 7,
    heads: 3,
    kvHeads: 3,
    headDim: 2,
    ropeDims: 2,
    mlpWidth: 5,
    tiedHead: true,
  },
  "gpt2 of width 3 with one layer": {
    ...tinyConfigs.gpt2,
    layers: 1,
    width: 3,
    heads: 1,
    kvHeads: 1,
    headDim: 3,
    mlpWidth: 9,
    vocabSize: 5,
  },
};

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`${name}: logits and all gradients of a packed batch, kept and recomputed`, async () => {
    const gpu = await testGpu();
    const weights = randomWeights(config, 11);
    const batch = packedBatch(config);
    const want = reference(toPolicy(weights), batch);
    const parameters = loadParameters(gpu, weights);
    const kept = await train(parameters, batch);
    assertTensors(
      new Map([["logits", kept.outputs[0]]]),
      new Map([["logits", want.logits]]),
      LOGIT_TOLERANCE,
    );
    assertTensors(kept.gradients, want.gradients, GRADIENT_TOLERANCE);
    const again = await train(parameters, batch, { recompute: true });
    assertEquals(again.outputs, kept.outputs);
    assertEquals(again.gradients, kept.gradients);
    assert(again.dispatches > kept.dispatches);
    parameters.destroy();
  });
}

Deno.test("padding that is left over changes nothing elsewhere", async () => {
  const gpu = await testGpu();
  const parameters = loadParameters(gpu, randomWeights(tinyConfigs.qwen2, 5));
  const batch = packedBatch(tinyConfigs.qwen2);
  const other = {
    ...batch,
    ids: batch.ids.map((id, i) => i === 11 || i === 12 ? (id + 1) % 43 : id),
  };
  const [a, b] = [await train(parameters, batch), await train(parameters, other)];
  const real = (logits: Float32Array) =>
    logits.filter((_, i) => ![11, 12].includes(Math.floor(i / 43)));
  assertEquals(real(a.outputs[0]), real(b.outputs[0]));
  assertEquals(a.gradients, b.gradients);
  parameters.destroy();
});

Deno.test("a batch with an array too short or too long, or a rotary policy without its table, is refused", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const batch = packedBatch(config);
  const { rows, length } = batch;
  const tokens = new TokenTensors(gpu, config, rows, length);
  for (const name of ["ids", "targets", "weights", "positions", "starts", "klWeights"]) {
    for (const found of [rows * length - 1, rows * length + 1]) {
      const array = name.toLowerCase().endsWith("weights") ? Float32Array : Uint32Array;
      assertThrows(
        () => tokens.upload({ ...batch, [name]: new array(found) }),
        InputError,
        `batch: ${name} must have ${rows * length} values, found ${found}`,
      );
    }
  }
  tokens.destroy();
  const parameters = loadParameters(gpu, randomWeights(config, 5));
  await assertRejects(() => train(parameters, batch, { rope: null }), InputError, "ropeTable()");
  parameters.destroy();
});

Deno.test("a frozen subset leaves the other gradients as they are", async () => {
  const gpu = await testGpu();
  const weights = randomWeights(tinyConfigs.gpt_neox, 5);
  const batch = packedBatch(tinyConfigs.gpt_neox);
  const all = loadParameters(gpu, weights);
  const trainable = (name: string) => name.includes("norm1.bias") || name.includes("mlp.up.bias");
  const some = loadParameters(gpu, weights, { trainable });
  const [full, part] = [await train(all, batch), await train(some, batch)];
  assertEquals(part.gradients.size, 4);
  assertTensors(
    part.gradients,
    new Map([...full.gradients].filter(([name]) => trainable(name))),
    1e-6,
  );
  assert(part.dispatches < full.dispatches);
  all.destroy();
  some.destroy();
});

for (const family of ["llama", "qwen2", "gpt2"] as const) {
  Deno.test(`${family} with adapters: logits and their gradients, frozen weights without any`, async () => {
    const gpu = await testGpu();
    const config = tinyConfigs[family];
    const { heads, headDim, width, mlpWidth } = config;
    const targets = [
      {
        name: "q",
        parameter: "layers.0.attention.qkv.weight",
        rowStart: 0,
        rowCount: heads * headDim,
      },
      {
        name: "v",
        parameter: "layers.1.attention.qkv.weight",
        rowStart: heads * headDim,
        rowCount: headDim,
      },
      { name: "up", parameter: "layers.0.mlp.up.weight", rowStart: 0, rowCount: mlpWidth },
      { name: "down", parameter: "layers.1.mlp.down.weight", rowStart: 0, rowCount: width },
    ];
    const inner = [width, width, width, mlpWidth];
    const lora = { rank: 3, alpha: 5, dropout: 0, targets };
    const adapters = targets.map((target, i) => ({
      ...target,
      rank: 3,
      scaling: loraScale(lora),
      a: randomValues(3 * inner[i], 2 * i + 1, 0.3),
      b: randomValues(3 * target.rowCount, 2 * i + 2, 0.3),
    }));
    const weights = randomWeights(config, 4);
    const parameters = loadParameters(gpu, weights, { lora });
    parameters.load(
      new Map(adapters.flatMap(({ name, a, b }) => [
        [`lora.${name}.A`, Float32Array.from(a)] as const,
        [`lora.${name}.B`, Float32Array.from(b)] as const,
      ])),
    );
    const batch = packedBatch(config);
    const want = reference(toPolicy(weights, adapters), batch);
    for (const recompute of [false, true]) {
      const { outputs, gradients } = await train(parameters, batch, { recompute });
      assert(relativeError(outputs[0], want.logits) < LOGIT_TOLERANCE);
      assertEquals(gradients.size, 8);
      assertTensors(
        gradients,
        new Map([...want.gradients].filter(([name]) => name.startsWith("lora."))),
        GRADIENT_TOLERANCE,
      );
    }
    parameters.destroy();
  });
}

Deno.test("dropout: the seed fixes every mask, and recomputation drops the same", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const targets = [
    { name: "up", parameter: "layers.0.mlp.up.weight", rowStart: 0, rowCount: config.mlpWidth },
  ];
  const lora = { rank: 2, alpha: 2, dropout: 0.5, targets };
  const parameters = loadParameters(gpu, randomWeights(config, 4), { lora, trainable: true });
  parameters.load(
    new Map([
      ["lora.up.A", Float32Array.from(randomValues(2 * config.width, 1))],
      ["lora.up.B", Float32Array.from(randomValues(2 * config.mlpWidth, 2))],
    ]),
  );
  const batch = packedBatch(config);
  const seed: Tensor = persistent(gpu, "seed", [4], "u32");
  const run = (value: number, rate: number, recompute = false) => {
    upload(gpu, seed, Uint32Array.of(value, 0, 0, 0));
    return train(parameters, batch, { dropout: { rate, seed }, recompute });
  };
  const first = await run(1, 0.25);
  for (const recompute of [false, true]) {
    const same = await run(1, 0.25, recompute);
    assertEquals(same.outputs, first.outputs);
    assertEquals(same.gradients, first.gradients);
  }
  const without = await train(parameters, batch);
  for (const other of [await run(2, 0.25), await run(1, 0), without]) {
    assert(relativeError(other.outputs[0], first.outputs[0]) > 0.01);
  }
  // With a rate of 0 the adapters still drop.
  assert(relativeError((await run(1, 0)).outputs[0], without.outputs[0]) > 1e-4);
  parameters.destroy();
});

Deno.test("dropout's gradients are those of its masks: central differences in single weights", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.gpt2;
  const weights = randomWeights(config, 6);
  const parameters = loadParameters(gpu, weights);
  const batch = packedBatch(config);
  const seed = persistent(gpu, "seed", [4], "u32");
  upload(gpu, seed, Uint32Array.of(9, 0, 0, 0));
  const run = () => train(parameters, batch, { dropout: { rate: 0.3, seed }, recompute: true });
  const loss = async () => (await run()).outputs[1].reduce((a, b) => a + b, 0);
  const { gradients } = await run();
  for (const name of ["embed.weight", "layers.0.attention.out.weight", "layers.1.mlp.down.bias"]) {
    const slope = gradients.get(name)!;
    const direction = slope.map((g) => g / Math.hypot(...slope));
    const at = async (h: number) => {
      parameters.load(
        new Map([[name, weights.tensors.get(name)!.map((w, i) => w + h * direction[i])]]),
      );
      return await loss();
    };
    const h = 0.01;
    const difference = (await at(h) - await at(-h)) / (2 * h);
    parameters.load(weights.tensors);
    const error = Math.abs(difference / Math.hypot(...slope) - 1);
    // Measured: 2.8e-5 at worst.
    assert(error < 1.5e-4, `${name}: slope ${Math.hypot(...slope)}, differences ${difference}`);
  }
  parameters.destroy();
});
