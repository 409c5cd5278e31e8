/** A run folder's logs: the same bytes with and without an interruption, and Hugging Face's names. */
import { join } from "node:path";
import { readMetrics, RunLog } from "../../../workflows/logging/run_log.ts";
import { assert, assertEquals } from "../../assert.ts";
import { readEvents } from "./event_reader.ts";

const stages = [{ name: "pretrain", steps: 30 }, { name: "imprint", steps: 20 }];

/** Reports every tenth step of a stage, from step `from` to step `to`. */
function report(log: RunLog, stage: string, from: number, to: number): void {
  log.stage(stage, 0);
  for (let step = from; step <= to; step += 10) {
    log.step({
      step,
      loss: 1 / step,
      tokens: step * 512,
      learning_rate: 1e-3,
      grad_norm: 2,
      epoch: step / 30,
    });
  }
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const metricsText = (folder: string) => Deno.readTextFile(join(folder, "metrics.jsonl"));

async function wholeRun(folder: string): Promise<string> {
  const log = await RunLog.open({ folder, stages });
  report(log, "pretrain", 10, 30);
  log.metrics(30, { eval_loss: 0.25 });
  report(log, "imprint", 10, 20);
  await log.done();
  return await metricsText(folder);
}

Deno.test("rows carry stage, step, step of the run and the metrics", () =>
  withFolder(async (folder) => {
    await wholeRun(folder);
    const rows = await readMetrics(join(folder, "metrics.jsonl"));
    assertEquals(rows.map(({ stage, step, global_step }) => `${stage} ${step} ${global_step}`), [
      "pretrain 10 10",
      "pretrain 20 20",
      "pretrain 30 30",
      "pretrain 30 30",
      "imprint 10 40",
      "imprint 20 50",
    ]);
    assertEquals(rows[0].num_tokens, 5120);
    assertEquals(rows[3].eval_loss, 0.25);
  }));

Deno.test("a run stopped at any step and resumed leaves the same bytes", () =>
  withFolder(async (folder) => {
    const whole = await wholeRun(join(folder, await subfolder(folder, "whole")));
    const places = [["pretrain", 10, 1], ["pretrain", 20, 2], ["pretrain", 30, 4], [
      "imprint",
      10,
      5,
    ]];
    for (const [stage, step, rows] of places as [string, number, number][]) {
      const again = join(folder, await subfolder(folder, `${stage}${step}`));
      await wholeRun(again); // it ran on after the checkpoint, then was killed in the middle of a line
      await Deno.writeTextFile(join(again, "metrics.jsonl"), '{"stage":"impr', { append: true });
      using log = await RunLog.open({ folder: again, stages, resume: { rows } });
      if (stage === "pretrain") {
        report(log, "pretrain", step + 10, 30);
        // At its last step the stage's own evaluation had been done and is kept.
        if (step < 30) log.metrics(30, { eval_loss: 0.25 });
        report(log, "imprint", 10, 20);
      } else report(log, "imprint", step + 10, 20);
      assertEquals(await metricsText(again), whole, `resumed at ${stage} ${step}`);
    }
  }));

async function subfolder(folder: string, name: string): Promise<string> {
  await Deno.mkdir(join(folder, name));
  return name;
}

Deno.test("a new run in a used folder starts its record anew", () =>
  withFolder(async (folder) => {
    await wholeRun(folder);
    using _log = await RunLog.open({ folder, stages });
    assertEquals(await metricsText(folder), "");
  }));

Deno.test("trainer_state.json has Hugging Face's names and counts steps over the run", () =>
  withFolder(async (folder) => {
    await wholeRun(folder);
    const state = JSON.parse(await Deno.readTextFile(join(folder, "trainer_state.json")));
    assertEquals([state.global_step, state.max_steps, state.stage], [50, 50, "imprint"]);
    assertEquals(state.num_input_tokens_seen, 30 * 512 + 20 * 512);
    const last = state.log_history.at(-1);
    assertEquals(last, {
      stage: "imprint",
      step: 50,
      loss: 0.05,
      learning_rate: 1e-3,
      grad_norm: 2,
      epoch: 20 / 30,
      num_tokens: 10240,
    });
  }));

Deno.test("TensorBoard gets the same numbers, and is told where a resumed run goes on", () =>
  withFolder(async (folder) => {
    let clock = 100;
    const open = (resume?: { rows: number }) =>
      RunLog.open({ folder, stages, resume, wallTime: () => clock++ });
    const first = await open();
    report(first, "pretrain", 10, 20);
    await first.done();
    const second = await open({ rows: 1 });
    report(second, "pretrain", 20, 20);
    await second.done();
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name)
      .filter((name) => name.startsWith("events.out.tfevents.")).sort();
    const [one, two] = files.map((name) => readEvents(Deno.readFileSync(join(folder, name))))
      .sort((a, b) => a[0].seconds - b[0].seconds);
    assertEquals(one.map(({ seconds, step }) => [seconds, step]), [[100, 0], [101, 10], [102, 20]]);
    assertEquals(one[1].scalars["train/loss"], Math.fround(0.1));
    assertEquals(two[1], { seconds: 104, step: 11, restart: true, scalars: {} });
    assertEquals(two[2].step, 20);
  }));

Deno.test("a loss that is not a number is null in the record and does not break it", () =>
  withFolder(async (folder) => {
    const log = await RunLog.open({ folder, stages });
    log.step({ step: 1, loss: NaN, tokens: 1 });
    await log.done();
    const [row] = await readMetrics(join(folder, "metrics.jsonl"));
    assert(row.loss === null);
  }));
