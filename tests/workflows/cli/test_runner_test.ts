/** The closing lines of `deno task test`, from a report that the real `deno test` wrote. */
import { dirname, join } from "node:path";
import { closingLines, readReport } from "../../../workflows/cli/test.ts";
import { assert, assertEquals } from "../../assert.ts";

const runner = new URL("../../../workflows/cli/test.ts", import.meta.url).href;

/** Runs the test command over files in a folder of their own, and gives what it writes. */
async function runIn(
  files: Readonly<Record<string, string>>,
  args: (folder: string) => readonly string[],
): Promise<{ code: number; lines: string[] }> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, source] of Object.entries(files)) {
      await Deno.mkdir(join(folder, dirname(path)), { recursive: true });
      await Deno.writeTextFile(join(folder, path), source);
    }
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", runner, "--quiet", ...args(folder)],
      cwd: folder,
      stderr: "null",
    }).output();
    return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the test command on one file. */
const closing = (source: string) => runIn({ "some_test.ts": source }, (folder) => [folder]);

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

/** Two tests that end only when the other has begun, each in a process of its own. */
const meeting = (own: string, other: string) =>
  `Deno.test("${own}", async () => {
  Deno.writeTextFileSync("${own}", "");
  const begun = () => { try { return Deno.statSync("${other}").isFile; } catch { return false; } };
  while (!begun()) await new Promise((wake) => setTimeout(wake, 10));
});`;

Deno.test("without a file, tests of browser, driver and notebooks run beside the others, and are told after them", async () => {
  const pass = (name: string) => `Deno.test("${name}", () => {});`;
  const files = {
    "tests/mine_test.ts": meeting("mine", "theirs"),
    "tests/browser/theirs_test.ts": meeting("theirs", "mine"),
    "tests/notebooks_test.ts": pass("notebook"),
    "tests/swiftshader_test.ts": 'Deno.test("driver", () => { throw new Error("x"); });',
  };
  const { code, lines } = await runIn(files, () => []);
  assertEquals([code, lines.at(-1)], [1, "3 passed, 1 failed"]);
  const at = (name: string) => lines.findIndex((line) => line.includes(`${name} ... `));
  const named = lines.indexOf("failed: ./tests/swiftshader_test.ts: driver");
  assert(named >= 0 && lines[named + 1].endsWith("Error: x"), lines.join("\n"));
  const beside = ["theirs", "notebook", "driver"].map(at);
  assert(at("mine") >= 0 && at("mine") < Math.min(...beside), lines.join("\n"));
});

Deno.test("a file that cannot be loaded fails the run", async () => {
  for (const source of ['import "./nowhere.ts";', 'throw new Error("at load");', "Deno.exit(3);"]) {
    const { code, lines } = await closing(source);
    assertEquals([code, lines.at(-1)], [1, "0 passed, 1 failed"]);
  }
});

Deno.test("an error outside of any test fails the count too", () => {
  const passed = { name: "a", outcome: "passed", seconds: 0 } as const;
  assertEquals(closingLines([passed], false), [
    "failed: a process of tests, outside of any test (see above)",
    "1 passed, 1 failed",
  ]);
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
