/** `deno task bench` as a command: its options, its JSON and what it writes. */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import { peerNames } from "../../../workflows/bench/peers/start.ts";
import { benchCommand } from "../../../workflows/cli/bench.ts";
import { runCommand } from "../../../workflows/cli/command.ts";
import { parseCommandLine } from "../../../workflows/cli/options.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { testGpu } from "../../kernels/harness.ts";

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  await testGpu(); // sets the driver's variables
  let stdout = "";
  let stderr = "";
  const code = await runCommand(benchCommand, args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

Deno.test("bench: --peers stands alone or before a list", () => {
  const parse = (...args: string[]) =>
    parseCommandLine(args, benchCommand.options).flags.get("peers");
  assertEquals(parse("--peers"), "all");
  assertEquals(parse("--peers", "--quick"), "all");
  assertEquals(parse("--peers", "tfjs", "--quick"), "tfjs");
  assertEquals(parse("--peers=tfjs"), "tfjs");
  assertEquals(parse("--quick"), undefined);
});

Deno.test("bench: peers are named one by one", () => {
  assertEquals(peerNames("all"), ["jax-js", "tfjs", "torch"]);
  assertEquals(peerNames("tfjs,tfjs"), ["tfjs"]);
  assertThrows(() => peerNames("tfj"), InputError, 'there is no peer "tfj" (did you mean "tfjs"?)');
  assertThrows(() => peerNames("toString"), InputError, "choose from jax-js, tfjs, torch");
});

Deno.test("bench: a case that is not there is one line", async () => {
  const { code, stderr } = await run("--quick", "--only", "mathmul");
  assertEquals(code, 2);
  assert(
    stderr.startsWith('infant bench: --only: no case has "mathmul" in its id: choose from wait'),
  );
  assertEquals(stderr.trim().split("\n").length, 1);
});

Deno.test("bench: stories need a model and its tokenizer", async () => {
  for (const args of [["--model", "m.bin"], ["--llama2c", "run"], ["--tokenizer", "t.bin"]]) {
    const { code, stderr } = await run("--quick", ...args);
    assertEquals([args, code], [args, 2]);
    assert(stderr.includes("stories need --model FILE and --tokenizer FILE"), stderr);
  }
});

Deno.test("bench: --json and --out hold the same results, and a chart", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout } = await run("--quick", "--only", "roof", "--json", "--out", folder);
    assertEquals(code, 0);
    const report = JSON.parse(stdout);
    assertEquals(JSON.parse(await Deno.readTextFile(join(folder, "results.json"))), report);
    assertEquals(
      report.cases.map(({ id }: { id: string }) => id),
      ["wait", "roof-arithmetic", "roof-copy"],
    );
    assertEquals([report.quotable, report.race.rounds], [false, 2]);
    assert((await Deno.readTextFile(join(folder, "chart.svg"))).startsWith("<svg"));
    JSON.parse(await Deno.readTextFile(join(folder, "chart.vl.json")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench: --profile names the kernels of a training step", async () => {
  const { code, stdout } = await run("--quick", "--profile", "--json");
  assertEquals(code, 0);
  const { gradient, update } = JSON.parse(stdout);
  const names = (rows: { kernel: string }[]) => rows.map(({ kernel }) => kernel);
  for (const kernel of ["matmul", "attention", "cross_entropy_backward"]) {
    assert(names(gradient).some((name) => name.startsWith(kernel)), kernel);
  }
  assert(names(update).includes("adamw"));
  assert(!names(gradient).includes("adamw"));
  const none = await run("--quick", "--profile", "--only", "roof");
  assertEquals(none.code, 2);
  assert(none.stderr.includes("--only step-small"));
});

Deno.test("bench: --scaling is a sweep of four sizes, in milliseconds and bytes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const args = ["--quick", "--scaling", "--rounds", "1", "--json", "--out", folder];
    const { code, stdout } = await run(...args);
    assertEquals(code, 0);
    const { sweeps, quotable } = JSON.parse(stdout);
    assertEquals(quotable, false);
    assertEquals(
      sweeps.map(({ axis, unit }: { axis: string; unit: string }) => `${axis} ${unit}`),
      ["batch ms", "length ms", "width ms", "layers ms", "length bytes", "length bytes"],
    );
    const [kept, recomputed] = sweeps.slice(4).map((
      one: { points: { cost: { median: number } }[] },
    ) => one.points.at(-1)!.cost.median);
    assert(recomputed < kept, `${recomputed} ${kept}`);
    assert((await Deno.readTextFile(join(folder, "chart.svg"))).startsWith("<svg"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const wanted = Deno.env.get("INFANT_TEST_PEERS") !== undefined;
Deno.test({
  name: `bench: peers compute the same products and losses${
    wanted ? "" : " (skipped: INFANT_TEST_PEERS is not set; fetches 300 MB from npm)"
  }`,
  ignore: !wanted,
  async fn() {
    const { code, stdout } = await run("--quick", "--peers", "--rounds", "1", "--json");
    assertEquals(code, 0);
    for (const { id, lines } of JSON.parse(stdout).cases) {
      for (const { name, problem } of lines) {
        assertEquals([id, name, problem], [id, name, null]);
      }
    }
  },
});
