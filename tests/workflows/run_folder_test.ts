/** Run folders: names, the resolved configuration, and checkpoints in the order of training. */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { resolveConfig } from "../../workflows/config/resolve.ts";
import {
  checkpointFolder,
  createRunFolder,
  defaultRunFolder,
  listCheckpoints,
  pruneCheckpoints,
} from "../../workflows/run_folder.ts";
import { assertEquals, assertRejects } from "../assert.ts";

const stages = [{ name: "pretrain" }, { name: "imprint" }];

Deno.test("default names sort by time", () => {
  const name = defaultRunFolder("nursery", new Date("2026-01-31T23:59:58Z"));
  assertEquals(name, join("runs", "nursery-20260131-235958"));
});

Deno.test("a new run writes its configuration, and refuses a folder that has one", async () => {
  const folder = await Deno.makeTempDir();
  const run = join(folder, "run");
  const { config } = resolveConfig();
  await createRunFolder(run, config);
  const text = await Deno.readTextFile(join(run, "config.yaml"));
  const again = resolveConfig({ file: { path: "config.yaml", text } });
  assertEquals(again.config, { ...config, out: run });
  await assertRejects(() => createRunFolder(run, config), InputError, "--resume");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("checkpoints come in the order of stages, then of steps", async () => {
  const folder = await Deno.makeTempDir();
  assertEquals(await listCheckpoints(folder, stages), []);
  for (const name of ["imprint-5", "pretrain-100", "pretrain-20", "other-1", ".pretrain-9.tmp"]) {
    await Deno.mkdir(join(folder, "checkpoints", name), { recursive: true });
  }
  assertEquals(await listCheckpoints(folder, stages), [
    { stage: "pretrain", step: 20 },
    { stage: "pretrain", step: 100 },
    { stage: "imprint", step: 5 },
  ]);
  assertEquals(await pruneCheckpoints(folder, "pretrain", null), []);
  const removed = await pruneCheckpoints(folder, "pretrain", 1);
  assertEquals(removed, [{ stage: "pretrain", step: 20 }]);
  assertEquals((await listCheckpoints(folder, stages)).length, 2);
  await Deno.stat(checkpointFolder(folder, { stage: "imprint", step: 5 }));
  await Deno.remove(folder, { recursive: true });
});
