/**
 * Runs many steps of the smallest policy and writes, after each thousand, the resident memory in MiB and the buffers made so far:
 * a process of its own, so that garbage can be collected before each reading (`--v8-flags=--expose-gc`).
 */
import { testGpu } from "../../kernels/harness.ts";
import { batchOfRows, recorded, rowsOf, TINY_POLICY } from "./programs.ts";

const [steps, logEvery] = Deno.args.map(Number);
const gpu = await testGpu();
const { program, destroy } = await recorded(TINY_POLICY, { rows: 1, length: 8 });
const batches = Array.from({ length: 16 }, (_, i) => batchOfRows(rowsOf(1, 8, i + 1), 8));
const readings: { mib: number; buffers: number }[] = [];
for (let step = 0; step < steps; step++) {
  program.step(step, [batches[step % batches.length]]);
  if ((step + 1) % logEvery === 0) await program.metrics();
  if ((step + 1) % 1000 > 0) continue;
  (globalThis as unknown as { gc(): void }).gc();
  readings.push({ mib: Deno.memoryUsage().rss / 2 ** 20, buffers: gpu.counts.buffers });
}
destroy();
gpu.close();
console.log(JSON.stringify(readings));
