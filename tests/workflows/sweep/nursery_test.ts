/** A real sweep, tiny: shared stages are trained once, points after them, and an interrupted one goes on to the same bytes. */
import { join } from "node:path";
import { assert, assertEquals } from "../../assert.ts";
import { TINY } from "../train/helpers.ts";
import { command, inFolder, resultsIn, run, until } from "./helpers.ts";

const SWEEP = `
train: {preset: nursery-imprint}
shared: [pretrain]
search: {grid: {stages.imprint.rho: [0, 0.5]}}
exam: {dialogues: 1, max_new_tokens: 4}
`;
const ARGS = [
  ...TINY.filter((word) => word.startsWith("model.")).map((word) => `train.${word}`),
  "train.stages.all.batch_size=2",
  "train.stages.all.length=32",
  "train.stages.all.fisher=null",
  "train.stages.pretrain.steps=3",
  "train.stages.imprint.steps=6",
  "train.stages.imprint.save_every=2",
  "train.evaluate=null",
];

Deno.test("nursery: two points after one shared stage; killed in the middle it comes to the same bytes", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "sweep-to-run.yaml");
    await Deno.writeTextFile(path, SWEEP);
    const [out, whole] = [join(folder, "out"), join(folder, "whole")];
    const first = await run("sweep", "--config", path, "--out", whole, ...ARGS);
    assertEquals(first.code, 0, first.stderr);
    assertEquals([...Deno.readDirSync(join(whole, "shared"))].length, 1);
    const results = [...resultsIn(whole).values()].map((text) => JSON.parse(text));
    assertEquals(results.map(({ cost }) => cost), Array(2).fill({ steps: 6, tokens: 6 * 2 * 32 }));
    for (const { validation, test } of results) {
      assertEquals(validation.safety_seen.n, test.safety_seen.n);
      assert(validation.capability.high <= 1 && validation.facts.n === 1);
    }
    // The second point began from the shared checkpoint, as the first did.
    const [shared] = [...Deno.readDirSync(join(whole, "shared"))];
    const { checkpoint } = JSON.parse(
      await Deno.readTextFile(join(whole, "shared", shared.name, "done.json")),
    );
    assertEquals(checkpoint, "pretrain-3");

    const child = command("sweep", ["--config", path, "--out", out, ...ARGS]).spawn();
    const [key] = first.json.settings[0].keys;
    const saved = join(out, "points", key, "run/checkpoints/imprint-2/stage.json");
    await until("a checkpoint", () => Deno.stat(saved).then(() => true, () => false));
    child.kill("SIGKILL");
    await child.output();
    assertEquals(resultsIn(out).has(key), false);
    const resumed = await run("sweep", "--resume", out);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(resultsIn(out), resultsIn(whole));
  });
});
