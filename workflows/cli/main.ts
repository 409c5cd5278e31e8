/**
 * Starts a command: finds a GPU adapter, then runs the command in a process of its own.
 *
 * Two reasons for the second process. It gets only the permissions that the command needs, so that a model file
 * from a stranger is read by a process that can start nothing; and drivers and their library path are settled by
 * the environment a process starts with.
 */
import { InputError } from "../../kernels/errors.ts";
import { suggestion } from "../nearest.ts";
import { type AdapterSetup, ensureAdapter } from "../setup/adapter.ts";
import { childEnvironment } from "../setup/system.ts";
import { runChild } from "./child.ts";
import { defaultAdapter } from "./command.ts";

/** What a command is allowed and whether it computes. */
interface Entry {
  readonly summary: string;
  /** Flags of `deno run`. */
  readonly permissions: readonly string[];
  /** It loads packages that are no dependencies: they shall not enter `deno.lock`, from which every command's are fetched. */
  readonly ownLock?: boolean;
  /** It needs an adapter, runs without one, or looks what became of the search for one. */
  readonly adapter: "needed" | "unused" | "reported";
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  train: {
    summary: "the staged programme; without arguments the nursery from nothing",
    // Network: datasets and models by hub name.
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-net"],
    adapter: "needed",
  },
  generate: {
    summary: "text from a model",
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys=uid"],
    adapter: "needed",
  },
  verify: {
    summary: "checks this build on this adapter against golden cases and known answers",
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys=uid"],
    adapter: "needed",
  },
  certify: {
    summary: "the safety certificate of a model, its verification, and the check against another",
    // Network: models and prompts by hub name.
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys=uid", "--allow-net"],
    adapter: "needed",
  },
  sweep: {
    summary: "the frontier of capability and safety over any keys of the configuration",
    // Network: datasets and models by hub name, and a queue's Redis.
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-net"],
    ownLock: true,
    adapter: "needed",
  },
  "sweep:worker": {
    summary: "computes points of sweeps from a queue",
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-net"],
    ownLock: true,
    adapter: "needed",
  },
  bench: {
    summary: "kernel and step benchmarks",
    // Running programs: every contestant works in a process of its own, two of them are not Deno's.
    permissions: ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-run"],
    adapter: "needed",
  },
  doctor: {
    summary: "adapter, driver, features, limits, versions, and a self-test of the kernels",
    // Deno lets only the wholly trusted read /proc/self/maps, which tells the driver that was loaded.
    permissions: ["--allow-all"],
    adapter: "reported",
  },
  figures: {
    summary: "the picture of a run, as SVG",
    permissions: ["--allow-read", "--allow-write", "--allow-env"],
    adapter: "unused",
  },
  report: {
    summary: "a run, several, or a sweep as one HTML file",
    permissions: ["--allow-read", "--allow-write", "--allow-env"],
    adapter: "unused",
  },
  dashboard: {
    summary: "the same report, live, while a run trains",
    // It serves this machine alone and writes nothing.
    permissions: ["--allow-read", "--allow-env", "--allow-net=127.0.0.1"],
    adapter: "unused",
  },
  schema: {
    summary: "writes the JSON Schema of training configurations",
    permissions: ["--allow-read", "--allow-write", "--allow-env"],
    adapter: "unused",
  },
  test: {
    summary: "all tests",
    // Tests start commands and servers of their own.
    permissions: ["--allow-all"],
    adapter: "needed",
  },
};

const say = (line: string) => console.error(`infant: ${line}`);

/** The adapter that the command line or the environment names. */
function adapterName(args: readonly string[]): string | undefined {
  const at = args.indexOf("--adapter");
  const written = at >= 0 ? args[at + 1] : args.findLast((arg) => /^(--)?adapter=/.test(arg));
  return written?.replace(/^(--)?adapter=/, "") || defaultAdapter();
}

async function setUp(entry: Entry, args: readonly string[]): Promise<AdapterSetup | string | null> {
  const onlyHelp = args.includes("--help") || args.includes("-h");
  if (entry.adapter === "unused" || onlyHelp) return null;
  try {
    return await ensureAdapter(adapterName(args), say);
  } catch (error) {
    if (!(error instanceof InputError) || entry.adapter === "needed") throw error;
    return error.message;
  }
}

async function run(name: string, args: readonly string[]): Promise<number> {
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new InputError(`there is no command "${name}"${suggestion(name, Object.keys(COMMANDS))}`);
  }
  const entry = COMMANDS[name];
  const setup = await setUp(entry, args);
  const env = typeof setup === "object" && setup !== null ? childEnvironment(setup) : {};
  const script = new URL(`./${name.replace(":", "_")}.ts`, import.meta.url).href;
  const lock = entry.ownLock ? await copiedLock() : null;
  const flags = [...entry.permissions, ...lock ? [`--lock=${lock}`] : []];
  const start = ["run", "--quiet", "--no-prompt", ...flags, script];
  try {
    return await runChild([...start, ...args], { ...env, INFANT_SETUP: JSON.stringify(setup) });
  } finally {
    if (lock) await Deno.remove(lock);
  }
}

/** The versions of `deno.lock` in a file of its own, which Deno may add to; null where the toolkit is not in a folder. */
async function copiedLock(): Promise<string | null> {
  const lock = new URL("../../deno.lock", import.meta.url);
  if (lock.protocol !== "file:") return null;
  const copy = await Deno.makeTempFile({ prefix: "infant-", suffix: ".lock" });
  await Deno.copyFile(lock, copy);
  return copy;
}

function overview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) =>
    `  ${name.padEnd(14)}${summary}`
  );
  return ["deno task COMMAND [--help]", "", ...rows, ""].join("\n");
}

if (import.meta.main) {
  const [name, ...args] = Deno.args;
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(overview());
    Deno.exit(0);
  }
  try {
    Deno.exit(await run(name, args));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.error(`infant ${name}: ${error.message}`);
    if (args.includes("--json")) console.log(JSON.stringify({ error: error.message }));
    Deno.exit(2);
  }
}
