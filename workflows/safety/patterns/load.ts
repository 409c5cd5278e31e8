/**
 * Pattern sets in YAML files:
 *
 *     name: requests in English
 *     normalise: {leet: true, shifts: [13]}     # what is not named has its default
 *     patterns:
 *       - name: bomb
 *         category: weapons
 *         regex: '\b(make|build)\b.{0,40}\bbombs?\b'
 *         note: not "bomb the test"
 */
import { z } from "zod";
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { parse, stringify } from "../../deps/yaml.ts";
import { fileProblem, writeFileAtomic } from "../../files.ts";
import { PatternSet } from "./pattern_set.ts";
import { DEFAULT_NORMALISATION, type Normalisation } from "./views.ts";

const NORMALISE = z.strictObject({
  case: z.boolean(),
  unicode: z.boolean(),
  confusables: z.boolean(),
  spacing: z.boolean(),
  leet: z.boolean(),
  reversed: z.boolean(),
  shifts: z.array(z.int().min(1).max(25)),
  base64: z.boolean(),
}).partial();

const FILE = z.strictObject({
  name: z.string().min(1).optional(),
  normalise: NORMALISE.optional(),
  patterns: z.array(z.strictObject({
    name: z.string().min(1),
    category: z.string().min(1),
    regex: z.string().min(1),
    note: z.string().optional(),
  })).min(1),
});

/** "patterns.2.regex" as people say it: by the pattern's name where it has one. */
function place(path: readonly PropertyKey[], value: unknown): string {
  const [list, index, ...rest] = path;
  if (list !== "patterns" || typeof index !== "number") return path.join(".");
  const name = (value as { patterns: { name?: unknown }[] }).patterns[index]?.name;
  const which = typeof name === "string" ? `pattern "${name}"` : `pattern ${index + 1}`;
  return rest.length ? `${which}, ${rest.join(".")}` : which;
}

/** The line of a file on which a pattern's regex stands, from 1; null when it is not found. */
function lineOf(text: string, name: string): number | null {
  const at = text.split("\n").findIndex((line) =>
    /^\s*(-\s+)?\{?\s*name:\s/.test(line) && line.includes(name)
  );
  return at < 0 ? null : at + 1;
}

/**
 * Reads a set from YAML text.
 * @param source Names the text in errors: a file's path.
 * @param normalisation Takes the place of what the file says under `normalise`.
 * @throws {InputError} naming source, line, pattern and place of the first mistake.
 */
export function parsePatterns(
  text: string,
  source: string,
  normalisation: Partial<Normalisation> = {},
): PatternSet {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new InputError(`${source}: not valid YAML: ${oneLine(error)}; quote a regex with '...'`);
  }
  const { success, data, error } = FILE.safeParse(value);
  if (!success) {
    const [{ path, message }] = error.issues;
    throw new InputError(`${source}: ${place(path, value) || "file"}: ${message}`);
  }
  const spelling = { ...DEFAULT_NORMALISATION, ...data.normalise, ...normalisation };
  try {
    return new PatternSet(data.name ?? source, data.patterns, spelling);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const named = /pattern "([^"]+)"|called "([^"]+)"/.exec(error.message);
    const line = named && lineOf(text, named[1] ?? named[2]);
    const where = line === null ? source : `${source}, line ${line}`;
    throw new InputError(error.message.replace(data.name ?? source, () => where));
  }
}

/**
 * Reads a set from a YAML file.
 * @throws {InputError} when the file cannot be read, or as {@linkcode parsePatterns}.
 */
export async function loadPatterns(
  path: string,
  normalisation: Partial<Normalisation> = {},
): Promise<PatternSet> {
  const text = await Deno.readTextFile(path).catch((error) => {
    throw fileProblem(error, path) ?? error;
  });
  return parsePatterns(text, path, normalisation);
}

/** Writes a set as a YAML file that {@linkcode loadPatterns} reads; it appears whole or not at all. */
export async function savePatterns(path: string, set: PatternSet): Promise<void> {
  const { name, normalisation, patterns } = set;
  await writeFileAtomic(path, stringify({ name, normalise: normalisation, patterns }));
}
