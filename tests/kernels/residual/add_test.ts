/**
 * Sums of tensors, and of gradients that meet.
 */
import { InputError } from "../../../kernels/errors.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { add, passGrad } from "../../../kernels/residual/add.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import * as reference from "../../reference/numbers.ts";
import { AWKWARD, randomValues, runTape, tensorOf, testGpu } from "../harness.ts";

const float = (values: ArrayLike<number>) => Array.from(Float32Array.from(values));

Deno.test("a + b is the rounded sum, over awkward shapes", async () => {
  const gpu = await testGpu();
  const shapes = AWKWARD.map((rows, i) => [rows, AWKWARD[(3 * i + 2) % 8]]);
  const values = shapes.map(([r, c]) => [randomValues(r * c, 1, 1e4), randomValues(r * c, 2)]);
  const sums = await runTape(gpu, (tape) =>
    shapes.map((shape, i) => {
      const [a, b] = values[i].map((v, j) => tensorOf(gpu, "ab"[j], shape, v));
      return add(tape, a, b);
    }));
  values.forEach(([a, b], i) => assertEquals(Array.from(sums[i]), float(reference.add(a, b))));
});

Deno.test("a sum's gradient is passed to both, as it is, without a kernel", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "pass");
  const [a, b, frozen] = ["a", "b", "c"].map((n) => tensorOf(gpu, n, [2, 3], randomValues(6, 1)));
  a.needsGrad = b.needsGrad = true;
  const y = add(tape, add(tape, a, b), frozen);
  y.grad = tensorOf(gpu, "d_y", [2, 3], randomValues(6, 2));
  tape.backward();
  assert(a.grad === y.grad && b.grad === y.grad && frozen.grad === null);
  assertEquals(tape.dispatchCount, 2);
  assertEquals(add(tape, frozen, frozen).needsGrad, false);
});

Deno.test("x + x has the gradient 2, and the gradient that was passed is left alone", async () => {
  const gpu = await testGpu();
  const d_y = tensorOf(gpu, "d_y", [3, 5], randomValues(15, 2));
  const [d_x, after] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "x", [3, 5], randomValues(15, 1));
    x.needsGrad = true;
    add(tape, x, x).grad = d_y;
    tape.backward();
    return [x.grad!, d_y];
  });
  assertEquals(Array.from(d_x), float(randomValues(15, 2).map((v) => 2 * v)));
  assertEquals(Array.from(after), float(randomValues(15, 2)));
});

Deno.test("gradients that meet are summed in a new tensor each time", async () => {
  const gpu = await testGpu();
  const [sum] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "x", [1, 3], [0, 0, 0]);
    for (const v of [1, 2, 3]) {
      const before = x.grad;
      passGrad(tape, x, tensorOf(gpu, "g", [1, 3], [v, 10 * v, 100 * v]));
      assert(x.grad !== before);
    }
    return [x.grad!];
  });
  assertEquals(Array.from(sum), [6, 60, 600]);
});

Deno.test("tensors of different shapes are not added", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  for (const shape of [[3, 2], [2, 4], [6]]) {
    const a = tape.tensor("a", [2, 3]);
    const b = tape.tensor("b", shape);
    assertThrows(() => add(tape, a, b), InputError, `b [${shape}] differ in shape`);
  }
});
