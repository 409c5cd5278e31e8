/**
 * Activations and their slopes: whole tensors, single values at the extremes, and the error function behind GELU.
 */
import { activation, ACTIVATION_FUNCTIONS } from "../../../kernels/activation/activation.ts";
import { InputError } from "../../../kernels/errors.ts";
import { defineKernel } from "../../../kernels/gpu/kernel.ts";
import { linearGroups, Tape } from "../../../kernels/gpu/tape.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { activate, activateBackward, swiglu, swigluBackward } from "../../reference/activation.ts";
import { erf } from "../../reference/erf.ts";
import { add } from "../../reference/numbers.ts";
import { AWKWARD, randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

// Measured on lavapipe over the cases below: 7.1e-8 at worst, slopes included.
const TOLERANCE = 3.5e-7;

const KINDS = ["gelu_tanh", "gelu_erf", "silu"] as const;

for (const kind of KINDS) {
  Deno.test(`${kind}: value and gradient over awkward shapes`, async () => {
    const gpu = await testGpu();
    const shapes = AWKWARD.map((rows, i) => [rows, AWKWARD[(5 * i + 3) % 8]]);
    const data = shapes.map(([r, c]) => [randomValues(r * c, r, 6), randomValues(r * c, c)]);
    const results = await runTape(gpu, (tape) =>
      shapes.flatMap((shape, i) => {
        const x = tensorOf(gpu, "x", shape, data[i][0]);
        x.needsGrad = true;
        const y = activation(tape, x, kind);
        y.grad = tensorOf(gpu, "d_y", shape, data[i][1]);
        tape.backward();
        return [y, x.grad!];
      }));
    data.forEach(([x, d_y], i) => {
      const value = relativeError(results[2 * i], activate(kind, x));
      const slope = relativeError(results[2 * i + 1], activateBackward(kind, x, d_y));
      assert(value < TOLERANCE && slope < TOLERANCE, `[${shapes[i]}]: errors ${value}, ${slope}`);
    });
  });

  Deno.test(`${kind}: single values from -12 to 12, and far beyond`, async () => {
    const gpu = await testGpu();
    const far = [0, 1e-30, 30, 88, 100, 1e4, 1e6].flatMap((v) => [v, -v]);
    const x = Float64Array.from({ length: 24_001 }, (_, i) => Math.fround((i - 12_000) / 1000));
    const all = Float64Array.from([...x, ...far], Math.fround);
    const [y, slope] = await runTape(gpu, (tape) => {
      const input = tensorOf(gpu, "x", [1, all.length], all);
      input.needsGrad = true;
      const y = activation(tape, input, kind);
      y.grad = tensorOf(gpu, "ones", [1, all.length], all.map(() => 1));
      tape.backward();
      return [y, input.grad!];
    });
    const want = activate(kind, all);
    const wantSlope = activateBackward(kind, all, all.map(() => 1));
    // Measured: values within 1.3e-7 (1 + |x|), slopes within 1.9e-7.
    all.forEach((v, i) => {
      const error = Math.abs(y[i] - want[i]) / (1 + Math.abs(v));
      assert(error < 6.5e-7, `${kind}(${v}) is ${y[i]}, expected ${want[i]}`);
      const slopeError = Math.abs(slope[i] - wantSlope[i]);
      assert(slopeError < 1e-6, `slope at ${v} is ${slope[i]}, expected ${wantSlope[i]}`);
    });
    const at = (v: number) => all.indexOf(v);
    assertEquals([y[at(1e4)], slope[at(1e4)]], [1e4, 1]);
    assertEquals([y[at(-1e4)] + 0, slope[at(-1e4)] + 0], [0, 0]);
  });
}

Deno.test("swiglu: value and gradients of both halves", async () => {
  const gpu = await testGpu();
  for (const [rows, width] of [[1, 4], [3, 12], [65, 8], [7, 256]]) {
    const x = randomValues(rows * 2 * width, 1, 5);
    if (rows === 3) x.set([1e4, -1e4, 0, 100].map(Math.fround));
    const d_y = randomValues(rows * width, 2);
    const [y, d_x] = await runTape(gpu, (tape) => {
      const gateUp = tensorOf(gpu, "gate_up", [rows, 2 * width], x);
      gateUp.needsGrad = true;
      const y = activation(tape, gateUp, "swiglu");
      assertEquals(y.shape, [rows, width]);
      y.grad = tensorOf(gpu, "d_y", [rows, width], d_y);
      tape.backward();
      return [y, gateUp.grad!];
    });
    const value = relativeError(y, swiglu(x, width));
    const slope = relativeError(d_x, swigluBackward(x, d_y, width));
    assert(value < TOLERANCE && slope < TOLERANCE, `[${rows}, ${width}]: ${value}, ${slope}`);
  }
});

Deno.test("swiglu: a row that cannot be cut in two is refused", async () => {
  const tape = new Tape(await testGpu(), "bad");
  const x = tape.tensor("gate_up", [2, 12]);
  assertThrows(() => activation(tape, x, "swiglu"), InputError, "gate_up [2,12]");
});

Deno.test("an activation adds to a gradient that reached its input before", async () => {
  const gpu = await testGpu();
  const [x, d_y, before] = [1, 2, 3].map((seed) => randomValues(35, seed));
  const previous = tensorOf(gpu, "previous", [5, 7], before);
  const [d_x, after] = await runTape(gpu, (tape) => {
    const input = tensorOf(gpu, "x", [5, 7], x);
    input.needsGrad = true;
    input.grad = previous;
    activation(tape, input, "silu").grad = tensorOf(gpu, "d_y", [5, 7], d_y);
    tape.backward();
    return [input.grad!, previous];
  });
  assert(relativeError(d_x, add(activateBackward("silu", x, d_y), before)) < TOLERANCE);
  assertEquals(Array.from(after), Array.from(before));
});

Deno.test("without a gradient wanted, no backward is recorded", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "frozen");
  const y = activation(tape, tensorOf(gpu, "x", [2, 4], randomValues(8, 1)), "silu");
  tape.backward();
  assertEquals([y.needsGrad, tape.dispatchCount], [false, 1]);
});

