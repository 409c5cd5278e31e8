/**
 * `deno task test [FILE ...] [deno test options]`: runs the tests and closes with `N passed, N failed, N skipped`.
 *
 * Files run one after another in one process: GPU tests that overlap would share one device's time and memory,
 * and on a software adapter the same cores.
 */
import { join } from "node:path";
import { runChild } from "./child.ts";

/** What a JUnit report says of one test or test step. */
export interface TestCase {
  /** File, and the test's own name. */
  readonly name: string;
  /** How it ended. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** How long it took. */
  readonly seconds: number;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(\w+);/g, (whole, name) => ENTITIES[name] ?? whole);
}

/** Reads the JUnit report that `deno test --junit-path` writes. */
export function readReport(xml: string): TestCase[] {
  const cases = xml.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)" time="([^"]*)"[^>]*>(.*?)<\/testcase>/gs,
  );
  return [...cases].map(([, name, file, seconds, body]) => ({
    name: `${unescape(file)}: ${unescape(name)}`,
    outcome: body.includes("<failure") || body.includes("<error")
      ? "failed"
      : body.includes("<skipped")
      ? "skipped"
      : "passed",
    seconds: Number(seconds),
  }));
}

/**
 * The closing lines: what was skipped, what took long, and the counts.
 * @param cases null when there is no report: a file could not be loaded, or a driver took the process down.
 * @param success Whether `deno test` itself ended well.
 */
export function closingLines(cases: readonly TestCase[] | null, success: boolean): string[] {
  if (cases === null) {
    return ["the tests did not run to their end (see above)", "0 passed, 1 failed"];
  }
  const count = (outcome: TestCase["outcome"]) =>
    cases.filter((one) => one.outcome === outcome).length;
  // A leak or an error outside of any test fails the run without a failed case.
  const failed = Math.max(count("failed"), success ? 0 : 1);
  const slow = cases.filter(({ seconds }) => seconds >= 5).sort((a, b) => b.seconds - a.seconds);
  const skipped = count("skipped");
  return [
    ...cases.filter(({ outcome }) => outcome === "skipped").map(({ name }) => `skipped: ${name}`),
    ...slow.slice(0, 5).map(({ name, seconds }) => `slow: ${seconds.toFixed(0)} s  ${name}`),
    `${count("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  ];
}

/** True for a path; false for an option and for an option's value. */
function isFile(arg: string): boolean {
  try {
    return !arg.startsWith("-") && Deno.statSync(arg) !== null;
  } catch {
    return false;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "infant-test-" });
  try {
    const report = join(folder, "junit.xml");
    const files = args.some(isFile) ? [] : ["tests/"];
    const success =
      await runChild(["test", "--allow-all", `--junit-path=${report}`, ...args, ...files]) === 0;
    const xml = await Deno.readTextFile(report).catch(() => null);
    for (const line of closingLines(xml === null ? null : readReport(xml), success)) {
      console.log(line);
    }
    return success ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await run(Deno.args));
