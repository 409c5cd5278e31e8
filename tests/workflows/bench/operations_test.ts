/** The truth that kernels are judged by, against the independent references of tests/reference. */
import { parameterCount } from "../../../kernels/policy/config.ts";
import { ADAM, type KernelTask, type Operation } from "../../../workflows/bench/contest.ts";
import {
  operationEntries,
  operationInputs,
  operationTruth,
  targetOf,
} from "../../../workflows/bench/operations.ts";
import { TINY } from "../../../workflows/bench/policies.ts";
import { problemWith } from "../../../workflows/bench/truth.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";
import { attention, attentionBackward, joinQkv, splitQkv } from "../../reference/attention.ts";
import { layerNorm, layerNormBackward } from "../../reference/norm.ts";
import { targetLogProbs, targetLogProbsBackward } from "../../reference/softmax.ts";

const { config, rows, length } = TINY;
const tokens = rows * length;
const { width, heads, headDim, vocabSize, normEps } = config;
const ones = new Float64Array(width).fill(1);
const zeros = new Float64Array(width);
const targets = Array.from({ length: tokens }, (_, i) => targetOf(i, config));

const task = (operation: Operation, backward: boolean): KernelTask => ({
  kind: "kernel",
  operation,
  backward,
  config,
  rows,
  length,
});

/** The whole result of an operation, or of its backward pass, by the references. */
function whole(one: KernelTask): Float64Array {
  const inputs = operationInputs(one, tokens);
  const [x, d_y] = [Float64Array.from(inputs.x), Float64Array.from(inputs.d_y)];
  if (one.operation === "norm") {
    return one.backward
      ? layerNormBackward(x, ones, d_y, width, normEps).d_x
      : layerNorm(x, ones, zeros, width, normEps);
  }
  if (one.operation === "cross entropy") {
    const share = new Float64Array(tokens).fill(-1 / tokens);
    return one.backward
      ? targetLogProbsBackward(x, targets, share, vocabSize)
      : targetLogProbs(x, targets, vocabSize).map((value) => -value / tokens);
  }
  const shape = { rows, length, heads, kvHeads: heads, headDim };
  const starts = new Uint32Array(tokens);
  const { q, k, v } = splitQkv(x, shape);
  if (!one.backward) return attention(q, k, v, starts, shape).out;
  const { d_q, d_k, d_v } = attentionBackward(q, k, v, starts, d_y, shape);
  return joinQkv(d_q, d_k, d_v, shape);
}

for (const operation of ["attention", "norm", "cross entropy"] as const) {
  for (const backward of [false, true]) {
    Deno.test(`truth of ${operation}, ${backward ? "backward" : "forward"}: that of the reference`, () => {
      const one = task(operation, backward);
      const all = whole(one);
      const entries = operationEntries(one, tokens);
      assertEquals(new Set(entries).size, entries.length);
      const got = operationTruth(one, tokens);
      entries.forEach((at, i) => {
        assert(at < all.length, `${at} of ${all.length}`);
        assertAlmostEquals(got[i], all[at], 1e-7 * Math.max(1, Math.abs(all[at])));
      });
      assertEquals(problemWith(one, got), null);
      assert(problemWith(one, got.with(0, got[1]))?.startsWith("error "));
      assert(problemWith(one, got.map((value) => 1.001 * value))?.startsWith("error "));
    });
  }
}

Deno.test("truth of adamw: the first step goes against the gradient, by the learning rate", () => {
  const one = task("adamw", false);
  const count = parameterCount(config);
  const truth = operationTruth(one, count);
  const { x } = operationInputs(one, count);
  operationEntries(one, count).forEach((at, i) => {
    assertEquals(Math.sign(truth[i]), -Math.sign(x[at]));
    assertAlmostEquals(Math.abs(truth[i]), ADAM.learningRate, 1e-8);
  });
});
