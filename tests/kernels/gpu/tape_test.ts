/**
 * Recording and replay: what runs, how often it is submitted, and what the tape refuses.
 */
import fc from "fast-check";
import { DeviceError, InputError } from "../../../kernels/errors.ts";
import { openGpu } from "../../../kernels/gpu/device.ts";
import { readFloats, readTensors } from "../../../kernels/gpu/readback.ts";
import { MAX_LOOP_ITERATIONS } from "../../../kernels/gpu/dispatch.ts";
import { linearGroups, Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, upload } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { runTape, tensorOf, testGpu, testUnless } from "../harness.ts";
import { ADD_SCALED, INVALID, launch, SCALE, scaled } from "./kernels.ts";

Deno.test("a recorded tape is replayed on whatever its inputs hold then", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [3], [1, 2, 3]);
  const tape = new Tape(gpu, "replay");
  const y = tape.keep(scaled(tape, scaled(tape, x, 2), 3));
  tape.run();
  assertEquals(Array.from(await readFloats(gpu, y)), [6, 12, 18]);
  upload(gpu, x, Float32Array.of(10, 20, 30));
  tape.run();
  assertEquals(Array.from(await readFloats(gpu, y)), [60, 120, 180]);
  tape.destroy();
});

Deno.test("a replay makes nothing: one submit, its dispatches, no buffer, no pipeline", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [40], new Array(40).fill(1));
  const sum = persistent(gpu, "sum", [40]);
  const tape = new Tape(gpu, "counts");
  tape.clear(sum);
  for (let i = 0; i < 3; i++) launch(tape, ADD_SCALED, scaled(tape, x, 2), sum, 1);
  assertEquals(tape.dispatchCount, 6);
  tape.compile();
  const before = { ...gpu.counts };
  const pipelines = gpu.pipelines.size;
  for (let i = 0; i < 50; i++) tape.run();
  assertEquals(gpu.counts.submits - before.submits, 50);
  assertEquals(gpu.counts.dispatches - before.dispatches, 300);
  assertEquals(gpu.counts.buffers, before.buffers);
  assertEquals(gpu.counts.readbacks, before.readbacks);
  assertEquals(gpu.pipelines.size, pipelines);
  assertEquals(Array.from(await readFloats(gpu, sum)), new Array(40).fill(6));
  tape.destroy();
});

Deno.test("several tapes encoded together share one submission, in order", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const sum = tensorOf(gpu, "sum", [4], [0, 0, 0, 0]);
  const [add, double] = [new Tape(gpu, "add"), new Tape(gpu, "double")];
  launch(add, ADD_SCALED, x, sum, 1);
  launch(double, ADD_SCALED, scaled(double, sum, 1), sum, 1);
  const encoder = gpu.device.createCommandEncoder();
  for (const tape of [add, double, add]) tape.encode(encoder);
  gpu.device.queue.submit([encoder.finish()]);
  assertEquals(Array.from(await readFloats(gpu, sum)), [3, 6, 9, 12]);
  add.destroy();
  double.destroy();
});

Deno.test("clear zeroes at its place in the order, on every replay", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const sum = tensorOf(gpu, "sum", [4], [9, 9, 9, 9]);
  const tape = new Tape(gpu, "clear");
  const before = tape.keep(scaled(tape, sum, 1));
  tape.clear(sum);
  launch(tape, ADD_SCALED, x, sum, 1);
  launch(tape, ADD_SCALED, x, sum, 1);
  const scratch = tape.tensor("scratch", [4]);
  tape.clear(scratch);
  const same = tape.keep(launch(tape, ADD_SCALED, x, scratch, 5));
  tape.poison();
  tape.run();
  tape.run();
  const [b, s, t] = await readTensors(gpu, [before, sum, same]);
  assertEquals([[...b], [...s], [...t]], [[2, 4, 6, 8], [2, 4, 6, 8], [5, 10, 15, 20]]);
  tape.destroy();
});

Deno.test("a hook runs after the dispatches, in the same submission", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const copy = persistent(gpu, "copy", [4]);
  const tape = new Tape(gpu, "hook");
  const y = tape.keep(scaled(tape, x, 2));
  tape.run((encoder) =>
    encoder.copyBufferToBuffer(y.place.buffer!, 0, copy.place.buffer!, 0, copy.bytes)
  );
  assertEquals(Array.from(await readFloats(gpu, copy)), [2, 4, 6, 8]);
  tape.destroy();
});

Deno.test("poison shows what is read but never written, and spares persistent tensors", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const [sum, again] = await runTape(gpu, (tape) => {
    const y = launch(tape, ADD_SCALED, x, tape.tensor("never cleared", [4]), 1);
    return [y, scaled(tape, x, 1)];
  });
  assert(sum.every(Number.isNaN), "an accumulation into nothing must be NaN");
  assertEquals(Array.from(again), [1, 2, 3, 4]);
});

Deno.test("transients share buffers, kept ones do not", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [1024], new Array(1024).fill(1));
  const bytesOf = (keep: boolean) => {
    const tape = new Tape(gpu, "bytes");
    for (let i = 0, y = x; i < 8; i++) {
      y = scaled(tape, y, 2);
      if (keep) tape.keep(y);
    }
    tape.compile();
    const bytes = tape.bytes - 8 * 256; // the uniforms of 8 dispatches
    tape.destroy();
    return bytes;
  };
  assertEquals(bytesOf(false), 2 * 4096);
  assertEquals(bytesOf(true), 8 * 4096);
});

