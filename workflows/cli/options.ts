/**
 * Options of a command, read from three places with one meaning: `--max-new-tokens 20` on the command line,
 * `max_new_tokens=20` as an override, `max_new_tokens: 20` in the `--config` file. The first of these wins.
 *
 * The command line itself is parsed by `node:util`; this file adds types, ranges and words for people.
 */
import { parseArgs } from "node:util";
import { InputError } from "../../kernels/errors.ts";
import { suggestion } from "../nearest.ts";

/** One option of a command. */
export interface Option {
  /** What the value is. */
  readonly type: "string" | "boolean" | "integer" | "number";
  /** One line for `--help`. */
  readonly help: string;
  /** What stands for the value in `--help`, e.g. `FILE`. */
  readonly value?: string;
  /** Smallest value allowed, for numbers. */
  readonly min?: number;
  /** What the option means when it stands without a value; where absent, a value is needed. */
  readonly bare?: string;
  /** An empty text is a value. */
  readonly empty?: boolean;
  /** May be given several times: the value is the texts, joined by line breaks. */
  readonly many?: boolean;
}

/** Options by long name, e.g. `"max-new-tokens"`. */
export type Options = Readonly<Record<string, Option>>;

/** What one option's value is in TypeScript; undefined when it was not given. */
export type ValueOf<O extends Option> =
  | (O["type"] extends "string" ? string : O["type"] extends "boolean" ? boolean : number)
  | undefined;

/** The values of a command's options. */
export type Values<O extends Options> = { readonly [K in keyof O]: ValueOf<O[K]> };

/** A command line taken apart. */
export interface CommandLine {
  /** Values as they were written, by long name. */
  readonly flags: ReadonlyMap<string, string | true>;
  /** The `key=value` words, in order. */
  readonly overrides: readonly string[];
}

/**
 * Splits a command line into flags and `key=value` overrides.
 * @throws {InputError} at an unknown option (with the nearest name), a missing value or a stray word.
 */
export function parseCommandLine(args: readonly string[], options: Options): CommandLine {
  const known = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [
      name,
      { type: option.type === "boolean" ? "boolean" as const : "string" as const },
    ]),
  );
  const { tokens } = parseArgs({
    args: args.map((arg, i) => arg === "-h" ? "--help" : withBare(arg, args[i + 1], options)),
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags = new Map<string, string | true>();
  const overrides: string[] = [];
  for (const token of tokens) {
    if (token.kind === "option") {
      const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
      if (!option) {
        const names = Object.keys(options).map((name) => `--${name}`);
        throw new InputError(
          `unknown option ${token.rawName}${suggestion(`--${token.name}`, names)}`,
        );
      }
      if (option.type === "boolean") {
        if (token.value !== undefined) throw new InputError(`${token.rawName} takes no value`);
        flags.set(token.name, true);
      } else if (
        token.value === undefined || (!token.inlineValue && token.value.startsWith("--"))
      ) {
        throw new InputError(
          `${token.rawName} needs a value: ${token.rawName} ${option.value ?? "VALUE"}`,
        );
      } else {
        const before = option.many ? flags.get(token.name) : undefined;
        flags.set(token.name, before ? `${before}\n${token.value}` : token.value);
      }
    } else if (token.kind === "positional") {
      if (!/^[^=]+=/.test(token.value)) {
        throw new InputError(
          `unexpected argument "${token.value}": write options as --name and settings as key=value`,
        );
      }
      overrides.push(token.value);
    }
  }
  return { flags, overrides };
}

/** `--peers` with nothing behind it, as `--peers=all`. */
function withBare(arg: string, next: string | undefined, options: Options): string {
  const name = arg.replace(/^--/, "");
  if (name === arg || !Object.hasOwn(options, name)) return arg;
  const { bare } = options[name];
  return bare !== undefined && (next === undefined || next.startsWith("-"))
    ? `${arg}=${bare}`
    : arg;
}

/**
 * Turns a written value into the option's type.
 * @param where How the user gave it, for the message: `--seed`, `seed=...`, `run.yaml: seed`.
 * @throws {InputError} naming `where`, what was expected and what was found.
 */
export function optionValue(
  option: Option,
  raw: unknown,
  where: string,
): string | boolean | number {
  const fail = (expected: string): never => {
    throw new InputError(`${where} must be ${expected}, found ${JSON.stringify(raw)}`);
  };
  if (option.type === "boolean") {
    return typeof raw === "boolean" ? raw : fail("true or false");
  }
  if (option.type === "string") {
    if (typeof raw === "string" && (raw !== "" || option.empty)) return raw;
    return typeof raw === "number" ? String(raw) : fail("a text");
  }
  const number = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
  const whole = option.type === "integer";
  const least = option.min === undefined ? "" : ` of at least ${option.min}`;
  const valid = typeof number === "number" && Number.isFinite(number) &&
    (!whole || Number.isSafeInteger(number)) && number >= (option.min ?? -Infinity);
  return valid ? number : fail(`${whole ? "a whole number" : "a number"}${least}`);
}

/**
 * The options of a command that has no configuration of its own: flags win over overrides, overrides over the
 * settings of the `--config` file (`file` names it in messages).
 * @throws {InputError} at an unknown name or a value of the wrong type.
 */
export function mergeSettings<O extends Options>(
  options: O,
  flags: CommandLine["flags"],
  overrides: readonly (readonly [string, unknown])[],
  file: { readonly path: string; readonly settings: Readonly<Record<string, unknown>> } | null,
): Values<O> {
  const values: Record<string, string | boolean | number> = {};
  const take = (key: string, raw: unknown, where: string) => {
    const name = key.replaceAll("_", "-");
    if (!Object.hasOwn(options, name)) {
      const names = Object.keys(options).map((option) => option.replaceAll("-", "_"));
      throw new InputError(`${where}: unknown setting "${key}"${suggestion(key, names)}`);
    }
    values[name] = optionValue(options[name], raw, where);
  };
  for (const [key, raw] of Object.entries(file?.settings ?? {})) {
    take(key, raw, `${file!.path}: ${key}`);
  }
  for (const [key, raw] of overrides) take(key, raw, key);
  for (const [name, raw] of flags) values[name] = optionValue(options[name], raw, `--${name}`);
  return values as Values<O>;
}
