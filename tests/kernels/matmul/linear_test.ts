/**
 * The linear layer, forward and backward: every mixture of bias, residual, frozen parts and shared inputs.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { linear } from "../../../kernels/matmul/linear.ts";
import { assert, assertEquals } from "../../assert.ts";
import * as reference from "../../reference/matmul.ts";
import { add } from "../../reference/numbers.ts";
import {
  parameterOf,
  randomValues,
  relativeError,
  runTape,
  tensorOf,
  testGpu,
} from "../harness.ts";

// Measured on lavapipe over all cases below: 1.7e-7 at worst.
const TOLERANCE = 8.5e-7;

const SHAPES: readonly reference.LinearShape[] = [
  { rows: 1, inner: 1, out: 1 },
  { rows: 3, inner: 5, out: 7 },
  { rows: 65, inner: 63, out: 127 },
  { rows: 127, inner: 257, out: 3 },
  { rows: 257, inner: 7, out: 65 },
];

function data({ rows, inner, out }: reference.LinearShape) {
  return {
    x: randomValues(rows * inner, 1),
    weight: randomValues(out * inner, 2),
    bias: randomValues(out, 3),
    residual: randomValues(rows * out, 4),
    d_y: randomValues(rows * out, 5),
    d_weight: randomValues(out * inner, 6),
    d_bias: randomValues(out, 7),
  };
}

function input(gpu: Gpu, name: string, shape: readonly number[], values: Float64Array) {
  const tensor = tensorOf(gpu, name, shape, values);
  tensor.needsGrad = true;
  return tensor;
}

function close(name: string, got: ArrayLike<number>, want: ArrayLike<number>): void {
  const error = relativeError(got, want);
  assert(error < TOLERANCE, `${name}: error ${error}`);
}

for (const shape of SHAPES) {
  const { rows, inner, out } = shape;
  Deno.test(`linear [${rows}, ${inner}] to ${out}: bias, residual, gradients added to what is there`, async () => {
    const gpu = await testGpu();
    const v = data(shape);
    const weight = parameterOf(gpu, "weight", [out, inner], v.weight, v.d_weight);
    const bias = parameterOf(gpu, "bias", [out], v.bias, v.d_bias);
    const [y, d_x, d_residual, d_weight, d_bias] = await runTape(gpu, (tape) => {
      const x = input(gpu, "x", [rows, inner], v.x);
      const residual = input(gpu, "residual", [rows, out], v.residual);
      const y = linear(tape, x, weight, { bias, residual });
      y.grad = tensorOf(gpu, "d_y", [rows, out], v.d_y);
      tape.backward();
      return [y, x.grad!, residual.grad!, weight.grad!, bias.grad!];
    });
    const want = reference.linearBackward(v.x, v.weight, v.bias, v.d_y, shape);
    close("y", y, add(reference.linear(v.x, v.weight, v.bias, shape), v.residual));
    close("d_x", d_x, want.d_x);
    close("d_residual", d_residual, v.d_y);
    close("d_weight", d_weight, add(want.d_weight, v.d_weight));
    close("d_bias", d_bias, add(want.d_bias, v.d_bias));
  });
}

Deno.test("linear: an input that is also the residual, and feeds a second layer, gets the sum", async () => {
  const gpu = await testGpu();
  const shape = { rows: 33, inner: 18, out: 18 };
  const v = data(shape);
  const second = randomValues(18 * 18, 8);
  const [d_x, d_first, d_second] = await runTape(gpu, (tape) => {
    const x = input(gpu, "x", [33, 18], v.x);
    const first = parameterOf(gpu, "first", [18, 18], v.weight);
    const other = parameterOf(gpu, "second", [18, 18], second);
    const y = linear(tape, x, first, { residual: x });
    const z = linear(tape, x, other, { residual: y });
    z.grad = tensorOf(gpu, "d_z", [33, 18], v.d_y);
    tape.backward();
    return [x.grad!, first.grad!, other.grad!];
  });
  const one = reference.linearBackward(v.x, v.weight, null, v.d_y, shape);
  const two = reference.linearBackward(v.x, second, null, v.d_y, shape);
  close("d_x", d_x, add(add(one.d_x, two.d_x), v.d_y));
  close("d_first", d_first, one.d_weight);
  close("d_second", d_second, two.d_weight);
});

Deno.test("linear: a gradient passed on unchanged is not changed by the other path's sum", async () => {
  const gpu = await testGpu();
  const shape = { rows: 9, inner: 6, out: 6 };
  const v = data(shape);
  const d_y = tensorOf(gpu, "d_y", [9, 6], v.d_y);
  const [after, d_residual] = await runTape(gpu, (tape) => {
    const x = input(gpu, "x", [9, 6], v.x);
    const residual = input(gpu, "residual", [9, 6], v.residual);
    const weight = parameterOf(gpu, "weight", [6, 6], v.weight);
    const y = linear(tape, x, weight, { residual });
    const z = linear(tape, y, weight, { residual }); // residual is used twice: its sum must be out of place
    z.grad = d_y;
    tape.backward();
    return [d_y, residual.grad!];
  });
  assertEquals(Array.from(after), Array.from(v.d_y));
  const through = reference.linearBackward(v.x, v.weight, null, v.d_y, shape).d_x;
  close("d_residual", d_residual, add(v.d_y, through));
});

Deno.test("linear: frozen parts cost nothing, and what is trained beside them still learns", async () => {
  const gpu = await testGpu();
  const shape = { rows: 65, inner: 12, out: 10 };
  const v = data(shape);
  const want = reference.linearBackward(v.x, v.weight, v.bias, v.d_y, shape);
  const count = (trained: { x?: boolean; weight?: boolean; bias?: boolean }) => {
    const tape = new Tape(gpu, "frozen");
    const x = tensorOf(gpu, "x", [65, 12], v.x);
    x.needsGrad = trained.x ?? false;
    const weight = parameterOf(gpu, "weight", [10, 12], v.weight);
    weight.needsGrad = trained.weight ?? false;
    const bias = parameterOf(gpu, "bias", [10], v.bias);
    bias.needsGrad = trained.bias ?? false;
    const y = linear(tape, x, weight, { bias });
    y.grad = tensorOf(gpu, "d_y", [65, 10], v.d_y);
    const forward = tape.dispatchCount;
    tape.backward();
    return { y, dispatches: tape.dispatchCount - forward };
  };
  assertEquals(count({}).dispatches, 0);
  assertEquals(count({}).y.needsGrad, false);
  assertEquals(count({ x: true }).dispatches, 1);
  assertEquals(count({ weight: true }).dispatches, 1);
  assertEquals(count({ x: true, weight: true, bias: true }).dispatches, 2);

  const bias = parameterOf(gpu, "bias", [10], v.bias, v.d_bias);
  const [d_bias] = await runTape(gpu, (tape) => {
    const weight = tensorOf(gpu, "weight", [10, 12], v.weight);
    const y = linear(tape, tensorOf(gpu, "x", [65, 12], v.x), weight, { bias });
    y.grad = tensorOf(gpu, "d_y", [65, 10], v.d_y);
    tape.backward();
    return [bias.grad!];
  });
  close("d_bias alone", d_bias, add(want.d_bias, v.d_bias));
});
