/**
 * Settings files: one YAML mapping. Mistakes are told with the file's name and, where the parser knows it, the line.
 */
import { InputError } from "../../kernels/errors.ts";
import { parse } from "../deps/yaml.ts";
import { fileProblem } from "../files.ts";

/** A mapping as YAML gives it, before any check. */
export type Settings = Record<string, unknown>;

/**
 * Reads a text file that the user named.
 * @throws {InputError} naming it, when the operating system refuses.
 */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw fileProblem(error, path) ?? error;
  }
}

/** Parses YAML text that holds one mapping; `source` names it in messages. An empty text is an empty mapping. */
export function parseSettings(text: string, source: string): Settings {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `${source} is not valid YAML: ${message.split("\n")[0].replace(/:$/, "")}`,
    );
  }
  if (value === null || value === undefined) return {};
  if (!isMapping(value)) {
    throw new InputError(
      `${source} must hold settings as "key: value" lines, found ${kindOf(value)}`,
    );
  }
  return value;
}

/** True for a plain mapping. */
export function isMapping(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** The kind of a YAML value in a word or two, for messages. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  return JSON.stringify(value);
}
