/**
 * Sums, column sums and the global norm against float64 sums.
 */
import { globalNorm } from "../../../kernels/reduce/global_norm.ts";
import { columnSum, sumInto } from "../../../kernels/reduce/sum.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { Tensor } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import {
  AWKWARD,
  randomValues,
  relativeError,
  runTape,
  tensorOf,
  testGpu,
  testUnless,
} from "../harness.ts";

/** Relative to the sum of magnitudes; measured on lavapipe: 1e-7 at most. */
const LIMIT = 5e-7;

const magnitude = (x: Float64Array) => x.reduce((sum, v) => sum + Math.abs(v), 0);
const total = (x: Float64Array) => x.reduce((sum, v) => sum + v, 0);

for (const length of [...AWKWARD, 1024, 16_385, 250_001]) {
  Deno.test(`sum of ${length} values, replaced and accumulated, leaves its neighbours alone`, async () => {
    const gpu = await testGpu();
    const values = randomValues(length, length);
    const [metrics] = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "x", [length], values);
      const out = tensorOf(gpu, "metrics", [5], [1, 2, 3, 4, 5]);
      sumInto(tape, x, out, 1);
      sumInto(tape, x, out, 3, { scale: -0.5, accumulate: true });
      return [out];
    });
    assertEquals([metrics[0], metrics[2], metrics[4]], [1, 3, 5]);
    const tolerance = LIMIT * (magnitude(values) + 4);
    assert(Math.abs(metrics[1] - total(values)) < tolerance, `${metrics[1]} ${total(values)}`);
    assert(Math.abs(metrics[3] - (4 - 0.5 * total(values))) < tolerance);
  });
}

Deno.test("a sum ignores what lies beyond the end of its vector", async () => {
  const gpu = await testGpu();
  const whole = tensorOf(gpu, "whole", [8], [1, 2, 4, 8, 16, NaN, 1, 1]);
  const [metrics] = await runTape(gpu, (tape) => {
    const out = tensorOf(gpu, "metrics", [4], [0, 0, 0, 0]);
    const head = new Tensor("head", [5], "f32", whole.place);
    sumInto(tape, head, out, 0);
    globalNorm(tape, head, out, 1);
    return [out];
  });
  assertEquals(Array.from(metrics), [31, Math.fround(Math.sqrt(341)), 0, 0]);
});

for (const [rows, columns] of [[1, 1], [3, 5], [31, 7], [33, 128], [257, 65], [1024, 12]]) {
  Deno.test(`column sums of ${rows} x ${columns}`, async () => {
    const gpu = await testGpu();
    const values = randomValues(rows * columns, rows);
    const start = randomValues(columns, 2);
    const want = new Float64Array(columns);
    values.forEach((v, i) => want[i % columns] += v);
    const [fresh, added] = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "x", [rows, columns], values);
      const fresh = tape.tensor("fresh", [columns]);
      const added = tensorOf(gpu, "added", [columns], start);
      columnSum(tape, x, fresh);
      columnSum(tape, x, added, { accumulate: true });
      return [fresh, added];
    });
    assert(relativeError(fresh, want) < 2e-6);
    assert(relativeError(added, want.map((v, i) => v + start[i])) < 2e-6);
  });
}

for (const length of [1, 5, 257, 4096, 250_001]) {
  Deno.test(`global norm of ${length} gradients`, async () => {
    const gpu = await testGpu();
    const values = randomValues(length, 3, 0.01);
    const [metrics] = await runTape(gpu, (tape) => {
      const out = tensorOf(gpu, "metrics", [4], [7, 7, 7, 7]);
      globalNorm(tape, tensorOf(gpu, "g", [length], values), out, 1);
      return [out];
    });
    const want = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
    assert(Math.abs(metrics[1] / want - 1) < LIMIT, `${metrics[1]} ${want}`);
    assertEquals([metrics[0], metrics[2], metrics[3]], [7, 0, 7]);
  });
}

for (
  const [name, bad] of [["NaN", NaN], ["infinity", -Infinity], [
    "an overflowing square",
    1e20,
  ]] as const
) {
  for (const at of [0, 4097, 9_999]) {
    Deno.test(`global norm: ${name} at ${at} sets the flag`, async () => {
      const gpu = await testGpu();
      const values = randomValues(10_000, 5);
      values[at] = bad;
      const [metrics] = await runTape(gpu, (tape) => {
        const out = tensorOf(gpu, "metrics", [2], [0, 0]);
        globalNorm(tape, tensorOf(gpu, "g", [10_000], values), out, 0);
        return [out];
      });
      assertEquals(metrics[1], 1);
    });
  }
}

await testUnless(
  "global norm over more than one window: a vector of 2^25 + 192 floats",
  (gpu) => gpu.device.limits.maxStorageBufferBindingSize > 2 ** 27 ? "one binding holds it" : null,
  async (gpu) => {
    const length = 2 ** 25 + 192;
    const values = new Float32Array(length);
    values[3] = 3;
    values[length - 1] = 4;
    const [metrics] = await runTape(gpu, (tape) => {
      const out = tensorOf(gpu, "metrics", [2], [0, 0]);
      globalNorm(tape, tensorOf(gpu, "g", [length], values), out, 0);
      return [out];
    });
    assertEquals(Array.from(metrics), [5, 0]);
  },
);

Deno.test("sums name the tensor or index that does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const out = tensorOf(gpu, "metrics", [2], [0, 0]);
  assertThrows(() => sumInto(tape, x, out, 2), Error, "no room for 1 value(s) at index 2");
  assertThrows(() => globalNorm(tape, x, out, 1), Error, "no room for 2 value(s) at index 1");
  const matrix = tensorOf(gpu, "matrix", [2, 2], [1, 2, 3, 4]);
  assertThrows(() => sumInto(tape, matrix, out, 0), Error, "matrix must be a f32 vector");
  assertThrows(() => columnSum(tape, matrix, x), Error, "expected [rows, columns] into [columns]");
});
