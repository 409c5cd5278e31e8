/**
 * What whole runs leave behind, in this process: adapters that load again, and the report of steps that changed nothing.
 */
import { join } from "node:path";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import type { TrainConfig } from "../../../workflows/config/config.ts";
import { type Reporter, silent } from "../../../workflows/logging/reporter.ts";
import { readMetrics } from "../../../workflows/logging/run_log.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { mergeLora } from "../../../workflows/model_files/lora.ts";
import { readAdapter } from "../../../workflows/model_files/peft.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import { startingPolicy } from "../../../workflows/train/policy_source.ts";
import { summaryLines } from "../../../workflows/train/summary.ts";
import { train, type TrainResult } from "../../../workflows/train/trainer.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { assertSameRun, assertSameRunBut, BARE, inFolder, TINY } from "./helpers.ts";

await testGpu(); // sets the environment that an adapter needs

async function run(
  folder: string,
  overrides: readonly string[],
  reporter: Reporter = silent,
): Promise<{ config: TrainConfig; result: TrainResult }> {
  const { config } = resolveConfig({ overrides: [...TINY, ...overrides] });
  const request = { config, folder, resume: null, reporter, stopped: () => false };
  return { config, result: await train(request) };
}

Deno.test("a run with adapters saves the merged policy, and the adapters alone as PEFT reads them", () =>
  inFolder(async (folder) => {
    const stage = "stages=[{name: one, kind: language_modelling, data: nursery, steps: 6, " +
      "batch_size: 2, length: 32, learning_rate: 1e-2}]";
    const { config, result } = await run(join(folder, "run"), [stage, "lora={r: 4, alpha: 8}"]);
    const { weights: base } = await startingPolicy(config);
    const { weights } = await loadModel(result.checkpoint!);
    const adapter = await readAdapter(join(result.checkpoint!, "adapter"), base.config);
    assertEquals([adapter.r, adapter.alpha], [4, 8]);
    assert(adapter.targets.every(({ B }) => B.some((value) => value !== 0)), "every B has moved");
    assertEquals(weights.tensors, mergeLora(base, adapter).tensors);
    assertEquals(weights.tensors.get("embed.weight"), base.tensors.get("embed.weight"));
    const moved = (name: string) =>
      weights.tensors.get(name)!.some((value, i) => value !== base.tensors.get(name)![i]);
    assert(moved("layers.0.attention.qkv.weight") && moved("layers.0.mlp.down.weight"));
  }));

Deno.test("a run whose gradients are not finite says so and keeps its weights", () =>
  inFolder(async (folder) => {
    const { config } = resolveConfig({ overrides: TINY });
    const { weights, tokenizer } = await startingPolicy(config);
    weights.tensors.get("final_norm.weight")!.fill(1e38);
    await saveModel(join(folder, "model"), weights, { tokenizer });
    const notes: string[] = [];
    const reporter = { ...silent, note: (line: string) => notes.push(line) };
    const stage = "stages=[{name: one, kind: language_modelling, data: nursery, steps: 4, " +
      "batch_size: 2, length: 32, learning_rate: 1e-2, log_every: 4}]";
    const more = [`model.from=${join(folder, "model")}`, stage, ...BARE];
    const { config: second } = resolveConfig({ overrides: more });
    const out = join(folder, "run");
    const request = { config: second, folder: out, resume: null, reporter, stopped: () => false };
    const { checkpoint } = await train({ ...request, config: { ...second, evaluate: null } });
    assert(
      notes.some((line) =>
        line.startsWith("warning: 4 of the last 4 steps had a gradient that is not finite")
      ),
      notes.join("\n"),
    );
    assertEquals((await loadModel(checkpoint!)).weights.tensors, weights.tensors);
    const [row] = await readMetrics(join(out, "metrics.jsonl"));
    assertEquals([row.step, row.grad_norm], [4, null]);
  }));

Deno.test("who stops a run while the Fisher information is estimated gets it after a resume, to the bit", () =>
  inFolder(async (folder) => {
    const more = [
      "stages.all.steps=3",
      "stages.imprint.fisher.samples=32",
      "stages.imprint.log_every=2",
    ];
    const [whole, halted] = [join(folder, "whole"), join(folder, "halted")];
    const { config } = await run(whole, more);
    let stop = false;
    const reporter = {
      ...silent,
      note: (line: string) => stop ||= line.includes("Fisher diagonal"),
    };
    const request = { config, folder: halted, resume: null, reporter, stopped: () => stop };
    assertEquals((await train(request)).stopped, true);
    const checkpoint = join(halted, "checkpoints", "imprint-3");
    assertEquals([...Deno.readDirSync(checkpoint)].some(({ name }) => /fisher/.test(name)), false);
    const resume = { stage: "imprint", step: 3 };
    await train({ ...request, resume, reporter: silent, stopped: () => false });
    assertSameRun(halted, whole);
  }));

Deno.test("a resumed run ends with the scores and held-out losses of its earlier stages too", () =>
  inFolder(async (folder) => {
    const more = ["stages.all.steps=3", "stages.imprint.fisher=null", "evaluate={dialogues: 1}"];
    const whole = await run(join(folder, "whole"), more);
    assertEquals(Object.keys(whole.result.scores), ["untrained", "pretrain", "imprint"]);
    assertEquals(Object.keys(whole.result.heldOut), ["pretrain", "imprint"]);
    let stop = false;
    const reporter = { ...silent, stage: (name: string) => void (stop ||= name === "imprint") };
    const request = {
      config: whole.config,
      folder: join(folder, "halted"),
      resume: null,
      reporter,
    };
    await train({ ...request, stopped: () => stop });
    const resume = { stage: "imprint", step: 0 };
    const rest = { ...request, resume, reporter: silent, stopped: () => false };
    const { checkpoint: _, ...resumed } = await train(rest);
    const { checkpoint: __, ...wanted } = whole.result;
    assertEquals(resumed, wanted);
    const table = summaryLines({ checkpoint: null, ...resumed }, "run").join("\n");
    assert(/untrained +pretrain +imprint/.test(table), table);
    assert(/pretrain +held-out loss/.test(table) && /imprint +held-out loss/.test(table), table);
    assertSameRunBut(join(folder, "halted"), join(folder, "whole"));
  }));
