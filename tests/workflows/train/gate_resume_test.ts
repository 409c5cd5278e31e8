/**
 * A gated run that is killed in an evaluation, in a hold or around a rollback and then resumed ends with the same bytes as one that
 * never was, its audit file included.
 */
import { join } from "node:path";
import { verifyAudit } from "../../../workflows/stages/audit.ts";
import { isGate } from "../../../workflows/stages/programme.ts";
import { assert, assertEquals } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";
import {
  assertSameRun,
  assertSameRunBut,
  inFolder,
  interruptTrain,
  runTrain,
  SMALL,
} from "./helpers.ts";

await testGpu(); // sets the environment that an adapter needs

const METRICS = new URL("gate_metrics.ts", import.meta.url).pathname;

/** Imprinting is held and promoted; the stage after it is rolled back for its learning rate, begun again and promoted. */
const RUN = [
  "stages=[{name: pretrain, kind: language_modelling, data: nursery, steps: 8, learning_rate: 3e-3}, " +
  "{name: imprint, kind: value_imprinting, data: nursery, steps: 12, learning_rate: 1e-2, rho: 0.2}, " +
  "{name: later, kind: value_imprinting, data: nursery, steps: 6, learning_rate: 1, rho: 0}]",
  ...SMALL,
  "stages.all.save_every=2",
  "stages.all.log_every=5",
  `extensions=[${METRICS}]`,
  "gate={every: 3, dialogues: 1, max_new_tokens: 2, rollback_learning_rate_ratio: 0.01, " +
  "first: {test_moved: 0.0237, test_steady: 0.5}, last: {test_moved: 0.0237, test_steady: 0.5}}",
];
async function run(args: readonly string[]): Promise<void> {
  const { code, stderr } = await runTrain(args);
  assertEquals(code, 0, stderr);
}

async function decisions(folder: string): Promise<string[]> {
  const { ok, entries, problem } = await verifyAudit(folder);
  assert(ok, problem ?? "");
  return entries.filter(isGate).map(({ stage, step, action }) => `${stage} ${step} ${action}`);
}

Deno.test("a gated run that is interrupted anywhere and resumed leaves the same bytes", () =>
  inFolder(async (folder) => {
    const whole = join(folder, "whole");
    await run(["--out", whole, ...RUN]);
    assertEquals(await decisions(whole), [
      "imprint 9 wait",
      "imprint 12 hold",
      "imprint 15 promote",
      "later 3 roll_back",
      "later_retry1 3 wait",
      "later_retry1 6 promote",
    ]);
    const places = [
      ["in an evaluation", "checkpoints/imprint-9/stage.json", ""],
      ["in the last evaluation", "checkpoints/imprint-12/stage.json", ""],
      ["after a hold", "audit.jsonl", '"hold"'],
      ["in a held portion", "checkpoints/imprint-14/stage.json", ""],
      ["after a promotion", "audit.jsonl", '"promote"'],
      ["before a rollback", "checkpoints/later-3/stage.json", ""],
      ["after a rollback", "audit.jsonl", '"roll_back"'],
      ["in the attempt after it", "checkpoints/later_retry1-2/stage.json", ""],
    ] as const;
    for (const [name, path, text] of places) {
      const out = join(folder, name);
      await interruptTrain(out, RUN, path, "SIGKILL", text);
      await run(["--resume", out]);
      assertSameRun(out, whole);
    }
  }));

Deno.test("Ctrl-C in an evaluation of the gate saves, and the resumed run leaves the same bytes", () =>
  inFolder(async (folder) => {
    const whole = join(folder, "whole");
    await run(["--out", whole, ...RUN]);
    const out = join(folder, "halted");
    const evaluating = "checkpoints/imprint-12/stage.json";
    const { code, stderr } = await interruptTrain(out, RUN, evaluating, "SIGINT");
    assertEquals(code, 1, stderr);
    assert(stderr.includes(`stopped: continue with --resume ${out}`), stderr);
    await run(["--resume", out]);
    assertSameRunBut(out, whole);
  }));

Deno.test("a programme that its gate ended is a failure of the command, with its summary", () =>
  inFolder(async (folder) => {
    const thresholds = "{test_moved: 1, test_steady: 0}";
    const never =
      `gate={every: 3, n_stable: 1, max_holds: 0, dialogues: 1, first: ${thresholds}, last: ${thresholds}}`;
    const out = join(folder, "run");
    const { code, stdout, stderr } = await runTrain(["--json", "--out", out, ...RUN, never]);
    assertEquals(code, 1, stderr);
    assertEquals(JSON.parse(stdout.trim().split("\n").at(-1)!).ended, true);
    assert(stderr.includes("the programme ends with the policy of the last promotion"), stderr);
    assert(/imprint 12 +\d+! +\d+ +stop/.test(stderr), stderr);
  }));
