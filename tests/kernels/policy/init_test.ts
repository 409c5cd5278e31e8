/**
 * Initial weights: their spread, their independence, and that a seed fixes them.
 */
import { parameterSpecs, type PolicyConfig } from "../../../kernels/policy/config.ts";
import { defaultInitStd, initialWeights, normalValues } from "../../../kernels/policy/init.ts";
import { assert, assertEquals } from "../../assert.ts";
import { tinyConfigs } from "../../reference/tiny_policies.ts";

const config: PolicyConfig = {
  ...tinyConfigs.gpt2,
  layers: 8,
  width: 100,
  heads: 4,
  kvHeads: 4,
  headDim: 25,
  mlpWidth: 200,
  vocabSize: 300,
};

/** Mean, standard deviation, and the correlation of neighbours. */
function moments(values: Float32Array): { mean: number; std: number; neighbours: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const centred = Float64Array.from(values, (v) => v - mean);
  const variance = centred.reduce((sum, v) => sum + v * v, 0) / values.length;
  const product = centred.slice(1).reduce((sum, v, i) => sum + v * centred[i], 0) / values.length;
  return { mean, std: Math.sqrt(variance), neighbours: product / variance };
}

Deno.test("matrices have the width's spread, residual projections less by sqrt(2 layers), vectors are 1 and 0", () => {
  const { tensors } = initialWeights(config, 7);
  const std = defaultInitStd(config.width);
  assertEquals(std, 0.06);
  for (const { name, shape } of parameterSpecs(config)) {
    const values = tensors.get(name)!;
    assertEquals(values.length, shape.reduce((a, b) => a * b, 1));
    if (shape.length === 1) {
      assert(values.every((v) => v === (name.endsWith("bias") ? 0 : 1)), name);
      continue;
    }
    const want = /attention\.out|mlp\.down/.test(name) ? std / 4 : std;
    const found = moments(values);
    // Five standard errors: of a mean, std / sqrt(n); of a standard deviation, std / sqrt(2 n); of a correlation, 1 / sqrt(n).
    const error = 5 / Math.sqrt(values.length);
    assert(Math.abs(found.mean) < error * want, `${name}: mean ${found.mean}`);
    assert(Math.abs(found.std / want - 1) < error / Math.SQRT2, `${name}: std ${found.std}`);
    assert(Math.abs(found.neighbours) < error, `${name}: neighbours correlate ${found.neighbours}`);
  }
});

Deno.test("values are normal: the shares within 1, 2 and 3 standard deviations, and no value is not finite", () => {
  const values = normalValues(100_001, 2, 3, 4);
  for (const [within, share] of [[1, 0.6827], [2, 0.9545], [3, 0.9973]]) {
    const found = values.filter((v) => Math.abs(v) < 2 * within).length / values.length;
    const error = 5 * Math.sqrt(share * (1 - share) / values.length);
    assert(Math.abs(found - share) < error, `${found} within ${within}`);
  }
  assert(values.every(Number.isFinite));
});

Deno.test("the same seed gives the same weights; seeds and parameters differ from each other", () => {
  const first = initialWeights(config, 1).tensors;
  assertEquals(initialWeights(config, 1).tensors, first);
  const other = initialWeights(config, 2).tensors;
  const matrices = parameterSpecs(config).filter(({ shape }) => shape.length === 2);
  const firsts = matrices.flatMap(({ name }) => [first.get(name)![0], other.get(name)![0]]);
  assertEquals(new Set(firsts).size, firsts.length);
  assertEquals(
    moments(initialWeights(config, 1, 0.5).tensors.get("embed.weight")!).std > 0.45,
    true,
  );
});
