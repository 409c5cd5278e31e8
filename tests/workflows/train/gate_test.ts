/**
 * Runs that a gate promotes, holds to the end of its patience, and rolls back, in this process.
 */
import { join } from "node:path";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import { type Reporter, silent } from "../../../workflows/logging/reporter.ts";
import { readMetrics } from "../../../workflows/logging/run_log.ts";
import { verifyAudit } from "../../../workflows/stages/audit.ts";
import { summaryLines } from "../../../workflows/train/summary.ts";
import { train, type TrainResult } from "../../../workflows/train/trainer.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import { inFolder, SMALL } from "./helpers.ts";

await testGpu(); // sets the environment that an adapter needs

const METRICS = `extensions=[${new URL("gate_metrics.ts", import.meta.url).pathname}]`;
const stages = (rate: number) =>
  "stages=[{name: pretrain, kind: language_modelling, data: nursery, steps: 4, learning_rate: 3e-3}, " +
  `{name: imprint, kind: value_imprinting, data: nursery, steps: 6, learning_rate: ${rate}, rho: 0}]`;
const gate = (thresholds: string, more = "") =>
  `gate={every: 3, dialogues: 1, max_new_tokens: 2, first: {${thresholds}}, last: {${thresholds}}${more}}`;

async function run(
  folder: string,
  overrides: readonly string[],
  reporter: Reporter = silent,
): Promise<TrainResult> {
  const { config } = resolveConfig({
    overrides: [stages(1e-3), ...SMALL, "stages.all.log_every=3", ...overrides],
  });
  return await train({ config, folder, resume: null, reporter, stopped: () => false });
}

const told = ({ gates }: TrainResult) =>
  gates.map(({ stage, step, action }) => `${stage} ${step} ${action}`);

Deno.test("gate: a stage that reaches its thresholds is promoted, and all of it is on record", () =>
  inFolder(async (folder) => {
    const notes: string[] = [];
    const reporter = { ...silent, note: (line: string) => notes.push(line) };
    const result = await run(folder, [gate("facts: 0, safety: 0")], reporter);
    assertEquals(told(result), ["imprint 3 wait", "imprint 6 promote"]);
    assertEquals([result.ended, result.checkpoint], [false, join(folder, "checkpoints/imprint-6")]);
    assert(
      notes.some((line) => line.startsWith("gate after imprint, step 6: promote: all thresholds")),
    );
    const { ok, entries } = await verifyAudit(folder);
    assertEquals([ok, entries.map(({ event }) => event).join(" ")], [
      true,
      "start reference gate gate end",
    ]);
    const rows = await readMetrics(join(folder, "metrics.jsonl"));
    const row = rows.find((one) => one["gate/promote"] === 1)!;
    assertEquals([row.stage, row.step, row["maturity/facts"]], ["imprint", 6, 0]);
    assertEquals(row["violation/E4"], 0);
    const lines = summaryLines(result, folder).join("\n");
    assert(/imprint 3 +0 +0 +wait\nimprint 6 +0 +0 +promote\n/.test(lines), lines);
  }));

Deno.test("gate: a stage that stays immature is held as often as allowed, then the programme ends", () =>
  inFolder(async (folder) => {
    const result = await run(folder, [gate("facts: 0.5, safety: 0", ", max_holds: 2")]);
    assertEquals(told(result), [
      "imprint 3 wait",
      "imprint 6 hold",
      "imprint 9 hold",
      "imprint 12 stop",
    ]);
    assertEquals([result.ended, result.checkpoint], [true, join(folder, "checkpoints/pretrain-4")]);
    const rates = (await readMetrics(join(folder, "metrics.jsonl")))
      .filter(({ stage, learning_rate }) => stage === "imprint" && learning_rate !== undefined)
      .map(({ step, learning_rate }) => [step, learning_rate]);
    // Each portion falls anew, from half the peak.
    assertEquals(rates.map(([step]) => step), [3, 6, 9, 12]);
    assertEquals(rates[2][1], rates[3][1]);
    const fall = 0.05 + 0.95 * (1 + Math.cos(2 * Math.PI / 3)) / 2;
    assert(Math.abs(Number(rates[2][1]) - 0.5e-3 * fall) < 1e-9);
  }));

Deno.test("gate: a stage whose learning rate destroys the policy is rolled back, and promoted at a lower one", () =>
  inFolder(async (folder) => {
    const lower = ", rollback_learning_rate_ratio: 0.01";
    const result = await run(folder, [
      stages(5),
      ...SMALL,
      METRICS,
      gate("test_steady: 0.9", lower),
    ]);
    assertEquals(told(result), [
      "imprint 3 roll_back",
      "imprint_retry1 3 wait",
      "imprint_retry1 6 promote",
    ]);
    const [bad, , good] = result.gates;
    assert(bad.regressions[0].atLeast > 0.1 && good.metrics.test_steady.rate! > 0.9);
    assertEquals(result.checkpoint, join(folder, "checkpoints/imprint_retry1-6"));
    assertEquals(Object.keys(result.heldOut), ["pretrain", "imprint_retry1"]);
  }));

Deno.test("gate: what cannot work is told before anything is written", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const wrong = [
      [gate("fact: 0.5"), 'no metric "fact" (did you mean "facts"?)'],
      ["gate={first: {facts: 0}, last: {safety: 0}}", "gate.last.facts is missing"],
      ["gate={first: {facts: 2}, last: {facts: 1}}", "gate.first.facts"],
      ["extensions=[absent.ts]", "extension absent.ts cannot be loaded"],
      [`extensions=[${new URL("helpers.ts", import.meta.url).pathname}]`, "found BARE"],
    ];
    await Deno.writeTextFile(join(folder, "rows.jsonl"), `{"prompt": "a", "completion": "b"}\n`);
    const text = join(folder, "rows.jsonl");
    const file =
      `stages=[{name: one, kind: value_imprinting, data: {path: ${text}}, steps: 2, learning_rate: 1}]`;
    await assertRejects(
      () => run(out, [file, gate("facts: 0")]),
      Error,
      "the metric facts is about the nursery",
    );
    for (const [override, message] of wrong) {
      await assertRejects(() => run(out, [override]), Error, message);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["rows.jsonl"]);
  }));

Deno.test("gate: stages that learn from raw text have none", () =>
  inFolder(async (folder) => {
    const raw =
      "stages=[{name: one, kind: language_modelling, data: nursery, steps: 2, batch_size: 2, learning_rate: 1e-3}]";
    const result = await run(join(folder, "run"), [raw, gate("facts: 1"), "world_model={}"]);
    assertEquals([result.gates, result.ended, result.certificate], [[], false, null]);
  }));
