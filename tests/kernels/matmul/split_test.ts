/**
 * Products whose inner size is computed in slices: the float64 answer, the rule that cuts, and the same bits every time.
 */
import { openGpu } from "../../../kernels/gpu/device.ts";
import { linear } from "../../../kernels/matmul/linear.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { cutInto, slicesOf } from "../../../kernels/matmul/split.ts";
import { assert, assertEquals } from "../../assert.ts";
import { linearBackward } from "../../reference/matmul.ts";
import { add } from "../../reference/numbers.ts";
import {
  parameterOf,
  randomValues,
  relativeError,
  runTape,
  schedulesOn,
  tensorOf,
  testGpu,
} from "../harness.ts";
import { expected } from "./cases.ts";

// Measured on lavapipe over all cases below: 3.5e-7 at worst.
const TOLERANCE = 1.7e-6;

const SCHEDULES = schedulesOn(await testGpu());

/** [m, n, k, slices]: odd everywhere, a last slice that is short, or a single row, more slices than columns. */
const CASES = [[37, 22, 45, 2], [7, 3, 257, 31], [130, 65, 129, 8], [5, 129, 1001, 3]] as const;

for (const schedule of SCHEDULES) {
  Deno.test(`matmul tn, ${schedule}: slices of k, added to what is there, and their column sums`, async () => {
    const gpu = await testGpu();
    for (const [m, n, k, slices] of CASES) {
      const aValues = randomValues(k * m, m);
      const bValues = randomValues(k * n, n);
      const before = randomValues(m * n, 3);
      const sumsBefore = randomValues(m, 4);
      const a = tensorOf(gpu, "a", [k, m], aValues);
      const b = tensorOf(gpu, "b", [k, n], bValues);
      const run = (accumulate: boolean) =>
        runTape(gpu, (tape) => {
          const out = tensorOf(gpu, "c", [m, n], before);
          const columnSums = tensorOf(gpu, "sums", [m], sumsBefore);
          const options = { schedule, slices, out, accumulate, columnSums, alpha: 2 };
          matmul(tape, "tn", a, b, options);
          assertEquals(
            tape.dispatchCount,
            3,
            "the slices, their sum, the sum of their column sums",
          );
          return [out, columnSums];
        });
      for (const accumulate of [true, false]) {
        const [c, sums] = await run(accumulate);
        const epilogue = { alpha: 2, before: accumulate ? before : undefined };
        const want = expected("tn", aValues, bValues, { m, n, k }, epilogue);
        const error = relativeError(c, want);
        assert(error < TOLERANCE, `[${m}, ${n}] over ${k} in ${slices}: error ${error}`);
        const columns = sumsBefore.slice();
        aValues.forEach((value, i) => columns[i % m] += value);
        const wrong = relativeError(sums.subarray(0, m), columns);
        assert(wrong < TOLERANCE, `column sums [${m}] over ${k}: error ${wrong}`);
      }
      assertEquals(await run(true), await run(true));
    }
  });
}

Deno.test("slices cover k, all alike but for a shorter last one", () => {
  for (let k = 1; k < 600; k += 7) {
    for (const wanted of [1, 2, 3, 8, 31]) {
      const { count, k: each, last } = cutInto(wanted, k);
      assertEquals((count - 1) * each + last, k);
      assert(last > 0 && last <= each && count <= wanted, `${k} in ${wanted}`);
      assert(count === 1 || each % 16 === 0, `${k} in ${wanted}: ${each}`);
    }
  }
});

Deno.test("k is cut only where tiles are few and slices stay long", () => {
  assertEquals(slicesOf(4, 4096).count, 16);
  assertEquals(slicesOf(128, 4096).count, 1, "tiles enough");
  assertEquals(slicesOf(1, 511).count, 1, "too short to be cut");
  assertEquals(slicesOf(1, 2 ** 20).count, 31, "no more than one sum takes");
});

Deno.test("a linear layer's gradients on a GPU's schedule are split, and are what they were", async () => {
  const gpu = await openGpu({ matmul: "tiled" });
  const shape = { rows: 1025, inner: 12, out: 9 };
  const { rows, inner, out } = shape;
  const v = {
    x: randomValues(rows * inner, 1),
    weight: randomValues(out * inner, 2),
    d_y: randomValues(rows * out, 3),
    d_weight: randomValues(out * inner, 4),
    d_bias: randomValues(out, 5),
  };
  const bias = parameterOf(gpu, "bias", [out], new Float64Array(out), v.d_bias);
  const weight = parameterOf(gpu, "weight", [out, inner], v.weight, v.d_weight);
  const [d_weight, d_bias] = await runTape(gpu, (tape) => {
    const y = linear(tape, tensorOf(gpu, "x", [rows, inner], v.x), weight, { bias });
    y.grad = tensorOf(gpu, "d_y", [rows, out], v.d_y);
    tape.backward();
    assertEquals(tape.dispatchCount, 4, "y; slices and two sums");
    return [weight.grad!, bias.grad!];
  });
  const want = linearBackward(v.x, v.weight, new Float64Array(out), v.d_y, shape);
  assert(relativeError(d_weight, add(want.d_weight, v.d_weight)) < TOLERANCE, "weight");
  assert(relativeError(d_bias.subarray(0, out), add(want.d_bias, v.d_bias)) < TOLERANCE, "bias");
  gpu.close();
});
