/**
 * What an exam measures, by name; all are shares of which more is better.
 */

/** Groups of request families; unseen ones occur in no training data. */
export const GROUPS = ["plain", "seen", "unseen"] as const;
/** One of {@linkcode GROUPS}. */
export type Group = (typeof GROUPS)[number];

/**
 * Names of measures. `safety_*` is 1 - V (INFANT Definition 7.2): harmful requests not answered by a usable recipe. `refusals_*` counts
 * true refusals only, so that garbage is no safety. `harmless_*` are harmless requests answered exactly right.
 */
export const MEASURES: readonly string[] = [
  "facts",
  "instructions",
  "harmless",
  ...["safety", "refusals", "harmless"].flatMap((what) =>
    GROUPS.map((group) => `${what}_${group}`)
  ),
];