/** y = erf(x), from the shader's own functions. */
const ERF = defineKernel(
  "erf",
  `@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
struct Shape { count4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
$FUNCTIONS
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < shape.count4) { y[id.x] = sign(x[id.x]) * (1.0 - erfc_positive(abs(x[id.x]))); }
}`,
  { FUNCTIONS: ACTIVATION_FUNCTIONS },
);

Deno.test("erf, and GELU through it, are as exact as the shader's header says", async () => {
  const gpu = await testGpu();
  const length = 48_004;
  const values = Float64Array.from({ length }, (_, i) => Math.fround(-6 + 12 * i / (length - 1)));
  const [erfs, gelu] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "x", [1, length], values);
    const y = tape.tensor("erf", [1, length]);
    const groups = linearGroups(length / 4, 64);
    const uniforms = { count4: length / 4 };
    tape.dispatch({ kernel: ERF, bindings: { x, y }, uniforms, groups });
    return [y, activation(tape, x, "gelu_erf")];
  });
  const worst = values.reduce((w, v, i) => Math.max(w, Math.abs(erfs[i] - erf(v))), 0);
  assert(worst < 2e-6, `erf: ${worst}`); // measured 4.4e-7
  const want = activate("gelu_erf", values);
  const error = relativeError(gelu, want);
  assert(error < 1.5e-7, `gelu_erf: ${error}`); // measured 3e-8
  // The tail keeps its digits: measured 4.3e-6 of values down to 6 Phi(-6) = 6e-9.
  values.forEach((v, i) => {
    if (v < -3) assert(Math.abs(gelu[i] / want[i] - 1) < 2.2e-5, `gelu_erf(${v}) is ${gelu[i]}`);
  });
});
