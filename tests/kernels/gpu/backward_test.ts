/**
 * Reverse mode on the tape: the order of closures, where none are recorded, and activation recomputation.
 */
import { activation } from "../../../kernels/activation/activation.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import type { Tensor } from "../../../kernels/gpu/tensor.ts";
import { norm } from "../../../kernels/norm/norm.ts";
import { add } from "../../../kernels/residual/add.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { randomValues, tensorOf, testGpu } from "../harness.ts";

Deno.test("backward runs closures in reverse, once, and records none itself", async () => {
  const tape = new Tape(await testGpu(), "order");
  const order: string[] = [];
  for (const name of ["a", "b", "c"]) {
    tape.onBackward(() => {
      order.push(name);
      tape.onBackward(() => order.push(`${name} again`));
    });
  }
  tape.backward();
  assertEquals(order, ["c", "b", "a"]);
  tape.onBackward(() => order.push("d"));
  tape.backward();
  tape.backward();
  assertEquals(order, ["c", "b", "a", "d"]);
});

Deno.test("noGrad records no backward, nests, and ends also by an exception", async () => {
  const tape = new Tape(await testGpu(), "noGrad");
  const order: string[] = [];
  const value = tape.noGrad(() => {
    tape.noGrad(() => tape.onBackward(() => order.push("inner")));
    tape.onBackward(() => order.push("outer"));
    assertEquals(tape.recordsBackward, false);
    return 7;
  });
  assertEquals([value, tape.recordsBackward], [7, true]);
  const fail = () => {
    throw new Error("inside");
  };
  assertThrows(() => tape.noGrad(fail), Error, "inside");
  assertEquals(tape.recordsBackward, true);
  tape.backward();
  assertEquals(order, []);
});

const [ROWS, WIDTH, LAYERS] = [64, 100, 6];

interface Result {
  readonly bytes: number;
  readonly dispatches: number;
  readonly values: readonly (Float32Array | Uint32Array)[];
}

type Wrap = (tape: Tape, segment: () => Tensor) => Tensor;
const plain: Wrap = (_, segment) => segment();
const recomputed: Wrap = (tape, segment) => tape.recompute(segment);

/** x + silu(silu(norm(x))) six times: each layer in `layer`, each half of the stack in `half`. */
async function train(gpu: Gpu, layer: Wrap, half: Wrap = plain): Promise<Result> {
  const tape = new Tape(gpu, "stack");
  const parameter = (name: string, values: Float64Array) => {
    const tensor = tensorOf(gpu, name, [WIDTH], values);
    tensor.needsGrad = true;
    tensor.grad = tensorOf(gpu, `d_${name}`, [WIDTH], new Float64Array(WIDTH));
    return tensor;
  };
  const weights = Array.from(
    { length: LAYERS },
    (_, i) => parameter(`w${i}`, randomValues(WIDTH, i + 1).map((w) => Math.fround(w + 2))),
  );
  const x = tensorOf(gpu, "x", [ROWS, WIDTH], randomValues(ROWS * WIDTH, 5));
  x.needsGrad = true;
  const block = (x: Tensor, weight: Tensor) =>
    add(
      tape,
      x,
      activation(tape, activation(tape, norm(tape, x, weight, null, 1e-5), "silu"), "silu"),
    );
  const stack = (x: Tensor, weights: readonly Tensor[]) =>
    weights.reduce((x, weight) => layer(tape, () => block(x, weight)), x);
  const middle = half(tape, () => stack(x, weights.slice(0, LAYERS / 2)));
  const y = half(tape, () => stack(middle, weights.slice(LAYERS / 2)));
  y.grad = tensorOf(gpu, "d_y", [ROWS, WIDTH], randomValues(ROWS * WIDTH, 6));
  tape.backward();
  const outputs = [tape.keep(y), tape.keep(x.grad!), ...weights.map((w) => w.grad!)];
  tape.poison();
  tape.run();
  const values = await readTensors(gpu, outputs);
  const result = { bytes: tape.bytes, dispatches: tape.dispatchCount, values };
  tape.destroy();
  return result;
}

const bits = (values: Result["values"]) => values.map((v) => new Uint32Array(v.buffer));

Deno.test("recomputed activations: identical gradients bit for bit, fewer bytes, one more forward", async () => {
  const gpu = await testGpu();
  const kept = await train(gpu, plain);
  const again = await train(gpu, recomputed);
  assert(
    kept.values.every((v) => v.every(Number.isFinite) && v.some((x) => x !== 0)),
    "no gradient",
  );
  assertEquals(bits(again.values), bits(kept.values));
  assertEquals(again.dispatches, kept.dispatches + 4 * LAYERS);
  assert(again.bytes < 0.75 * kept.bytes, `${again.bytes} bytes against ${kept.bytes}`);
});

Deno.test("recomputation nests: halves of recomputed layers", async () => {
  const gpu = await testGpu();
  const kept = await train(gpu, plain);
  const nested = await train(gpu, recomputed, recomputed);
  assertEquals(bits(nested.values), bits(kept.values));
  assertEquals(nested.dispatches, kept.dispatches + 2 * 4 * LAYERS);
});

Deno.test("without gradients recompute is the segment itself", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "inference");
  const x = tensorOf(gpu, "x", [2, 4], randomValues(8, 1));
  const y = tape.noGrad(() => tape.recompute(() => activation(tape, x, "silu")));
  assertEquals([tape.dispatchCount, y.needsGrad], [1, false]);
  tape.backward();
  assertEquals(tape.dispatchCount, 1);
});
