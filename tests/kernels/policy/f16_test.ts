/**
 * Policies in mixed precision: as close to float64 as float16 operands allow, with float32 master weights behind them.
 */
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { Generator } from "../../../kernels/policy/generate.ts";
import { gatherRows } from "../../../kernels/embedding/gather_rows.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { languageModelHead } from "../../../kernels/policy/transformer.ts";
import { assert, assertEquals } from "../../assert.ts";
import { crossEntropy as referenceLoss } from "../../reference/losses.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { backward, forward, toPolicy } from "../../reference/transformer.ts";
import { halfTest, relativeError, tensorOf } from "../harness.ts";
import { assertTensors, packedBatch, runPolicy } from "./policies.ts";

// Float16 has 11 bits: 4.9e-4 per rounding. Measured on lavapipe over the families below, at worst: logits
// 9.8e-4, gradients 3.4e-3.
const LOGIT_TOLERANCE = 5e-3;
const GRADIENT_TOLERANCE = 1.7e-2;

for (const [family, config] of Object.entries(tinyConfigs)) {
  await halfTest(`${family} in float16: logits and gradients, kept and recomputed`, async (gpu) => {
    const weights = randomWeights(config, 11);
    const batch = packedBatch(config);
    const policy = toPolicy(weights);
    const activations = forward(policy, batch);
    const { d_logits } = referenceLoss(
      activations.logits,
      batch.targets,
      batch.weights,
      config.vocabSize,
      1,
    );
    const want = backward(policy, batch, activations, d_logits).parameters;
    const parameters = loadParameters(gpu, weights, { precision: "f16" });
    const train = (recompute: boolean) =>
      runPolicy(parameters, batch, (tape, hidden, tokens) => {
        assertEquals(hidden.dtype, "f16");
        const logits = languageModelHead(tape, parameters, hidden);
        crossEntropy(tape, logits, tokens.targets, tokens.weights, "f16");
        return [logits];
      }, { recompute });
    const kept = await train(false);
    const error = relativeError(kept.outputs[0], activations.logits);
    assert(error > 1e-5, "float16 must be in use");
    assert(error < LOGIT_TOLERANCE, `logits: ${error}`);
    assertTensors(kept.gradients, want, GRADIENT_TOLERANCE);
    const again = await train(true);
    assertEquals([again.outputs, again.gradients], [kept.outputs, kept.gradients]);
    parameters.destroy();
  });
}

await halfTest(
  "operands are the float32 weights rounded, after loading and after an update",
  async (gpu) => {
    const config = tinyConfigs.qwen2;
    const weights = randomWeights(config, 1);
    const trainable = (name: string) => name.startsWith("layers.0");
    const parameters = loadParameters(gpu, weights, { precision: "f16", trainable });
    const check = async (name: string) => {
      const [operand, master] = [parameters.operand(name), parameters.get(name)];
      const [half, full] = [await readFloats(gpu, operand), await readFloats(gpu, master)];
      assertEquals(half, full.map((v) => Math.f16round(v)), name);
      assertEquals([operand.grad, operand.needsGrad], [master.grad, master.needsGrad]);
      return full;
    };
    for (const name of parameters.names) await check(name);
    assertEquals([...(await parameters.weights()).tensors].sort(), [...weights.tensors].sort());

    const name = "layers.0.mlp.up.weight";
    const { offset, place, stored } = parameters.get(name);
    const before = await check(name);
    gpu.device.queue.writeBuffer(place.buffer!, offset, new Float32Array(stored).fill(0.1));
    const tape = new Tape(gpu, "refresh");
    parameters.recordOperands(tape);
    tape.run();
    const after = await check(name);
    assert(after.every((v, i) => v !== before[i]));
    tape.destroy();
    parameters.destroy();
  },
);

await halfTest("in float32 nothing is copied, and operands are the weights themselves", (gpu) => {
  const parameters = loadParameters(gpu, randomWeights(tinyConfigs.llama, 1));
  const tape = new Tape(gpu, "nothing");
  parameters.recordOperands(tape);
  assertEquals(tape.dispatchCount, 0);
  for (const name of parameters.names) assert(parameters.operand(name) === parameters.get(name));
  parameters.destroy();
});

await halfTest(
  "a policy in float16 generates what its full forward pass finds most likely",
  async (gpu) => {
    const config = tinyConfigs.llama;
    const parameters = loadParameters(gpu, randomWeights(config, 2), {
      precision: "f16",
      trainable: false,
    });
    const batch = packedBatch(config);
    const prompt = [...batch.ids.subarray(13, 13 + 9)];
    const generator = new Generator(parameters, { batch: 1, maxNew: 5 });
    const [reply] = await generator.generate([prompt], { temperature: 0, seed: 0, padToken: 0 });
    const text = [...prompt, ...reply.ids];
    const length = text.length - 1;
    const count = Uint32Array.from({ length }, (_, i) => i);
    const whole = {
      ...batch,
      rows: 1,
      length,
      ids: Uint32Array.from(text.slice(0, -1)),
      targets: new Uint32Array(length),
      weights: new Float32Array(length),
      positions: count,
      starts: new Uint32Array(length),
    };
    const chosen = tensorOf(gpu, "chosen", [5], count.slice(-5), "u32");
    const { outputs } = await runPolicy(
      parameters,
      whole,
      (tape, hidden) => [languageModelHead(tape, parameters, gatherRows(tape, hidden, chosen))],
    );
    const best = reply.ids.map((_, i) => {
      const logits = outputs[0].subarray(i * config.vocabSize, (i + 1) * config.vocabSize);
      return logits.indexOf(Math.max(...logits));
    });
    assertEquals(reply.ids, best);
    generator.destroy();
    parameters.destroy();
  },
);
