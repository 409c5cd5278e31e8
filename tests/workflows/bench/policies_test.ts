/** The measured shapes are those of training: the products of a policy are what its recorded step computes. */
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent } from "../../../kernels/gpu/tensor.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { parameterCount } from "../../../kernels/policy/config.ts";
import { arithmeticRoof } from "../../../kernels/roof/roof.ts";
import { benchCases } from "../../../workflows/bench/cases.ts";
import { RECURRENCE, storedShapes } from "../../../workflows/bench/contest.ts";
import {
  LARGE,
  MEDIUM,
  productsOf,
  SMALL,
  stepFlops,
  TINY,
} from "../../../workflows/bench/policies.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";

Deno.test("bench: the three policies have the sizes that their names promise", () => {
  const millions = [SMALL, MEDIUM, LARGE].map(({ config }) =>
    Math.round(parameterCount(config) / 1e5) / 10
  );
  assertEquals(millions, [0.9, 13.9, 124.4]);
});

for (const sized of [TINY, SMALL, MEDIUM, LARGE]) {
  Deno.test(`bench: the products of ${sized.size} are all of its step but attention`, () => {
    const { config, rows, length } = sized;
    const tokens = rows * length;
    const products = productsOf(sized);
    assertEquals(products.length, 15);
    for (const form of ["nt", "nn", "tn"]) {
      assertEquals(products.filter((one) => one.form === form).length, 5);
    }
    const flops = products.reduce((sum, { m, n, k, times }) => sum + 2 * m * n * k * times, 0);
    const attention = 12 * config.layers * config.width * length * tokens;
    assertEquals(flops, stepFlops(config, tokens, length) - attention);
  });
}

Deno.test("bench: a step's operations are six per weight and token when attention is short", () => {
  const { config } = SMALL;
  // Biases, norms and positions do not multiply: 2 % of this policy's values.
  const perToken = stepFlops(config, 1, 0);
  const share = perToken / (6 * parameterCount(config));
  assert(share > 0.97 && share < 1, String(share));
  assertEquals(stepFlops(config, 1, 128) - perToken, 12 * 4 * 128 * 128);
});

Deno.test("bench: the work of products and roofs is what their kernels state", async () => {
  const gpu = await testGpu();
  let seen = 0;
  for (const { task, work } of benchCases({ quick: true })) {
    const tape = new Tape(gpu, "count");
    if (task.kind === "matmul") {
      const { a, b } = storedShapes(task);
      matmul(tape, task.form, persistent(gpu, "a", a), persistent(gpu, "b", b));
      assertEquals(tape.flops, work.flops);
      seen++;
    } else if (task.kind === "arithmetic") {
      const vector = () => tape.tensor("vector", [task.values]);
      assertEquals(arithmeticRoof(tape, vector(), vector(), RECURRENCE), work.flops);
      seen++;
    }
  }
  assertEquals(seen, 3 + 15 + 1);
});

Deno.test("bench: every case has a name of its own, and the full list holds every size", () => {
  for (const quick of [true, false]) {
    const ids = benchCases({ quick, stories: { model: "m", tokenizer: "t" } }).map(({ id }) => id);
    assertEquals(new Set(ids).size, ids.length);
    for (const id of quick ? ["step-tiny"] : ["step-small", "step-medium", "step-large"]) {
      assert(ids.includes(id), id);
    }
    assert(ids.includes(quick ? "stories-4" : "stories-64"));
  }
  const large = benchCases({ quick: false, largeLength: 64 })
    .find(({ id }) => id === "step-large")!;
  assertEquals(large.work.tokens, 64);
});
