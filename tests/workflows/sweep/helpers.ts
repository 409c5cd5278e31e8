/**
 * Sweeps over a cheap function, run through the command line's own entries.
 */
import { join } from "node:path";

const ROOT = new URL("../../../", import.meta.url).pathname;
/** The cheap function. */
export const FAKE = join(ROOT, "tests/workflows/sweep/fake_point.ts");

/** The description of a sweep over the cheap function. */
export function fakeSweep(search: unknown, more: object = {}): string {
  return JSON.stringify({
    point: FAKE,
    seeds: [0, 1],
    search,
    objectives: ["capability", "safety"],
    ...more,
  });
}

/** A command's process, not started. Its lock file is not the toolkit's: BullMQ shall not enter that. */
export function command(name: string, args: readonly string[]): Deno.Command {
  const flags = ["--quiet", "--no-check", "--no-prompt", "--no-lock", "--allow-all"];
  const script = join(ROOT, "workflows/cli", `${name}.ts`);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, script, ...args],
    cwd: ROOT,
    env: {
      NO_COLOR: "1",
      DENO_WEBGPU_BACKEND: Deno.env.get("DENO_WEBGPU_BACKEND") ?? "vulkan",
      XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stderr: string;
  /** The last line of its output, as JSON. */
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

/** Waits for a process that was started with `--json`. */
export async function ended(child: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const last = text(stdout).trimEnd().split("\n").at(-1)!;
  return { code, stderr: text(stderr), json: last === "" ? null : JSON.parse(last) };
}

/** Runs a command to its end. */
export function run(name: string, ...args: string[]): Promise<Ended> {
  return ended(command(name, [...args, "--json"]).spawn());
}

/** Keys of the points that were begun in a sweep's folder. */
export function pointsIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(join(folder, "points"))].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** The bytes of every result in a sweep's folder, by key. */
export function resultsIn(folder: string): Map<string, string> {
  return new Map(
    pointsIn(folder).flatMap((key) => {
      try {
        const path = join(folder, "points", key, "result.json");
        return [[key, Deno.readTextFileSync(path)] as const];
      } catch {
        return [];
      }
    }),
  );
}

/** Waits until something is true; fails after a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`this did not come about: ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** Runs `test` with a new folder that is removed afterwards. */
export async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-sweep-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
