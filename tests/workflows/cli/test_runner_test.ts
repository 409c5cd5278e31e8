/** The closing lines of `deno task test`, from a report that the real `deno test` wrote. */
import { join } from "node:path";
import { closingLines, readReport } from "../../../workflows/cli/test.ts";
import { assert, assertEquals } from "../../assert.ts";

const runner = new URL("../../../workflows/cli/test.ts", import.meta.url).href;

/** Runs the test command on one file and gives its last lines. */
async function closing(source: string): Promise<{ code: number; lines: string[] }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "some_test.ts"), source);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        runner,
        "--no-check",
        "--quiet",
        folder,
      ],
      cwd: folder,
      stderr: "null",
    }).output();
    return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("passed and skipped tests are counted and skipped ones named", async () => {
  const { code, lines } = await closing(`Deno.test("good & <well>", () => {});
    Deno.test({ name: "other (skipped: ../shared/x is absent)", ignore: true, fn() {} });`);
  assertEquals(code, 0);
  assertEquals(lines.slice(-2), [
    "skipped: ./some_test.ts: other (skipped: ../shared/x is absent)",
    "1 passed, 0 failed, 1 skipped",
  ]);
});

Deno.test("a failing test fails the run", async () => {
  const { code, lines } = await closing(
    `Deno.test("a", () => {}); Deno.test("b", () => { throw new Error("x"); });`,
  );
  assertEquals([code, lines.at(-1)], [1, "1 passed, 1 failed"]);
});

Deno.test("a file that cannot be loaded fails the run", async () => {
  for (const source of ['import "./nowhere.ts";', 'throw new Error("at load");', "Deno.exit(3);"]) {
    const { code, lines } = await closing(source);
    assertEquals([code, lines.at(-1)], [1, "0 passed, 1 failed"]);
  }
});

Deno.test("an error outside of any test fails the count too", () => {
  const passed = { name: "a", outcome: "passed", seconds: 0 } as const;
  assertEquals(closingLines([passed], false), ["1 passed, 1 failed"]);
  assertEquals(closingLines([{ ...passed, seconds: 7 }], true), [
    "slow: 7 s  a",
    "1 passed, 0 failed",
  ]);
  assert(closingLines(null, false).at(-1) === "0 passed, 1 failed");
});

Deno.test("names are read back from their XML form", () => {
  const xml =
    '<testcase name="a &gt; &quot;b&quot; &amp; c" classname="./x.ts" time="0.5" line="1">\n</testcase>';
  assertEquals(readReport(xml), [{ name: './x.ts: a > "b" & c', outcome: "passed", seconds: 0.5 }]);
});
