/**
 * Accumulated squares and the EWC penalty against the float64 reference.
 */
import { accumulateSquares, ewcPenalty } from "../../../kernels/fisher/fisher.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import * as reference from "../../reference/fisher.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

for (const length of [1, 7, 257, 100_003]) {
  Deno.test(`squares of ${length} gradients add up`, async () => {
    const gpu = await testGpu();
    const [first, second, start] = [1, 2, 3].map((seed) => randomValues(length, seed));
    const [fisher] = await runTape(gpu, (tape) => {
      const fisher = tensorOf(gpu, "fisher", [length], start);
      accumulateSquares(tape, tensorOf(gpu, "d_theta", [length], first), fisher, 0.25);
      accumulateSquares(tape, tensorOf(gpu, "d_theta", [length], second), fisher, 0.5);
      return [fisher];
    });
    const want = start.map((f, i) => f + 0.25 * first[i] ** 2 + 0.5 * second[i] ** 2);
    assert(relativeError(fisher, want) < 3e-7);
  });

  Deno.test(`EWC penalty and gradient over ${length} parameters`, async () => {
    const gpu = await testGpu();
    const [theta, anchor, d_theta] = [1, 2, 3].map((seed) => randomValues(length, seed));
    const fisher = randomValues(length, 4).map((x) => x * x).map(Math.fround);
    const [metrics, gradient] = await runTape(gpu, (tape) => {
      const t = tensorOf(gpu, "theta", [length], theta);
      const a = tensorOf(gpu, "anchor", [length], anchor);
      const f = tensorOf(gpu, "fisher", [length], fisher);
      const out = tensorOf(gpu, "metrics", [4], [9, 9, 9, 9]);
      ewcPenalty(tape, t, a, f, 2.5, out, 2); // without a gradient: the value only
      t.grad = tensorOf(gpu, "d_theta", [length], d_theta);
      ewcPenalty(tape, t, a, f, 2.5, out, 1);
      return [out, t.grad];
    });
    const map = (values: Float64Array) => new Map([["theta", values]]);
    const want = reference.ewcPenalty(map(theta), map(anchor), map(fisher), 2.5);
    for (const slot of [1, 2]) {
      assert(Math.abs(metrics[slot] / want.penalty - 1) < 1e-6, `${metrics} ${want.penalty}`);
    }
    assertEquals([metrics[0], metrics[3]], [9, 9]);
    const wantGradient = want.gradient.get("theta")!.map((g, i) => g + d_theta[i]);
    assert(relativeError(gradient, wantGradient) < 3e-7);
  });
}

Deno.test("at the anchor penalty and gradient are exactly zero", async () => {
  const gpu = await testGpu();
  const values = randomValues(33, 1);
  const [metrics, gradient] = await runTape(gpu, (tape) => {
    const theta = tensorOf(gpu, "theta", [33], values);
    theta.grad = tensorOf(gpu, "d_theta", [33], new Float64Array(33));
    const fisher = tensorOf(gpu, "fisher", [33], values.map(Math.abs));
    const out = tensorOf(gpu, "metrics", [1], [9]);
    ewcPenalty(tape, theta, tensorOf(gpu, "anchor", [33], values), fisher, 1e6, out, 0);
    return [out, theta.grad];
  });
  assertEquals(metrics[0], 0);
  assert(gradient.every((g) => g === 0));
});

Deno.test("Fisher operations name what does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const [a, b] = [tensorOf(gpu, "a", [4], [1, 2, 3, 4]), tensorOf(gpu, "b", [3], [1, 2, 3])];
  assertThrows(() => accumulateSquares(tape, a, b, 1), Error, "b must be a f32 vector [4]");
  assertThrows(() => ewcPenalty(tape, a, a, b, 1, b, 0), Error, "b must be a f32 vector [4]");
  assertThrows(() => ewcPenalty(tape, a, a, a, -1, b, 0), Error, "kappa must be at least 0");
});
