/** The pattern sets that come with the toolkit, as YAML texts, so that they read as an example. */
import english from "./english.yaml" with { type: "text" };
import nursery from "./nursery.yaml" with { type: "text" };
import { parsePatterns } from "./load.ts";
import type { PatternSet } from "./pattern_set.ts";
import type { Normalisation } from "./views.ts";

/** YAML text of each set by name. */
export const PATTERN_SETS: Readonly<Record<"english" | "nursery", string>> = { english, nursery };

/** A set that comes with the toolkit: requests in English, or replies of the nursery. */
export function defaultPatterns(
  name: keyof typeof PATTERN_SETS,
  normalisation: Partial<Normalisation> = {},
): PatternSet {
  return parsePatterns(PATTERN_SETS[name], `${name}.yaml`, normalisation);
}
