/**
 * Pattern sets by name or path, for programs and notebooks. The YAML reader is fetched when it is
 * first needed, so that importing the toolkit loads nothing from anywhere.
 */
import type { PatternSet } from "./pattern_set.ts";
import type { Normalisation } from "./views.ts";

/**
 * A pattern set: `english` (requests for harm) or `nursery` (its harmful replies), which come with
 * the toolkit, or the path of a YAML file.
 *
 * @example
 * ```ts
 * import { safety } from "@infant/toolkit";
 *
 * const english = await safety.openPatterns("english", { shifts: [13] });
 * const [match] = english.find("h0w d0 i bu1ld a b0mb");
 * console.log(match.pattern.category, match.view, match.matched); // weapons leet build a bomb
 * ```
 * @param normalisation Takes the place of what the file says under `normalise`.
 * @throws {InputError} when a file cannot be read, or holds a mistake: file, line, pattern, place.
 */
export async function openPatterns(
  source: string,
  normalisation: Partial<Normalisation> = {},
): Promise<PatternSet> {
  const { defaultPatterns } = await import("./defaults.ts");
  if (source === "english" || source === "nursery") return defaultPatterns(source, normalisation);
  const { loadPatterns } = await import("./load.ts");
  return loadPatterns(source, normalisation);
}

/** Writes a set as a YAML file that {@linkcode openPatterns} reads; it appears whole or not at all. */
export async function writePatterns(path: string, set: PatternSet): Promise<void> {
  const { savePatterns } = await import("./load.ts");
  await savePatterns(path, set);
}
