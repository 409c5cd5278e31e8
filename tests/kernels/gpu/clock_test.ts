/**
 * The profile table: one row per kernel with calls, time, share, rate.
 */
import { InputError } from "../../../kernels/errors.ts";
import { openGpu } from "../../../kernels/gpu/device.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../assert.ts";
import { tensorOf, testUnless } from "../harness.ts";
import { ADD_SCALED, launch, scaled } from "./kernels.ts";

await testUnless(
  "the profile table sums a replay by kernel, and the replay computes as ever",
  (gpu) => gpu.hasTimestamps ? null : "no timestamp-query",
  async (gpu) => {
    const tape = new Tape(gpu, "profiled");
    const length = 100_000;
    const x = tensorOf(gpu, "x", [length], new Float32Array(length).fill(1));
    const sum = tensorOf(gpu, "sum", [length], new Float32Array(length).fill(7));
    tape.clear(sum);
    for (let i = 0; i < 3; i++) launch(tape, ADD_SCALED, scaled(tape, x, 2), sum, 1);
    tape.run();
    const clock = await tape.profile();
    const { rows } = clock;
    assertEquals(rows.map((r) => r.kernel).sort(), ["add_scaled", "scale"]);
    assertEquals(rows.map((r) => r.calls), [3, 3]);
    assert(rows.every((r) => r.ms > 0 && r.ms < 1000 && r.gbps > 0), clock.toString());
    assert(rows[0].ms >= rows[1].ms, "longest first");
    assertAlmostEquals(rows.reduce((all, r) => all + r.share, 0), 1, 1e-9);
    const scale = rows.find((r) => r.kernel === "scale")!;
    const others = rows.find((r) => r.kernel === "add_scaled")!;
    assertAlmostEquals(scale.gflops! * scale.ms * 1e6, 3 * length, 1e-6 * length);
    assertAlmostEquals(scale.gbps * scale.ms * 1e6, 3 * 8 * length, 1e-6 * length);
    assertEquals(others.gflops, null);
    const lines = clock.toString().split("\n");
    assertEquals(lines.length, 4);
    assert(lines[0].startsWith("kernel") && lines[3].startsWith("total "), clock.toString());
    assert((await readFloats(gpu, sum)).every((v) => v === 6), "values");
    tape.destroy();
  },
);

Deno.test("profiling on a device opened without it is refused", async () => {
  const gpu = await openGpu();
  const tape = new Tape(gpu, "unprofiled");
  scaled(tape, tensorOf(gpu, "x", [4], [1, 2, 3, 4]), 1);
  await assertRejects(() => tape.profile(), InputError, "profiling needs");
  gpu.close();
});
