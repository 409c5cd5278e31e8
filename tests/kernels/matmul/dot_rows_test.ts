/**
 * The linear layer with one output, against the float64 linear layer.
 */
import { InputError } from "../../../kernels/errors.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { dotRows } from "../../../kernels/matmul/dot_rows.ts";
import { assert, assertThrows } from "../../assert.ts";
import { linear, linearBackward } from "../../reference/matmul.ts";
import { add } from "../../reference/numbers.ts";
import {
  parameterOf,
  randomValues,
  relativeError,
  runTape,
  tensorOf,
  testGpu,
} from "../harness.ts";

// Measured on lavapipe over all cases below: 3.7e-7 at worst.
const TOLERANCE = 2e-6;

for (const [rows, columns] of [[1, 1], [3, 5], [65, 63], [127, 257], [2049, 7]]) {
  for (const bias of [true, false]) {
    Deno.test(`dot of ${rows} rows of ${columns}${bias ? ", bias" : ", x read twice"}`, async () => {
      const gpu = await testGpu();
      const v = {
        x: randomValues(rows * columns, 1),
        weight: randomValues(columns, 2),
        bias: randomValues(1, 3),
        d_y: randomValues(rows, 4),
        d_weight: randomValues(columns, 5),
        d_bias: randomValues(1, 6),
        d_x: randomValues(rows * columns, 7),
      };
      const x = tensorOf(gpu, "x", [rows, columns], v.x);
      x.needsGrad = true;
      const weight = parameterOf(gpu, "weight", [1, columns], v.weight, v.d_weight);
      const b = bias ? parameterOf(gpu, "bias", [1], v.bias, v.d_bias) : null;
      const [y, d_x, d_weight, d_bias] = await runTape(gpu, (tape) => {
        const y = dotRows(tape, x, weight, b);
        y.grad = tensorOf(gpu, "d_y", [rows], v.d_y);
        // A gradient vector's padding may hold anything.
        gpu.device.queue.writeBuffer(
          y.grad.place.buffer!,
          4 * rows,
          new Uint32Array(y.grad.stored - rows).fill(0x7fc00000),
        );
        if (!bias) x.grad = tensorOf(gpu, "d_x before", [rows, columns], v.d_x);
        tape.backward();
        return [y, x.grad!, weight.grad!, ...(b ? [b.grad!] : [])];
      });
      const shape = { rows, inner: columns, out: 1 };
      const want = linearBackward(v.x, v.weight, v.bias, v.d_y, shape);
      const errors = {
        y: relativeError(y, linear(v.x, v.weight, bias ? v.bias : null, shape)),
        d_x: relativeError(d_x, bias ? want.d_x : add(v.d_x, want.d_x)),
        d_weight: relativeError(d_weight, add(v.d_weight, want.d_weight)),
        d_bias: bias ? relativeError(d_bias, add(v.d_bias, want.d_bias)) : 0,
      };
      assert(Math.max(...Object.values(errors)) < TOLERANCE, JSON.stringify(errors));
    });
  }
}

Deno.test("a weight or bias of another shape is refused", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "refused");
  const x = tensorOf(gpu, "x", [3, 4], randomValues(12, 1));
  const square = tensorOf(gpu, "w", [4, 4], randomValues(16, 2));
  assertThrows(() => dotRows(tape, x, square, null), InputError, "w must be [1, 4]");
  const weight = tensorOf(gpu, "w", [1, 4], randomValues(4, 2));
  const wide = tensorOf(gpu, "b", [2], randomValues(2, 2));
  assertThrows(() => dotRows(tape, x, weight, wide), InputError, "found [1,4] and [2]");
});
