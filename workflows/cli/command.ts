/**
 * What every command has in common: `--help`, `--config`, `key=value`, `--out`, `--seed`, `--adapter`, `--matmul`, `--json`, and how it
 * ends.
 *
 * Exit codes: 0 done, 1 failed, 2 bad input with one line saying what to change. With `--json` the last line of
 * stdout is one JSON object, also on failure (`{"error": ...}`).
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import { MATMUL_SCHEDULES } from "../../kernels/gpu/device.ts";
import { parseSettings, readText } from "../config/files.ts";
import { parseOverride } from "../config/overrides.ts";
import { fileProblem } from "../files.ts";
import { mergeSettings, type Options, parseCommandLine, type Values } from "./options.ts";

/** Options that every command has. */
const COMMON = {
  config: { type: "string", value: "FILE.yaml", help: "settings from a YAML file" },
  out: { type: "string", value: "DIR", help: "folder to write to" },
  seed: { type: "integer", value: "N", min: 0, help: "seed of everything random" },
  adapter: {
    type: "string",
    value: "NAME",
    help: 'GPU adapter by part of its name, or "software"',
  },
  matmul: {
    type: "string",
    value: "SCHEDULE",
    help: `how matrix products are cut: ${MATMUL_SCHEDULES.join(", ")}`,
  },
  json: { type: "boolean", help: "print one JSON object as the last line of stdout" },
  help: { type: "boolean", help: "show this text" },
} as const satisfies Options;

/** Values of the options that every command has. */
export interface CommonValues {
  /** The settings file. */
  readonly config?: string;
  /** Folder to write to. */
  readonly out?: string;
  /** Seed of everything random. */
  readonly seed?: number;
  /** GPU adapter by part of its name. */
  readonly adapter?: string;
  /** Schedule of matrix products by name. */
  readonly matmul?: string;
  /** One JSON object is wanted on stdout. */
  readonly json?: boolean;
}

/** What a command gets to work with. */
export interface Invocation<O extends Options> {
  /** The values of the command's own options and of the common ones. */
  readonly values: Values<O> & CommonValues;
  /** `key=value` words; empty unless the command reads them itself. */
  readonly overrides: readonly string[];
  /** Writes a line for people to stderr. */
  note(line: string): void;
}

/** How a command ended: `ok` decides between exit codes 0 and 1, `json` is what `--json` prints. */
export interface Outcome {
  /** Exit code 0 or 1. */
  readonly ok: boolean;
  /** What `--json` prints. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A command of the command line. */
export interface Command<O extends Options = Options> {
  /** The word after `deno task`. */
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  /** Its own options, beside those that every command has. */
  readonly options: O;
  /**
   * True when `--config` and `key=value` are the command's own (a training configuration); otherwise they set
   * its options.
   */
  readonly ownConfig?: boolean;
  /** More lines for `--help`, e.g. examples. */
  readonly notes?: readonly string[];
  /** Does the work. */
  run(invocation: Invocation<O>): Promise<Outcome>;
}

/** Where a command writes; tests put their own in. */
export interface Output {
  /** Writes text for programs, or a command's result. */
  stdout(text: string): void;
  /** Writes text for people. */
  stderr(text: string): void;
}

const CONSOLE: Output = {
  stdout: (text) => writeAll(Deno.stdout, text),
  stderr: (text) => writeAll(Deno.stderr, text),
};

/** Writes to a standard stream; a reader that has gone away (`| head`) is no error. */
function writeAll(stream: { writeSync(data: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Declares a command; its options' types follow from their description. */
export function defineCommand<const O extends Options>(command: Command<O>): Command<O> {
  return command;
}

/**
 * Runs a command and returns its exit code; never throws.
 * @param args The words after the command's name.
 */
export async function runCommand<O extends Options>(
  command: Command<O>,
  args: readonly string[],
  output: Output = CONSOLE,
): Promise<number> {
  const json = args.includes("--json");
  try {
    const options = { ...COMMON, ...command.options };
    const { flags, overrides } = parseCommandLine(args, options);
    if (flags.has("help")) {
      output.stdout(helpText(command, options));
      return 0;
    }
    const outcome = await command.run({
      values: await settings(command, options, flags, overrides),
      overrides: command.ownConfig ? overrides : [],
      note: (line) => output.stderr(`${line}\n`),
    });
    if (json) output.stdout(`${JSON.stringify(outcome.json)}\n`);
    return outcome.ok ? 0 : 1;
  } catch (error) {
    const { code, text, message } = explain(error, command.name);
    output.stderr(text);
    if (json) output.stdout(`${JSON.stringify({ error: message })}\n`);
    return code;
  }
}

/** Runs a command with the process's arguments and ends the process with its exit code. */
export async function main<O extends Options>(command: Command<O>): Promise<void> {
  Deno.exit(await runCommand(command, Deno.args));
}

async function settings<O extends Options>(
  command: Command<O>,
  options: Options,
  flags: ReadonlyMap<string, string | true>,
  overrides: readonly string[],
): Promise<Values<O> & CommonValues> {
  const path = command.ownConfig ? undefined : flags.get("config");
  const file = typeof path === "string"
    ? { path, settings: parseSettings(await readText(path), path) }
    : null;
  const entries = command.ownConfig ? [] : overrides.map(parseOverride);
  // `options` holds the command's own and the common ones, so the values do too.
  const values = mergeSettings(options, flags, entries, file) as Values<O> & CommonValues;
  // A configuration's own `adapter` comes before the environment's; such a command looks there itself.
  return command.ownConfig ? values : { ...values, adapter: values.adapter ?? defaultAdapter() };
}

/** The adapter that the environment names (`INFANT_ADAPTER`). */
export function defaultAdapter(): string | undefined {
  return Deno.env.get("INFANT_ADAPTER") || undefined;
}

/** What the user is told about an exception, and the exit code it means. */
function explain(
  error: unknown,
  name: string,
): { code: number; text: string; message: string } {
  const known = error instanceof InputError || error instanceof DeviceError
    ? error
    : fileProblem(error);
  if (known) {
    const message = known.message.replace(/\s*\n\s*/g, " ");
    const code = known instanceof InputError ? 2 : 1;
    return { code, message, text: `infant ${name}: ${message}\n` };
  }
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 1,
    message,
    text: `infant ${name}: this is a bug in the toolkit, please report these lines:\n${stack}\n`,
  };
}

function helpText(command: Command<Options>, options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const value = option.type === "boolean" ? "" : ` ${option.value ?? "VALUE"}`;
    return [`  --${name}${value}`, option.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const settings = command.ownConfig
    ? "key=value sets one entry of the configuration (dotted path, YAML value)."
    : "key=value and --config set the same options (max_new_tokens=20 is --max-new-tokens 20).";
  return [
    `deno task ${command.name} [options] [key=value ...]`,
    "",
    command.summary,
    "",
    ...rows.map(([left, help]) => left.padEnd(width) + help),
    "",
    settings,
    ...(command.notes ?? []),
    "",
  ].join("\n");
}
