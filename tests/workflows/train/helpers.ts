/**
 * Runs `deno task train`'s own entry in a process of its own, and compares run folders byte by byte.
 */
import { join } from "node:path";
import { assert, assertEquals } from "../../assert.ts";

const TRAIN = new URL("../../../workflows/cli/train.ts", import.meta.url).href;

/** Nothing but stages is run. */
export const BARE: readonly string[] = ["gate=null", "world_model=null", "certificate=null"];

/** A policy of 40 thousand parameters, and what makes any stages small; nothing but stages is run. */
export const SMALL: readonly string[] = [
  "model.width=16",
  "model.heads=2",
  "model.mlp_width=32",
  "model.layers=1",
  "stages.all.batch_size=2",
  "stages.all.length=32",
  "stages.all.dropout=0.1",
  "stages.all.warmup_steps=2",
  "evaluate=null",
  ...BARE,
];

/** The same with two stages that use all that has state: packing, dropout, a prior, momentum in AdamW. */
export const TINY: readonly string[] = [
  "stages=[{name: pretrain, kind: language_modelling, data: nursery, tokens: 500000, prompt_weight: 0.05, " +
  "learning_rate: 3e-3}, {name: imprint, kind: value_imprinting, data: nursery, tokens: 100000, " +
  "prompt_weight: 0.05, learning_rate: 1e-3, rho: 0.05, fisher: {samples: 256}}]",
  ...SMALL,
];

/** The command with arguments, not started. */
export function trainProcess(args: readonly string[], cwd?: string): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--no-prompt", "--allow-all", TRAIN, ...args],
    env: {
      NO_COLOR: "1",
      DENO_WEBGPU_BACKEND: Deno.env.get("DENO_WEBGPU_BACKEND") ?? "vulkan",
      XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp",
    },
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the command to its end. */
export async function runTrain(
  args: readonly string[],
  cwd?: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await trainProcess(args, cwd).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/**
 * Starts a run in the folder `out` and sends it `signal` as soon as `path` in there exists, and holds `text`; fails when the run ends
 * without that, or by itself with an error. A run that came to its good end before the signal reached it is tried again: the machine had
 * other things to do.
 */
export async function interruptTrain(
  out: string,
  args: readonly string[],
  path: string,
  signal: Deno.Signal,
  text = "",
): Promise<{ code: number; stderr: string }> {
  const come = () =>
    Deno.readTextFile(join(out, path)).then((found) => found.includes(text), () => false);
  for (let attempt = 1; attempt <= 5; attempt++) {
    const child = trainProcess(["--out", out, ...args]).spawn();
    const output = child.output();
    let ended = false;
    output.then(() => ended = true);
    while (!ended && !await come()) await new Promise((wake) => setTimeout(wake, 5));
    const sent = !ended;
    if (sent) child.kill(signal);
    const { code, stderr } = await output;
    const told = new TextDecoder().decode(stderr);
    assert(await come(), `the run ended before ${path} was there: ${told}`);
    if (code !== 0) {
      assert(sent && (signal !== "SIGKILL" || code === 137), `the run failed: ${told}`);
      return { code, stderr: told };
    }
    await Deno.remove(out, { recursive: true });
  }
  throw new Error(`five runs ended before ${signal} came`);
}

/** All files below a folder by their relative path. */
export function filesBelow(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(join(folder, prefix))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(folder, join(prefix, name)) : [join(prefix, name)]
  ).sort();
}

/** Asserts that two run folders hold the same bytes, but for the clock's (TensorBoard), and what names the folder (configuration, report). */
export function assertSameRun(a: string, b: string): void {
  const compared = (folder: string) =>
    filesBelow(folder).filter((path) =>
      !/tfevents|^(config\.yaml|report\.html)$|\.tmp(\/|$)/.test(path)
    );
  assertEquals(compared(a), compared(b));
  for (const path of compared(a)) {
    const [one, other] = [a, b].map((folder) => Deno.readFileSync(join(folder, path)));
    const differs = one.findIndex((byte, i) => byte !== other[i]);
    assert(one.length === other.length && differs < 0, `${path} differs at byte ${differs}`);
  }
}

/** A checkpoint at the place of a Ctrl-C is one more than the run that was not stopped has. */
export function assertSameRunBut(out: string, whole: string): void {
  const names = (folder: string) => new Set([...Deno.readDirSync(folder)].map(({ name }) => name));
  const [mine, theirs] = [out, whole].map((folder) => names(join(folder, "checkpoints")));
  for (const name of mine.difference(theirs)) {
    Deno.removeSync(join(out, "checkpoints", name), { recursive: true });
  }
  assertSameRun(out, whole);
}

/** Runs `test` with a new folder that is removed afterwards. */
export async function inFolder(test: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-train-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
