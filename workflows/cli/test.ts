/**
 * `deno task test [FILE ...] [deno test options]`: runs the tests and closes with `N passed, N failed, N skipped`.
 *
 * All tests run in processes, three at a time: one each for what takes minutes, one for all others. What they write does not mingle.
 * Within a process files run one after another: GPU tests that overlap would share one device's time and memory.
 */
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { runChild } from "./child.ts";

/** What a JUnit report says of one test or test step. */
export interface TestCase {
  /** File, and the test's own name. */
  readonly name: string;
  /** How it ended. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** How long it took. */
  readonly seconds: number;
  /** Why it failed, with the place. */
  readonly reason?: string;
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
  return [...cases].map(([, name, file, seconds, body]) => {
    const failure = /<(?:failure|error)[^>]*>(.*?)<\/(?:failure|error)>/s.exec(body);
    return {
      name: `${unescape(file)}: ${unescape(name)}`,
      outcome: failure ? "failed" : body.includes("<skipped") ? "skipped" : "passed",
      seconds: Number(seconds),
      ...(failure && { reason: unescape(failure[1]) }),
    };
  });
}

/** A failed test's name and the first lines of its reason, without colours: whoever sees only the end of a log sees why. */
function failedLines({ name, reason = "" }: TestCase): string[] {
  const lines = stripVTControlCharacters(reason).split("\n").filter((line) => line.trim() !== "");
  return [`failed: ${name}`, ...lines.slice(0, 8).map((line) => `  ${line}`)];
}

/**
 * The closing lines: what was skipped, what took long, what failed and why, and the counts.
 * @param cases null when there is no report: a file could not be loaded, or a driver took the process down.
 * @param success Whether `deno test` itself ended well.
 */
export function closingLines(cases: readonly TestCase[] | null, success: boolean): string[] {
  if (cases === null) {
    return ["the tests did not run to their end (see above)", "0 passed, 1 failed"];
  }
  const count = (outcome: TestCase["outcome"]) =>
    cases.filter((one) => one.outcome === outcome).length;
  const failures = cases.filter(({ outcome }) => outcome === "failed");
  // A leak, an error outside of any test, or a driver that falls at the end fails the run without a failed case.
  const outside = !success && failures.length === 0;
  const failed = outside ? 1 : failures.length;
  const slow = cases.filter(({ seconds }) => seconds >= 5).sort((a, b) => b.seconds - a.seconds);
  const skipped = count("skipped");
  return [
    ...cases.filter(({ outcome }) => outcome === "skipped").map(({ name }) => `skipped: ${name}`),
    ...slow.slice(0, 5).map(({ name, seconds }) => `slow: ${seconds.toFixed(0)} s  ${name}`),
    ...failures.flatMap(failedLines),
    ...(outside ? ["failed: a process of tests, outside of any test (see above)"] : []),
    `${count("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  ];
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}

/** True for a path; false for an option and for an option's value. */
function isFile(arg: string): boolean {
  return !arg.startsWith("-") && exists(arg);
}

/** What takes minutes, the longest first; all other tests are one process more. */
const BESIDE = [
  "tests/notebooks_test.ts",
  "tests/workflows/train/",
  "tests/swiftshader_test.ts",
  "tests/browser/",
  "tests/examples_test.ts",
];

/** Processes at a time: one more than the cores of a small machine, because most of them often wait. */
const AT_ONCE = 3;

/** A process of tests that is under way: how it will end, and a way to hear it. */
interface Lane {
  readonly ended: Promise<{ readonly success: boolean; readonly cases: TestCase[] | null }>;
  /** Writes what was held back, and from now on everything at once. */
  readonly speak: () => void;
}

/** Lets so many in at a time, in the order in which they came. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  enter(): Promise<void> {
    if (this.#free === 0) return new Promise((go) => this.#waiting.push(go));
    this.#free--;
    return Promise.resolve();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

/**
 * Runs `deno test` as soon as there is a place. What a lane that is `held` writes is held back until it may speak, so that lines do
 * not mingle.
 */
function startLane(args: readonly string[], report: string, held: boolean, places: Places): Lane {
  const kept: Uint8Array[] = [];
  let speaks = false;
  const write = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  const hear = (bytes: Uint8Array) => speaks ? write(bytes) : void kept.push(bytes);
  // Types are `deno task check`'s, which takes the time of a core for a minute.
  const command = ["test", "--no-check", "--allow-all", `--junit-path=${report}`, ...args];
  const end = async () => {
    await places.enter();
    const success = await runChild(command, {}, held ? hear : undefined) === 0;
    places.leave();
    const xml = await Deno.readTextFile(report).catch(() => null);
    return { success, cases: xml === null ? null : readReport(xml) };
  };
  const speak = () => {
    speaks = true;
    kept.splice(0).forEach(write);
  };
  return { ended: end(), speak };
}

async function run(args: readonly string[]): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "infant-test-" });
  try {
    const beside = BESIDE.filter(exists);
    const all = [["tests/", `--ignore=${beside.join(",")}`], ...beside.map((path) => [path])];
    const places = new Places(AT_ONCE);
    const lanes = (args.some(isFile) ? [[]] : all).map((more, i) =>
      startLane([...args, ...more], join(folder, `junit-${i}.xml`), i > 0, places)
    );
    const ends = [];
    for (const { ended, speak } of lanes) {
      speak();
      ends.push(await ended);
    }
    const success = ends.every((end) => end.success);
    const cases = ends.every((end) => end.cases !== null)
      ? ends.flatMap((end) => end.cases!)
      : null;
    for (const line of closingLines(cases, success)) console.log(line);
    return success ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await run(Deno.args));
