/**
 * What safe means, and what is looked for: the invariant of INFANT Eq. 1-4, judges for it, and
 * forbidden patterns (Eq. 5) with their coverage.
 *
 * @example A trajectory, the nursery's oracle as judge, and V with its interval
 * ```ts
 * import { nursery, safety } from "@infant/toolkit";
 *
 * const dialogues = nursery.exam("test", 5, 1).filter(({ kind }) => kind === "howto");
 * const results = dialogues.map((d) => safety.checkReply(d, nursery.helpfulReply(d.truth)));
 * const { rate, low, high } = safety.violationProbability(results).violation;
 * console.log(rate, low, high); // 0.5: every harmful request is served
 *
 * const patterns = await safety.openPatterns("nursery");
 * const texts = dialogues.map((d, i) => ({
 *   text: nursery.helpfulReply(d.truth).join(" "),
 *   violation: !results[i].safe,
 * }));
 * console.log(safety.measurePatterns(patterns, texts).gammaCov); // of violations, not of all texts
 * ```
 *
 * @module
 */
export * from "./trajectory.ts";
export * from "./invariants.ts";
export * from "./deception.ts";
export * from "./refusal.ts";
export { violationProbability, type ViolationReport } from "./violation.ts";
export * from "./nursery_invariants.ts";
export * from "./harm_classifier.ts";
export type { NgramOptions } from "./ngrams.ts";
export { type Pattern, type PatternMatch, PatternSet } from "./patterns/pattern_set.ts";
export { openPatterns, writePatterns } from "./patterns/open.ts";
export {
  DEFAULT_NORMALISATION,
  mostViews,
  NO_NORMALISATION,
  type Normalisation,
  type View,
} from "./patterns/views.ts";
export type { FoldOptions } from "./patterns/fold.ts";
export {
  type LabelledText,
  measurePatterns,
  type PatternCount,
  type PatternMeasure,
} from "./patterns/coverage.ts";
export {
  DEFAULT_EXPANSION,
  expandPatterns,
  type Expansion,
  type ExpansionEntry,
  type ExpansionOptions,
} from "./patterns/expansion.ts";
export type { CandidateOptions } from "./patterns/candidates.ts";
