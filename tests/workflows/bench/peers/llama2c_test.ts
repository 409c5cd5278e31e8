/** llama2.c as a contestant: its reports are read, its failures are told; with the real program, its story is ours. */
import { InputError } from "../../../../kernels/errors.ts";
import { localContestant } from "../../../../workflows/bench/contestant.ts";
import { startLlama2c } from "../../../../workflows/bench/peers/llama2c.ts";
import { toolkit } from "../../../../workflows/bench/toolkit/toolkit.ts";
import { disagreement, problemWith } from "../../../../workflows/bench/truth.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";
import { sharedPath } from "../../../shared.ts";

const task = {
  kind: "stories",
  model: "m.bin",
  tokenizer: "t.bin",
  replies: 3,
  maxNew: 50,
  cache: true,
} as const;

/** A program that says the given things. */
async function withProgram(script: string, test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
    await Deno.chmod(path, 0o755);
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test({
  name: "llama2.c: its speed is taken at its word, for each story",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withProgram(`echo "$@"; echo "achieved tok/s: 1000.0" >&2`, async (path) => {
      const contestant = await startLlama2c(path);
      const open = await contestant.open(task);
      const told = String.fromCodePoint(...open.answers);
      assertEquals(told, "m.bin -z t.bin -n 50 -t 0.0");
      assertAlmostEquals((await open.run(2)).ms, 2 * 3 * 50, 1e-9);
      await assertRejects(() => contestant.open({ kind: "wait" }), Error, "not asked for wait");
    }),
});

Deno.test({
  name: "llama2.c: a program that fails, or is not there, is one line",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withProgram(`echo "Couldn't open file m.bin" >&2; exit 1`, async (path) => {
      const contestant = await startLlama2c(path);
      await assertRejects(() => contestant.open(task), InputError, "Couldn't open file m.bin");
      await assertRejects(() => startLlama2c(`${path}-absent`), InputError, "is no program");
    }),
});

const program = Deno.env.get("LLAMA2C");
const folder = sharedPath("data", "models", "stories260K");
const why = !program ? "LLAMA2C names no program" : !folder ? "../shared/data is absent" : "";
Deno.test({
  name: `llama2.c: tells the same likeliest story${why && ` (skipped: ${why})`}`,
  ignore: why !== "",
  async fn() {
    const files = { model: `${folder}/stories260K.bin`, tokenizer: `${folder}/tok512.bin` };
    const story = { ...task, ...files, maxNew: 64 };
    const ours = await localContestant(toolkit(await testGpu())).open(story);
    const theirs = await (await startLlama2c(program!)).open(story);
    assert(theirs.answers.length > 100);
    assertEquals(problemWith(story, theirs.answers), null);
    assertEquals(disagreement(story, theirs.answers, ours.answers), null);
    assert((await theirs.run(1)).ms > 0);
    await ours.close();
  },
});
