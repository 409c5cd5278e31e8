/**
 * Reading back: many tensors in one map, and the ring that lets a host look only now and then.
 */
import { MetricRing, readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { paddingIsZero, storedRows, tensorOf, testGpu } from "../harness.ts";
import { ADD_SCALED, launch } from "./kernels.ts";

Deno.test("tensors of any type come back in one map, without their padding", async () => {
  const gpu = await testGpu();
  const matrix = tensorOf(gpu, "matrix", [3, 5], Array.from({ length: 15 }, (_, i) => i + 0.5));
  const ids = tensorOf(gpu, "ids", [5], [0, 1, 2 ** 32 - 1, 3, 4], "u32");
  const half = persistent(gpu, "half", [2, 3], "f16");
  const stored = Float16Array.of(1.5, -2, 65504, 0, 0.25, 0, 6e-8, 0);
  gpu.device.queue.writeBuffer(half.place.buffer!, 0, stored);
  const before = gpu.counts.readbacks;
  const [a, b, c, raw] = await readTensors(gpu, [matrix, ids, half, storedRows(matrix)]);
  assertEquals(gpu.counts.readbacks - before, 1);
  assertEquals(Array.from(a), Array.from({ length: 15 }, (_, i) => i + 0.5));
  assert(b instanceof Uint32Array);
  assertEquals(Array.from(b), [0, 1, 2 ** 32 - 1, 3, 4]);
  assertEquals(Array.from(c), [1.5, -2, 65504, 0.25, 0, 2 ** -24]);
  assertEquals(raw.length, 24);
  assert(paddingIsZero(matrix, raw));
});

/** A step that counts: after n runs `source` holds [n, 2 n, 3 n]. */
async function counter(rows: number): Promise<{ ring: MetricRing; step: () => void }> {
  const gpu = await testGpu();
  const source = tensorOf(gpu, "source", [3], [0, 0, 0]);
  const tape = new Tape(gpu, "counter");
  launch(tape, ADD_SCALED, tensorOf(gpu, "one", [3], [1, 2, 3]), source, 1);
  const ring = new MetricRing(gpu, source, rows);
  return { ring, step: () => tape.run((encoder) => ring.record(encoder)) };
}

const lists = (rows: readonly Float32Array[]) => rows.map((row) => Array.from(row));

Deno.test("the ring returns each row once, oldest first, also past its end, in one map", async () => {
  const gpu = await testGpu();
  const { ring, step } = await counter(4);
  assertEquals(await ring.drain(), []);
  for (let i = 0; i < 3; i++) step();
  assertEquals([ring.pending, ring.full], [3, false]);
  let before = gpu.counts.readbacks;
  assertEquals(lists(await ring.drain()), [[1, 2, 3], [2, 4, 6], [3, 6, 9]]);
  for (let i = 0; i < 4; i++) step();
  assertEquals([ring.pending, ring.full, gpu.counts.readbacks - before], [4, true, 1]);
  before = gpu.counts.readbacks;
  assertEquals(lists(await ring.drain()), [[4, 8, 12], [5, 10, 15], [6, 12, 18], [7, 14, 21]]);
  assertEquals([ring.pending, gpu.counts.readbacks - before], [0, 1]);
  ring.destroy();
});

Deno.test("a full ring refuses a row rather than losing one", async () => {
  const { ring, step } = await counter(2);
  step();
  step();
  assertThrows(step, Error, "holds 2 unread rows");
  assertEquals(lists(await ring.drain()), [[1, 2, 3], [2, 4, 6]]);
  ring.destroy();
});

Deno.test("rows recorded while a drain waits stay for the next one", async () => {
  const { ring, step } = await counter(4);
  step();
  const first = ring.drain();
  step();
  assertEquals(lists(await first), [[1, 2, 3]]);
  assertEquals(ring.pending, 1);
  assertEquals(lists(await ring.drain()), [[2, 4, 6]]);
  ring.destroy();
});

Deno.test("values read are copies", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "x", [4], [1, 2, 3, 4]);
  const [a] = await readTensors(gpu, [x]);
  a[0] = 99;
  assertEquals(Array.from((await readTensors(gpu, [x]))[0]), [1, 2, 3, 4]);
});
