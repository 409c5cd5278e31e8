import { assert, assertEquals } from "../assert.ts";
import { type Family, parameterSpecs, type PolicyConfig } from "../../kernels/policy/config.ts";
import type { TokenBatch } from "../../workflows/data/batch.ts";
import { assertGradient, centralDifferences, functional } from "./differences.ts";
import { rowOf } from "./fisher.ts";
import type { Lora } from "./lora.ts";
import { crossEntropy } from "./losses.ts";
import { dot, relativeError } from "./numbers.ts";
import { randomIntegers, randomNormals } from "./random.ts";
import { randomWeights, tinyConfigs } from "./tiny_policies.ts";
import { lossAndGradients } from "./training.ts";
import { backward, forward, type Policy, toPolicy } from "./transformer.ts";

const families = Object.keys(tinyConfigs) as Family[];

/** Smaller still, so that every single parameter can be moved. */
const shrink = (config: PolicyConfig): PolicyConfig => ({
  ...config,
  vocabSize: 7,
  context: 6,
  width: 6,
  heads: 2,
  kvHeads: Math.min(config.kvHeads, 2),
  headDim: 4,
  ropeDims: Math.min(config.ropeDims, 4),
  mlpWidth: 5,
});

/** Two rows; the second packs two sequences, one of them with positions from 0 again. */
function batchFor(vocab: number, seed: number): TokenBatch {
  const length = 5;
  return {
    rows: 2,
    length,
    ids: randomIntegers(2 * length, vocab, seed),
    targets: randomIntegers(2 * length, vocab, seed, 1),
    weights: Float32Array.of(1, 0, 2, 1, 0, 1, 0.5, 0, 1, 1),
    positions: Uint32Array.of(0, 1, 2, 3, 4, 0, 1, 0, 1, 2),
    starts: Uint32Array.of(0, 0, 0, 0, 0, 0, 0, 2, 2, 2),
  };
}

/** Adapters on the queries and on the values, as PEFT places them. */
function adaptersFor(config: PolicyConfig): Lora[] {
  const parameter = "layers.1.attention.qkv.weight";
  const [queries, kv] = [config.heads * config.headDim, config.kvHeads * config.headDim];
  const make = (name: string, rowStart: number, rowCount: number): Lora => ({
    name,
    parameter,
    rowStart,
    rowCount,
    rank: 2,
    scaling: 2,
    a: randomNormals(2 * config.width, 31, rowStart),
    b: randomNormals(rowCount * 2, 32, rowStart),
  });
  return [make("q", 0, queries), make("v", queries + kv, kv)];
}

for (const family of families) {
  const config = shrink(tinyConfigs[family]);
  Deno.test(`transformer ${family}: the gradient of every parameter and adapter`, () => {
    const adapters = adaptersFor(config);
    const policy = toPolicy(randomWeights(config, 1), adapters);
    const batch = batchFor(config.vocabSize, 2);
    const { gradients } = lossAndGradients(policy, batch);
    const { targets, weights } = batch;
    const f = () =>
      crossEntropy(forward(policy, batch).logits, targets, weights, config.vocabSize).loss;
    const expected = new Map(policy.parameters);
    for (const { name, a, b } of adapters) {
      expected.set(`lora.${name}.A`, a).set(`lora.${name}.B`, b);
    }
    assertEquals([...gradients.keys()].sort(), [...expected.keys()].sort());
    for (const [name, values] of expected) {
      const differences = centralDifferences(f, values);
      const gradient = gradients.get(name)!;
      const error = relativeError(gradient, differences);
      // Below this the differences are noise, and the gradient must vanish too.
      const norms = [gradient, differences].map((x) => Math.sqrt(dot(x, x)));
      assert(error < 1e-6 || Math.max(...norms) < 1e-9, `${name}: ${error}`);
    }
  });

  Deno.test(`transformer ${family}: packed sequences do not see each other, rows neither`, () => {
    const policy = toPolicy(randomWeights(tinyConfigs[family], 3));
    const batch = batchFor(policy.config.vocabSize, 4);
    const { logits } = forward(policy, batch);
    const row = rowOf(batch, 1);
    const cut = {
      rows: 1,
      length: 3,
      ids: row.ids.slice(2),
      positions: row.positions.slice(2),
      starts: new Uint32Array(3),
    };
    const alone = forward(policy, cut).logits;
    assert(relativeError(alone, logits.slice(-alone.length)) < 1e-14);
    assert(relativeError(forward(policy, row).logits, logits.slice(logits.length / 2)) < 1e-14);
  });

  Deno.test(`transformer ${family}: has a gradient for every parameter of the contract`, () => {
    const { config } = toPolicy(randomWeights(tinyConfigs[family], 5));
    const policy = toPolicy(randomWeights(config, 5));
    const { gradients } = lossAndGradients(policy, batchFor(config.vocabSize, 6));
    for (const { name, shape } of parameterSpecs(config)) {
      assertEquals(gradients.get(name)?.length, shape.reduce((a, b) => a * b, 1), name);
    }
    assertEquals(gradients.size, parameterSpecs(config).length);
  });
}

Deno.test("transformer: gradients of the embeddings, and of a head that reads the hidden state", () => {
  const policy: Policy = toPolicy(randomWeights(shrink(tinyConfigs.llama), 7));
  const batch = batchFor(7, 8);
  const { embedded } = forward(policy, batch);
  const onLogits = functional(10 * 7, 9);
  const onHidden = functional(10 * 6, 10);
  const activations = forward(policy, batch, embedded);
  const g = backward(policy, batch, activations, onLogits.d_y, onHidden.d_y);
  const f = () => {
    const { logits, hidden } = forward(policy, batch, embedded);
    return onLogits.of(logits) + onHidden.of(hidden);
  };
  assertGradient("d_embedded", f, embedded, g.d_embedded);
  const norm = policy.parameters.get("layers.0.norm1.weight")!;
  assertGradient("d_norm", f, norm, g.parameters.get("layers.0.norm1.weight")!);
});
