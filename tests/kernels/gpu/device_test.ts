/**
 * The device: choosing an adapter, limits as errors for people, and errors that WebGPU reports late.
 */
import { DeviceError, InputError } from "../../../kernels/errors.ts";
import { mib, openGpu } from "../../../kernels/gpu/device.ts";
import { readFloats, settle } from "../../../kernels/gpu/readback.ts";
import { persistent, Tensor, unpadRows, upload } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { tensorOf, testGpu } from "../harness.ts";

Deno.test("an adapter is found by part of its description, in any case", async () => {
  const { info } = await testGpu();
  const named = await openGpu({ adapter: info.description.slice(0, 6).toUpperCase() });
  assertEquals(named.info, info);
  named.close();
});

Deno.test("an unknown adapter is refused, with a list of what there is", async () => {
  const { info } = await testGpu();
  const error = await assertRejects(() => openGpu({ adapter: "no such adapter" }), InputError);
  assert(error.message.includes(`matches "no such adapter"; found: `), error.message);
  assert(error.message.includes(info.description), error.message);
});

Deno.test("a buffer larger than the adapter allows is refused with both sizes", async () => {
  const gpu = await testGpu();
  const most = gpu.device.limits.maxBufferSize;
  const before = { ...gpu.counts };
  const error = assertThrows(
    () => persistent(gpu, "huge", [most / 4 + 16]),
    InputError,
    "huge needs",
  );
  assert(error.message.includes(`this adapter allows ${mib(most)}`), error.message);
  assertEquals(gpu.counts, before);
});

Deno.test("sizes are written for people", () => {
  assertEquals([mib(2 ** 19), mib(2 ** 27)], ["0.5 MiB", "128 MiB"]);
});

Deno.test("an error of the device is thrown once, at the next check", async () => {
  const gpu = await openGpu();
  const buffer = gpu.createBuffer("not for copies", 16, GPUBufferUsage.STORAGE);
  gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array(4));
  const error = await assertRejects(() => settle(gpu), DeviceError, "not for copies");
  assert(!error.message.includes("\n"), "one line");
  gpu.check();
  gpu.close();
});

Deno.test("closing a device is not losing it", async () => {
  const gpu = await openGpu();
  gpu.close();
  await gpu.device.lost;
  gpu.check();
});

Deno.test("a lost device is reported at every check, not once, and by a read-back that it stopped", async () => {
  const gpu = await openGpu();
  const tensor = persistent(gpu, "t", [4]);
  gpu.device.destroy(); // not by close(): nobody asked for it
  await assertRejects(() => readFloats(gpu, tensor), DeviceError);
  await gpu.device.lost;
  for (let i = 0; i < 2; i++) {
    assertThrows(() => gpu.check(), DeviceError, "the GPU device was lost");
  }
});

Deno.test("shapes must be positive whole numbers", () => {
  for (const shape of [[0], [3, -1], [1.5], [NaN]]) {
    assertThrows(() => new Tensor("odd", shape), InputError, "odd: shape must be");
  }
});

Deno.test("rows are padded to fours, vectors only at their end", () => {
  const matrix = new Tensor("m", [2, 3, 5]);
  assertEquals([matrix.rows, matrix.columns, matrix.stride, matrix.stored], [6, 5, 8, 48]);
  const vector = new Tensor("v", [5], "f16");
  assertEquals([vector.rows, vector.columns, vector.stored, vector.bytes], [1, 5, 8, 16]);
  assertEquals([...unpadRows(new Tensor("m", [2, 1]), Float32Array.of(1, 0, 0, 0, 2, 0, 0, 0))], [
    1,
    2,
  ]);
});

Deno.test("upload wants as many values as the shape has", async () => {
  const gpu = await testGpu();
  const tensor = tensorOf(gpu, "t", [2, 3], [1, 2, 3, 4, 5, 6]);
  assertThrows(
    () => upload(gpu, tensor, new Float32Array(8)),
    InputError,
    "t: expected 6 values for shape [2,3], got 8",
  );
});

Deno.test("upload wants values of the tensor's type", async () => {
  const gpu = await testGpu();
  const floats = tensorOf(gpu, "floats", [2], [1, 2]);
  const ids = tensorOf(gpu, "ids", [2], [1, 2], "u32");
  const halves = persistent(gpu, "halves", [2], "f16");
  const wrong = [[floats, new Uint32Array(2)], [ids, new Float32Array(2)], [
    halves,
    new Float32Array(2),
  ]] as const;
  for (const [tensor, values] of wrong) {
    const message = `${tensor.name}: expected ${tensor.dtype} values`;
    assertThrows(() => upload(gpu, tensor, values), InputError, message);
  }
});
