/**
 * A run that is killed or stopped and resumed ends with the same bytes as one that never was: weights, moments, Fisher
 * information, metrics, whatever the place of the interruption between rows of the log.
 */
import { join } from "node:path";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { assertSameRunBut, inFolder, interruptTrain, runTrain, TINY } from "./helpers.ts";

/** Checkpoints fall between rows of the log on purpose. */
const RUN = [
  ...TINY,
  "stages.all.steps=12",
  "stages.all.log_every=5",
  "stages.all.save_every=3",
  "stages.all.eval_every=4",
  "stages.all.gradient_accumulation=2",
  "stages.imprint.fisher.samples=8",
  "stages.imprint.rho=0.2",
];

async function reference(out: string, ...more: string[]): Promise<void> {
  const { code, stderr } = await runTrain(["--out", out, ...RUN, ...more]);
  assertEquals(code, 0, stderr);
}

async function resume(out: string): Promise<void> {
  const { code, stderr } = await runTrain(["--resume", out]);
  assertEquals(code, 0, stderr);
}

/** Interrupts one run after another checkpoint and compares where it ends. */
async function compareAt(
  places: readonly string[],
  signal: Deno.Signal,
  ...more: string[]
): Promise<void> {
  await inFolder(async (folder) => {
    const whole = join(folder, "whole");
    await reference(whole, ...more);
    for (const place of places) {
      const out = join(folder, place);
      const checkpoint = join("checkpoints", place, "stage.json");
      const { code, stderr } = await interruptTrain(out, [...RUN, ...more], checkpoint, signal);
      if (signal === "SIGINT") {
        assertEquals(code, 1, stderr);
        assert(stderr.includes(`stopped: continue with --resume ${out}`), stderr);
      }
      await resume(out);
      assertSameRunBut(out, whole);
    }
  });
}

Deno.test("resume after SIGKILL is exact in both stages", () =>
  compareAt(["pretrain-3", "pretrain-12", "imprint-6"], "SIGKILL"));

Deno.test("Ctrl-C saves a checkpoint, and resume from it is exact", () =>
  compareAt(["pretrain-6", "imprint-3"], "SIGINT"));

Deno.test("resume of adapters is exact", () =>
  compareAt(
    ["pretrain-9", "pretrain-12", "imprint-6"],
    "SIGKILL",
    "lora={r: 4, dropout: 0.1}",
  ));

Deno.test("resume with pairs, a table of their reference, plasticity and a path is exact", () =>
  compareAt(
    ["pretrain-6", "imprint-6"],
    "SIGKILL",
    "stages.pretrain.fisher={kind: synaptic}",
    "stages.imprint.weights={vi: 2, po: 1, pl: 1}",
    "stages.imprint.preference.reference=precomputed",
    "stages.imprint.fisher.kind=synaptic",
  ));

const { hasF16 } = await testGpu();
Deno.test({
  name: "resume in half precision, with its loss scale, is exact" +
    (hasF16 ? "" : " (skipped: the adapter has no float16)"),
  ignore: !hasF16,
  fn: () => compareAt(["imprint-6"], "SIGKILL", "precision=f16"),
});
