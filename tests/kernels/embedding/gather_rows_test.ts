/**
 * Gathered rows of activations: the rows themselves, and gradients that go back to them and nowhere else.
 */
import { gatherRows } from "../../../kernels/embedding/gather_rows.ts";
import { InputError } from "../../../kernels/errors.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { assertEquals, assertThrows } from "../../assert.ts";
import { embed, embedBackward } from "../../reference/embedding.ts";
import { add } from "../../reference/numbers.ts";
import { randomValues, runTape, tensorOf, testGpu } from "../harness.ts";

/** Rows of x, gathered rows, width: one, some, all; widths with and without row padding. */
const CASES = [[1, 1, 1], [5, 2, 7], [63, 63, 4], [257, 65, 65], [65, 3, 127]] as const;

for (const [rows, count, width] of CASES) {
  for (const shared of [false, true]) {
    const other = shared ? ", added to another consumer's gradient" : "";
    Deno.test(`${count} of ${rows} x ${width} rows${other}`, async () => {
      const gpu = await testGpu();
      // Distinct, in no order: 11 i + 1 mod rows, where 11 and rows have no common divisor.
      const places = Uint32Array.from({ length: count }, (_, i) => (11 * i + 1) % rows);
      const values = randomValues(rows * width, 1);
      const d_y = randomValues(count * width, 2);
      const before = randomValues(rows * width, 3);
      const x = tensorOf(gpu, "x", [rows, width], values);
      x.needsGrad = true;
      const d_before = tensorOf(gpu, "d_x before", [rows, width], before);
      const [y, d_x, untouched] = await runTape(gpu, (tape) => {
        const y = gatherRows(tape, x, tensorOf(gpu, "rows", [count], places, "u32"));
        y.grad = tensorOf(gpu, "d_y", [count, width], d_y);
        if (shared) x.grad = d_before;
        tape.backward();
        return [y, x.grad!, d_before];
      });
      const scattered = embedBackward(places, d_y, rows, width);
      const want = shared ? Float32Array.from(add(before, scattered)) : scattered;
      assertEquals(Array.from(y), Array.from(embed(values, places, width)));
      assertEquals(Array.from(d_x), Array.from(want));
      assertEquals(Array.from(untouched), Array.from(before));
    });
  }
}

Deno.test("gathering by something that is no list of rows is refused", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "refused");
  const x = tensorOf(gpu, "x", [3, 4], randomValues(12, 1));
  const floats = tensorOf(gpu, "places", [2], [0, 1]);
  assertThrows(() => gatherRows(tape, x, floats), InputError, "places must be u32 [at most 3]");
  const many = tensorOf(gpu, "places", [4], [0, 1, 2, 2], "u32");
  assertThrows(() => gatherRows(tape, x, many), InputError, "found u32 [4]");
});

Deno.test("frozen activations get no gradient", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "frozen");
  const x = tensorOf(gpu, "x", [3, 4], randomValues(12, 1));
  const y = gatherRows(tape, x, tensorOf(gpu, "rows", [1], [2], "u32"));
  const { dispatchCount } = tape;
  tape.backward();
  assertEquals([y.needsGrad, tape.dispatchCount - dispatchCount, x.grad], [false, 0, null]);
});
