/**
 * What a step costs beside arithmetic: one submission, no read-back, a stated number of kernel launches, and no memory that
 * stays behind. (That a batch of replies costs one read-back is tested with the generator.)
 */
import { Parameters } from "../../../kernels/policy/parameters.ts";
import { TrainProgram } from "../../../workflows/train/program.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import {
  batchOfRows,
  GPT2_SMALL,
  NURSERY_POLICY,
  recorded,
  rowsOf,
  settingsOf,
  TINY_POLICY,
} from "./programs.ts";

/**
 * Kernel launches of one AdamW step on a software adapter, 2026-11: a forward and backward pass, the norm, the update. A change
 * of kernels may change them, and then says so here; one that raises them has a reason. GPT-2 small's embedding is larger than a binding
 * of 128 MiB: its table, its head and their gradients come in two windows. Its update comes in windows of 2^22 values (see `optimizer.ts`).
 */
const LAUNCHES = [
  { name: "the nursery's policy", config: NURSERY_POLICY, launches: 70 },
  { name: "GPT-2 small", config: GPT2_SMALL, launches: 354 },
];

for (const { name, config, launches } of LAUNCHES) {
  Deno.test(`a step of ${name} launches ${launches} kernels`, async () => {
    const gpu = await testGpu();
    // Recording allocates arenas but touches none of them: no weight is loaded and no kernel compiled.
    const parameters = new Parameters(gpu, config);
    const program = new TrainProgram(parameters, settingsOf());
    const count = program.dispatchesPerStep;
    const four = new TrainProgram(parameters, settingsOf({ accumulation: 4 }));
    const update = (4 * count - four.dispatchesPerStep) / 3;
    console.log(`${name}: ${count} launches a step, ${update} of them for norm and update`);
    program.destroy();
    four.destroy();
    parameters.destroy();
    if (gpu.info.software) assertEquals(count, launches);
    assert(count >= 20 * config.layers, "a layer has at least ten kernels each way");
    assert(Number.isInteger(update) && update >= 2);
  });
}

Deno.test("a step is one submission of its stated launches; metrics of many steps are one read-back", async () => {
  const gpu = await testGpu();
  const { program, destroy } = await recorded(TINY_POLICY, { accumulation: 3 });
  const batches = [1, 2, 3].map((seed) => batchOfRows(rowsOf(2, 16, seed), 16));
  program.step(0, batches);
  await program.metrics();
  const before = { ...gpu.counts };
  const STEPS = 50;
  for (let step = 1; step <= STEPS; step++) program.step(step, batches);
  assertEquals(gpu.counts.submits - before.submits, STEPS);
  assertEquals(gpu.counts.readbacks, before.readbacks);
  assertEquals(gpu.counts.buffers, before.buffers);
  assertEquals(gpu.counts.dispatches - before.dispatches, STEPS * program.dispatchesPerStep);
  assertEquals((await program.metrics()).length, STEPS);
  assertEquals(gpu.counts.readbacks - before.readbacks, 1);
  destroy();
});

Deno.test("5,000 steps leave memory as it was after 1,000", async () => {
  const LOG_EVERY = 100;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--v8-flags=--expose-gc",
      new URL("./memory_entry.ts", import.meta.url).href,
      "5000",
      String(LOG_EVERY),
    ],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const readings: { mib: number; buffers: number }[] = JSON.parse(new TextDecoder().decode(stdout));
  const [early, late] = [readings[0], readings[4]];
  console.log(
    `resident memory after 1,000 steps ${early.mib.toFixed(1)} MiB, after 5,000 ${
      late.mib.toFixed(1)
    } MiB`,
  );
  // The read-back of each row of the log makes one buffer, and frees it.
  assertEquals(late.buffers - early.buffers, 4_000 / LOG_EVERY);
  // One kilobyte kept by each step would be 3.9 MiB; measured are 0.1 to 0.5.
  assert(late.mib - early.mib < 2, `${late.mib - early.mib} MiB more`);
});