Deno.test("a loop that a software adapter would cut short is refused", async () => {
  const tape = new Tape(await testGpu(), "loops");
  const x = tensorOf(tape.gpu, "x", [4], [1, 2, 3, 4]);
  const dispatch = (loops: number) =>
    tape.dispatch({
      kernel: SCALE,
      bindings: { x, y: tape.tensor("y", [4]) },
      uniforms: { length: 4 },
      overrides: { FACTOR: 1 },
      groups: [1],
      loops,
    });
  dispatch(MAX_LOOP_ITERATIONS);
  assertThrows(
    () => dispatch(MAX_LOOP_ITERATIONS + 1),
    InputError,
    "kernel scale would loop 65001",
  );
  assertEquals(tape.dispatchCount, 1);
});

Deno.test("workgroup counts that WebGPU does not allow are refused", async () => {
  const tape = new Tape(await testGpu(), "groups");
  const x = tensorOf(tape.gpu, "x", [4], [1, 2, 3, 4]);
  const dispatch = (groups: [number, number?, number?]) =>
    tape.dispatch({ kernel: SCALE, bindings: { x, y: x }, groups });
  for (const n of [0, -1, 1.5, 65_536, NaN]) {
    assertThrows(() => dispatch([n]), InputError, `kernel scale: ${n} workgroups`);
    assertThrows(() => dispatch([1, n]), InputError, `${n} workgroups`);
    assertThrows(() => dispatch([1, 1, n]), InputError, `${n} workgroups`);
  }
});

Deno.test("linearGroups starts enough workgroups, few too many, and none beyond an axis (property)", () => {
  const invocations = fc.integer({ min: 0, max: 65_535 ** 2 });
  fc.assert(fc.property(invocations, fc.constantFrom(1, 8, 64), (n, size) => {
    const [x, y] = linearGroups(n, size);
    assert(x >= 1 && y >= 1 && x <= 65_535 && y <= 65_535);
    assert(x * y * size >= n);
    assert((x * y - y) * size < Math.max(1, n), "a whole row of workgroups too many");
  }));
  assertThrows(() => linearGroups(65_535 ** 2 + 1, 1), DeviceError, "more than one dispatch");
});

Deno.test("a forgotten binding, and anything after compile, is refused by name", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const tape = new Tape(gpu, "late");
  assertThrows(
    () => tape.dispatch({ kernel: SCALE, bindings: { x }, groups: [1] }),
    Error,
    "kernel scale: nothing is bound to y",
  );
  const y = scaled(tape, x, 1);
  tape.compile();
  assertThrows(() => scaled(tape, x, 2), Error, "scale comes too late");
  assertThrows(() => tape.clear(y), Error, "clear 1 x comes too late");
  assertThrows(() => tape.keep(y), Error, "keep 1 x comes too late");
  tape.destroy();
});

Deno.test("a tensor that is read before anything wrote it is named", async () => {
  const tape = new Tape(await testGpu(), "unwritten");
  scaled(tape, tape.tensor("ghost", [4]), 1);
  assertThrows(() => tape.compile(), Error, "ghost in scale is read before anything wrote it");
});

await testUnless(
  "a tensor larger than one binding is refused, naming it",
  ({ device: { limits } }) =>
    limits.maxStorageBufferBindingSize + 16 > limits.maxBufferSize ? "no buffer is larger" : null,
  (gpu) => {
    const most = gpu.device.limits.maxStorageBufferBindingSize;
    const tape = new Tape(gpu, "large");
    const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
    launch(tape, SCALE, x, tape.tensor("huge", [most / 4 + 4]), 1);
    assertThrows(() => tape.compile(), InputError, "huge [");
    tape.destroy();
  },
);

Deno.test("a shader that does not compile is a DeviceError that names the kernel", async () => {
  const gpu = await openGpu(); // its own device: what follows the first error is of no interest to others
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const tape = new Tape(gpu, "invalid");
  launch(tape, INVALID, x, tape.tensor("y", [4]), 1);
  await assertRejects(
    async () => {
      tape.run();
      await readFloats(gpu, x);
    },
    DeviceError,
    "invalid_kernel",
  );
  gpu.close();
});

Deno.test("compile names each kernel as it is built", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "progress");
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  launch(tape, ADD_SCALED, scaled(tape, x, 2), tape.tensor("y", [4]), 1);
  const heard: string[] = [];
  tape.compile((kernel) => heard.push(kernel));
  assertEquals(heard, ["scale", "add_scaled"]);
  tape.destroy();
});

Deno.test("a destroyed tape refuses to run, it does not run nothing", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "gone");
  tape.keep(scaled(tape, tensorOf(gpu, "x", [3], [1, 2, 3]), 2));
  tape.run();
  tape.destroy();
  assertThrows(() => tape.run(), Error, "tape gone was destroyed");
});

Deno.test("a float16 tensor does not reach a kernel that reads float32", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "types");
  const halves = persistent(gpu, "halves", [4], "f16");
  assertThrows(
    () => scaled(tape, halves, 2),
    InputError,
    "x must not be f16, halves is f16",
  );
});
