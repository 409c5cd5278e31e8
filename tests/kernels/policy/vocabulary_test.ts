/**
 * Losses over the vocabulary part by part: the same losses and gradients as over all logits at once, in less memory.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor } from "../../../kernels/gpu/tensor.ts";
import { readTensors } from "../../../kernels/gpu/readback.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../../kernels/losses/kl_divergence.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import { languageModelHead } from "../../../kernels/policy/transformer.ts";
import { overVocabulary, type TokenPart } from "../../../kernels/policy/vocabulary.ts";
import { linear } from "../../../kernels/matmul/linear.ts";
import { embedding, sortByEntry } from "../../../kernels/embedding/embedding.ts";
import { sumInto } from "../../../kernels/reduce/sum.ts";
import { assert, assertEquals } from "../../assert.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import {
  isSwiftShader,
  randomValues,
  relativeError,
  tensorOf,
  testGpu,
  testUnless,
} from "../harness.ts";

// Measured on lavapipe: 9e-8 for gradients; per-token losses are equal to the bit.
const TOLERANCE = 5e-7;

const TOKENS = 150;

/** Loss, gradient of the hidden states and of the parameters, with at most `most` bytes of logits at once. */
async function lossOf(most: number | undefined, withKl: boolean) {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const parameters = loadParameters(gpu, randomWeights(config, 1));
  const prior = loadParameters(gpu, randomWeights(config, 2), {
    trainable: false,
  });
  const values = randomValues(TOKENS * config.width, 3);
  const hidden = tensorOf(gpu, "hidden", [TOKENS, config.width], values);
  hidden.needsGrad = true;
  const targets = tensorOf(
    gpu,
    "targets",
    [TOKENS],
    Array.from({ length: TOKENS }, (_, i) => 7 * i % config.vocabSize),
    "u32",
  );
  const weights = tensorOf(gpu, "weights", [TOKENS], randomValues(TOKENS, 4).map(Math.abs));
  const metrics = persistent(gpu, "metrics", [4]);
  const tape = new Tape(gpu, "losses");
  const sizes: number[] = [];
  tape.clear(metrics);
  tape.clear(parameters.gradients!);
  overVocabulary(tape, parameters, hidden, (logits: Tensor, part: TokenPart) => {
    sizes.push(logits.rows);
    const { value } = crossEntropy(tape, logits, part(targets), part(weights));
    sumInto(tape, value, metrics, 0, { accumulate: true });
    if (!withKl) return;
    const before = tape.noGrad(() => languageModelHead(tape, prior, part(hidden)));
    const kl = klDivergence(tape, logits, before, part(weights), "policy_prior", 0.5);
    sumInto(tape, kl, metrics, 1, { accumulate: true });
  }, most);
  tape.backward();
  const outputs = [metrics, tape.keep(hidden.grad!), parameters.gradients!];
  tape.poison();
  tape.run();
  const [loss, d_hidden, gradients] = await readTensors(gpu, outputs);
  const { bytes } = tape;
  tape.destroy();
  return { loss, d_hidden, gradients, sizes, bytes };
}

for (const withKl of [false, true]) {
  Deno.test(`losses ${withKl ? "and KL " : ""}part by part are those of all logits at once`, async () => {
    const whole = await lossOf(undefined, withKl);
    const parts = await lossOf(1, withKl);
    assertEquals(whole.sizes, [TOKENS]);
    assertEquals(parts.sizes, [64, 64, 22]);
    for (const name of ["loss", "d_hidden", "gradients"] as const) {
      const error = relativeError(parts[name], whole[name]);
      assert(error < TOLERANCE, `${name}: ${error}`);
    }
    assert(parts.d_hidden.some((v) => v !== 0) && parts.loss[0] > 0);
  });
}

// GPT-2's vocabulary at its width is 147 MiB: more than a binding of 128 MiB holds, which is what WebGPU promises.
const WINDOWS = "a head and a table of 50,257 x 768: values and gradients across their windows";
const slow = (gpu: Gpu) => isSwiftShader(gpu) ? "takes minutes on SwiftShader" : null;
await testUnless(WINDOWS, slow, async (gpu) => {
  const [entries, width, tokens] = [50_257, 768, 8];
  const valueAt = (row: number, column: number) => ((row * 31 + column * 17) % 1009) / 1009 - 0.5;
  const weights = new Float64Array(entries * width);
  for (let r = 0; r < entries; r++) {
    for (let c = 0; c < width; c++) weights[r * width + c] = Math.fround(valueAt(r, c));
  }
  const table = tensorOf(gpu, "embed.weight", [entries, width], weights);
  table.needsGrad = true;
  table.grad = persistent(gpu, "d_embed.weight", [entries, width]);
  const ids = Uint32Array.of(0, 43_000, 50_256, 17, 43_690, 43_691, 17, 30_000);
  const { order, segments } = sortByEntry(ids, entries);
  const u32 = (name: string, shape: number[], values: Uint32Array) =>
    tensorOf(gpu, name, shape, values, "u32");
  const lists = {
    order: u32("order", [tokens], order),
    segments: u32("segments", [segments.length / 4, 4], segments),
  };
  const tape = new Tape(gpu, "large");
  const x = tape.keep(embedding(tape, { table, indices: u32("ids", [tokens], ids), lists }, null));
  const logits = tape.keep(linear(tape, x, table));
  logits.grad = tensorOf(gpu, "d_logits", [tokens, entries], randomValues(tokens * entries, 5));
  tape.backward();
  tape.keep(x.grad!);
  tape.poison();
  tape.run();
  const [xs, ys, d_x, d_table] = await readTensors(gpu, [x, logits, x.grad!, table.grad!]);
  const d_logits = randomValues(tokens * entries, 5);
  tape.destroy();
  const checked = { x: 0, logits: 0, d_x: 0, d_table: 0 };
  const worse = (name: keyof typeof checked, got: number, want: number, scale: number) =>
    checked[name] = Math.max(checked[name], Math.abs(got - want) / scale);
  ids.forEach((id, t) => {
    for (const c of [0, 5, 767]) worse("x", xs[t * width + c], weights[id * width + c], 1);
    for (const v of [0, 43_689, 43_690, 43_691, 50_255, 50_256]) {
      let want = 0;
      for (let c = 0; c < width; c++) want += weights[id * width + c] * weights[v * width + c];
      worse("logits", ys[t * entries + v], want, 20);
    }
    let want = 0;
    for (let v = 0; v < entries; v++) want += d_logits[t * entries + v] * weights[v * width + 3];
    worse("d_x", d_x[t * width + 3], want, 40);
  });
  for (const v of [0, 16, 17, 43_690, 43_691, 50_256]) {
    let want = 0;
    ids.forEach((id, t) => {
      want += d_logits[t * entries + v] * weights[id * width + 3];
      if (id === v) want += d_x[t * width + 3];
    });
    worse("d_table", d_table[v * width + 3], want, 1);
  }
  for (const tensor of [table, table.grad, logits.grad]) tensor!.place.buffer!.destroy();
  assertEquals(checked.x, 0);
  // Measured on lavapipe: 1.1e-6, 5.2e-6 (a sum of 50,257 terms) and 1.5e-6.
  assert(
    checked.logits < 5e-6 && checked.d_table < 7e-6 && checked.d_x < 2.5e-5,
    JSON.stringify(checked),
  );
});
