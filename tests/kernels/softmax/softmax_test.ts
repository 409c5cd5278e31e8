/**
 * Softmax and log-softmax, forward and backward, against the float64 reference.
 */
import { Tensor } from "../../../kernels/gpu/tensor.ts";
import { logSoftmax, softmax } from "../../../kernels/softmax/softmax.ts";
import { assert, assertEquals } from "../../assert.ts";
import * as reference from "../../reference/softmax.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** Five times the worst error measured on lavapipe: 2e-6, where one probability is near 1 and the gradient cancels. */
const LIMIT = 1e-5;

const KINDS = {
  softmax: [softmax, reference.softmax, reference.softmaxBackward],
  logSoftmax: [logSoftmax, reference.logSoftmax, reference.logSoftmaxBackward],
} as const;

for (const kind of ["softmax", "logSoftmax"] as const) {
  const [operation, forward, backward] = KINDS[kind];
  for (const [rows, columns] of [[1, 1], [3, 5], [65, 63], [7, 257], [2, 4099]]) {
    Deno.test(`${kind} ${rows} x ${columns}: forward, backward, added to another gradient`, async () => {
      const gpu = await testGpu();
      const size = rows * columns;
      const [values, d_y, before] = [1, 2, 3].map((seed) => randomValues(size, seed + rows, 5));
      const [y, d_x, sum] = await runTape(gpu, (tape) => {
        const shape = [rows, columns];
        const record = (previous: Tensor | null) => {
          const x = tensorOf(gpu, "x", shape, values);
          x.needsGrad = true;
          const y = operation(tape, x);
          y.grad = tensorOf(gpu, "d_y", shape, d_y);
          x.grad = previous;
          tape.backward();
          return { y, d_x: x.grad! };
        };
        const alone = record(null);
        return [alone.y, alone.d_x, record(tensorOf(gpu, "before", shape, before)).d_x];
      });
      const wantY = forward(values, columns);
      const want = backward(wantY, d_y, columns);
      const errors = [
        relativeError(y, wantY),
        columns === 1 ? Math.max(...Array.from(d_x, Math.abs)) : relativeError(d_x, want),
        relativeError(sum, want.map((d, i) => d + before[i])),
      ];
      assert(errors.every((error) => error < LIMIT), `y, d_x, sum: ${errors}`);
    });
  }

  Deno.test(`${kind} of extreme and of equal logits`, async () => {
    const gpu = await testGpu();
    const columns = 9;
    const values = new Float64Array(4 * columns);
    values.set(randomValues(columns, 1, 1e4), 0);
    values.fill(1e4, columns, 2 * columns);
    values[2 * columns + 5] = Math.fround(-1e30);
    values.fill(Math.fround(-1e30), 3 * columns, 4 * columns);
    const [y] = await runTape(gpu, (tape) => [
      operation(tape, tensorOf(gpu, "x", [4, columns], values)),
    ]);
    const want = forward(values, columns);
    for (let row = 0; row < 4; row++) {
      const part = (a: ArrayLike<number>) =>
        Array.from(a).slice(row * columns, (row + 1) * columns);
      assert(relativeError(part(y), part(want)) < LIMIT, `row ${row}: ${part(y)}`);
    }
  });

  Deno.test(`${kind} writes zeros in padding columns, forward and backward`, async () => {
    const gpu = await testGpu();
    const stored = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "x", [2, 5], randomValues(10, 4));
      x.needsGrad = true;
      const y = operation(tape, x);
      y.grad = tensorOf(gpu, "d_y", [2, 5], randomValues(10, 5));
      tape.backward();
      return [y, x.grad!].map((t) => new Tensor("stored", [2, 8], "f32", t.place));
    });
    for (const values of stored) {
      for (const row of [0, 1]) {
        assertEquals(Array.from(values.subarray(8 * row + 5, 8 * row + 8)), [0, 0, 0]);
      }
    }
  });
}
